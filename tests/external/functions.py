"""Functions that make several elements, and specs that name them; `mine.feeds` while a test runs."""

from __future__ import annotations

import importlib
from typing import Any

import safedata

ALLOW = ["mine"]
FEEDS = """
import time
import numpy as np

events = []

def doubled(x):
    events.append(x.shape)
    return x * 2

def shorter(x):
    return x[:1]

def ragged(x):
    return [[1], [2, 3]]

def drawn(x, seed):
    return np.array([np.random.default_rng(one).random() for one in np.atleast_1d(seed)], "float32")

def drawn_alone(x, seed):
    return np.float32(np.random.default_rng(seed).random())

def shout(texts):
    return np.array([text.upper() for text in texts], object)

def traced(x, seed):
    import tensorflow as tf
    return tf.map_fn(lambda one: tf.random.stateless_uniform([], one), tf.reshape(seed, [-1, 2]),
                     fn_output_signature=tf.float32)

def traced_shorter(x):
    return x[:1]

def chunks(wave):
    for start in range(0, len(wave), 4):
        yield wave[start:start + 4]

def reused(value):
    room = np.zeros(2, "int64")
    for number in range(int(value) % 4):
        room[:] = (value, number)
        yield {"pair": room, "text": f"t{number}"}

def columns(value):
    count = int(value) % 4
    pair = np.stack([np.full(count, value), np.arange(count)], 1)
    return {"pair": pair, "text": [f"t{number}" for number in range(count)]}

def uneven(value):
    return {"pair": np.zeros((2, 2), "int64"), "text": ["a"]}

def even(value):
    return None if value % 2 else value * 10

def twice(value, seed):
    return [seed % 10**12, seed % 10**12 + 1]

def five(value):
    return range(5)

def late(value):
    yield 1
    if value == 2:
        raise KeyError("no such thing")

def odd_only(value):
    if value % 2 == 0:
        raise ValueError("even")
    return value

def rows():
    events.append("open")
    try:
        for number in range(5):
            yield {"x": np.full(3, number, "float32"), "text": f"t{number}"}
    finally:
        events.append("closed")

def dice(seed):
    draw = np.random.default_rng(seed)
    for _ in range(4):
        yield draw.integers(0, 1_000_000)

def fails():
    yield 1
    yield 2
    raise KeyError("gone")

def mixed():
    yield 1
    yield 2.5

def single():
    return 3

class Endless:
    def __init__(self):
        self.number = 0

    def __iter__(self):
        return self

    def __next__(self):
        self.number += 1
        return self.number

    def close(self):
        events.append("closed")

def endless():
    return Endless()

def scaled(value, factor, words=(), more=None):
    assert list(words) in ([], ["a", "b"]) and (more is None or more == {"deep": [1, None, 2.5]})
    if isinstance(words, list):
        words.append("c")
    return value * factor

def traced_scaled(value, factor, words=(), more=None):
    assert words == ["a", "b"] and more == {"deep": [1, None, 2.5]}
    return value * factor

def counted(factor, words=(), more=None):
    for value in range(4):
        yield scaled(value, factor, words if value == 0 else (), more)

def dozing(value):
    if value == 2:
        time.sleep(3)
    return value

def dozes(value):
    yield dozing(value)

def drowsy():
    for value in range(6):
        yield dozing(value)

def big(value):
    for number in range(8):
        yield np.full((1024, 1024), number, "float32")

def big_batch(values):
    return np.zeros((len(values), 1024, 1024), "float32") + 1

def big_rows():
    for number in range(10):
        yield np.full((1024, 1024, 8), number, "float32")
"""


def spec(source: str, *steps: str, rest: str = "") -> str:
    """Return a spec of a source and steps, each as text."""
    listed = "".join(f"  - {step}\n" for step in steps)
    return f"safedata: 1\nsource: {{{source}}}\nsteps:\n{listed}{rest}"


def feed(name: str, returns: str, cardinality: str = "5", more: str = "workspace: 1KiB") -> str:
    """Return a source whose elements a function yields."""
    named = f'function: "mine.feeds:{name}", returns: {{{returns}}}'
    return f"call: {{{named}, cardinality: {cardinality}, {more}}}"


def step(name: str, returns: str, more: str = "", start: str = "value") -> str:
    """Return a step that calls a function."""
    named = f'function: "mine.feeds:{name}", from: {start}, returns: {{{returns}}}'
    return f"call: {{{named}, workspace: 1KiB{more}}}"


def happened() -> list[Any]:
    """Return what the functions have noted so far, their own list."""
    found: list[Any] = importlib.import_module("mine.feeds").events
    return found


def elements(text: str, **how: Any) -> list[dict[str, Any]]:
    """Return the elements of a spec, as Python's own values."""
    data = safedata.load(text, allow=ALLOW, host="8GiB", **how)
    return [
        {name: one.tolist() if hasattr(one, "tolist") else one for name, one in element.items()}
        for element in data.as_numpy_iterator()
    ]
