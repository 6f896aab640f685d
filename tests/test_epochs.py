"""What an epoch leaves free is given back before the next one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

import safedata
from safedata.internal import epochs
from tests.fresh import ROOT

SPEC = "safedata: 1\nsource: {range: 12}\nsteps: [{shuffle: 4}, {batch: 3}, {prefetch: 1}]\n"

GROWTH = """
import sys
import tensorflow as tf
import safedata
from safedata.machine import resident
text = "safedata: 1\\nsource: {range: 60_000}\\nsteps: [{shuffle: 50_000}, {batch: 256}, {prefetch: 2}]\\n"
data, peaks = safedata.load(text).map(lambda row: tf.reduce_sum(row['value'])), []

def python():
    for _ in data:
        pass

@tf.function
def graph():
    return data.reduce(tf.constant(0, tf.int64), tf.add)

for _ in range(6):
    {"python": python, "graph": graph}[sys.argv[1]]()
    peaks.append(resident().peak)
print(peaks[-1] - peaks[1])
"""


@pytest.mark.tf
def test_each_iterator_starts_with_what_is_free_given_back(
    tf: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It happens once for each iterator made in Python, of what `load` returns and of what is made of that."""
    calls: list[int] = []
    monkeypatch.setattr(epochs, "trim", lambda: calls.append(1))
    data = safedata.load(SPEC)
    assert isinstance(data, tf.data.Dataset)
    assert sorted(one for row in data.as_numpy_iterator() for one in row["value"]) == list(range(12))
    assert len(calls) == 1
    changed = data.map(lambda row: row["value"]).repeat(2).apply(lambda one: one.take(3))
    assert len(list(changed)) == 3
    assert len(calls) == 2
    assert int(data.cardinality()) == 4
    assert len(calls) == 2


@pytest.fixture
def trims(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often free pages were given back: one entry each."""
    calls: list[int] = []

    def trim() -> bool:
        calls.append(1)
        return True

    monkeypatch.setattr(epochs, "trim", trim)
    return calls


@pytest.mark.tf
@pytest.mark.parametrize("way", ["reduce", "loop", "argument", "strategy", "zip"])
def test_each_epoch_starts_with_what_is_free_given_back(tf: ModuleType, trims: list[int], way: str) -> None:
    """However an epoch is gone through, free pages are given back once before it."""
    data = safedata.load(SPEC).map(lambda row: tf.reduce_sum(row["value"]))

    def loop() -> object:
        total = tf.constant(0, tf.int64)
        for row in data:
            total += row
        return total

    def argument(rows: Any) -> object:
        return rows.reduce(tf.constant(0, tf.int64), tf.add)

    traced_loop, traced_argument = tf.function(loop), tf.function(argument)
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    spread = strategy.experimental_distribute_dataset(data)
    both = tf.data.Dataset.zip((data, data))
    ways: dict[str, Callable[[], Any]] = {
        "reduce": lambda: data.reduce(tf.constant(0, tf.int64), tf.add),
        "loop": traced_loop,
        "argument": lambda: traced_argument(data),
        "strategy": lambda: sum(int(row) for row in spread),
        "zip": lambda: sum(int(row) for row, _ in both),
    }
    assert int(ways[way]()) == sum(range(12))  # what is traced is traced here
    del trims[:]
    assert int(ways[way]()) == sum(range(12))
    assert len(trims) == 1


@pytest.mark.tf
def test_a_dataset_that_a_dataset_function_returns_gives_nothing_back(
    tf: ModuleType, trims: list[int]
) -> None:
    """A function of a dataset runs for each element, so no Python is put into it."""
    data = safedata.load(SPEC).map(lambda row: row["value"]).unbatch()
    many = tf.data.Dataset.range(3).flat_map(lambda _: data)
    del trims[:]
    assert len(list(many)) == 36
    assert not trims


@pytest.mark.tf
@pytest.mark.parametrize("loop", ["python", "graph"])
def test_later_epochs_take_no_more(loop: str) -> None:
    """The peak of the sixth epoch is that of the second, but for pages."""
    done = subprocess.run(
        [sys.executable, "-c", GROWTH, loop],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert int(done.stdout) < 6 << 20
