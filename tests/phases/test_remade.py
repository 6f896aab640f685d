"""Fixes and `fit` in front of a cache on disk: what a change makes anew is judged, and what it leaves is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import safedata
from safedata.change import Change, MoveStep, RemoveStep, SetField
from safedata.fixes.remade import remade
from safedata.memory import DISK, GIB, HOST, MIB
from safedata.program import parse_program

Write = Callable[..., Path]

STEPS = """
safedata: 1
source: {range: 100}
steps:
  - shuffle: 50
  - prefetch: 4
  - map: {y: = value + 1}
  - cache: {path: store}
  - shuffle: 50
  - batch: 4
"""


@pytest.mark.parametrize(
    ("change", "other"),
    [
        (SetField(0, "buffer", 10), True),
        (SetField(0, "buffer", 50), False),
        (SetField(1, "size", 1), False),
        (SetField(2, "parallel", 1), False),
        (SetField(4, "buffer", 10), False),
        (SetField(5, "size", 2), False),
        (RemoveStep(0), True),
        (RemoveStep(1), False),
        (RemoveStep(2), True),
        (RemoveStep(4), False),
        (MoveStep(4, 0), True),
        (MoveStep(0, 3), True),
        (MoveStep(5, 3), True),
        (MoveStep(4, 5), False),
    ],
)
def test_what_gives_a_cache_another_key(change: Change, other: bool) -> None:
    """A cache has to be made again exactly when something before it is changed that its elements follow from."""
    assert remade(parse_program(STEPS), (change,)) == other


def test_changes_add_up() -> None:
    """Steps count as the change before has left them."""
    program = parse_program(STEPS)
    assert not remade(program, (RemoveStep(1), RemoveStep(3)))
    assert remade(program, (RemoveStep(1), RemoveStep(1)))


ROWS = """
safedata: 1
source: {synthetic: {components: {x: "uint8[64, 1024]"}, count: 512}}
steps:
  - shuffle: 256
  - cache: {path: store}
  - batch: 8
"""


@pytest.mark.tf
def test_fit_judges_what_would_be_written_anew(write: Write) -> None:
    """A larger buffer before a cache that is there is another cache: its writing counts, and it is not called free."""
    path = write(ROWS)
    safedata.load(path)
    free = safedata.check(path)
    assert free.places[DISK].bytes == 0
    limit = (free.places[HOST].bytes or 0) + 8 * MIB  # too little for 256 elements of 64 KiB in a buffer
    found = safedata.fit(path, "shuffle", host=limit)
    assert (found.numbers[0].largest, found.changes) == (256, ())
    roomy = safedata.fit(path, "shuffle", host=64 * GIB)
    assert roomy.numbers[0].largest > 256
    assert (roomy.verdict.places[DISK].bytes or 0) > 512 * 64 * 1024
    assert safedata.fit(path, "batch", host=64 * GIB).verdict.places[DISK].bytes == 0
