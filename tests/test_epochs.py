"""What an epoch leaves free is given back before the next one."""

from __future__ import annotations

import os
import subprocess
import sys
from types import ModuleType

import pytest

import safedata
from safedata.internal import epochs
from tests.fresh import ROOT

SPEC = "safedata: 1\nsource: {range: 12}\nsteps: [{shuffle: 4}, {batch: 3}, {prefetch: 1}]\n"

GROWTH = """
import safedata
from safedata.machine import resident
text = "safedata: 1\\nsource: {range: 60_000}\\nsteps: [{shuffle: 50_000}, {batch: 256}, {prefetch: 2}]\\n"
data, peaks = safedata.load(text).map(lambda row: row['value'] + 1), []
for _ in range(6):
    for _ in data:
        pass
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


@pytest.mark.tf
def test_later_epochs_take_no_more() -> None:
    """The peak of the sixth epoch is that of the second, but for pages."""
    done = subprocess.run(
        [sys.executable, "-c", GROWTH],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert int(done.stdout) < 6 << 20
