"""A module with functions of somebody's own, importable as `mine.vision` while a test runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.external.functions import FEEDS

VISION = '''
"""Functions as a team has them."""
import functools
from os import system
import numpy as np

calls = []

def cut(image):
    return np.ascontiguousarray(image[:2, :2])

def both(image, label):
    return {"label": label + np.int64(1), "image": image[::-1].copy()}

def drawn(x, seed):
    return np.float32(np.random.default_rng(seed).random())

def shout(text):
    return text.upper()

def bad(x):
    return np.zeros(3, "float64")

def fails(value):
    if value == 3:
        raise KeyError("no such thing")
    return value

def stops(value):
    raise StopIteration

def leaves(value):
    raise SystemExit(3)

def writes(image):
    image[0] = 0
    return image

def doubled(x):
    import tensorflow as tf
    return tf.cast(x, tf.float32) * 2.0

def branched(x, seed):
    import tensorflow as tf
    if x > 2:
        x = -x
    return tf.cast(x, tf.float32) + tf.random.stateless_uniform([], seed)

def number(x):
    return 7

class Thing:
    pass

part = functools.partial(cut)
'''


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the folder of the package `mine`, which is forgotten afterwards."""
    package = tmp_path / "path" / "mine"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "vision.py").write_text(VISION)
    (package / "feeds.py").write_text(FEEDS)
    (package / "broken.py").write_text("import nowhere_to_be_found\n")
    monkeypatch.syspath_prepend(package.parent)
    yield package
    for name in [one for one in sys.modules if one.partition(".")[0] == "mine"]:
        del sys.modules[name]
