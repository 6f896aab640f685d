"""Counting values in bounded memory."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from safedata.analysis.counting import Counts, Value


@pytest.mark.parametrize("memory", [500, 20_000, 1 << 20])
@pytest.mark.parametrize("text", [True, False])
def test_counts_are_exact(tmp_path: Path, memory: int, text: bool) -> None:
    """Counts and their order are those of all values in memory, however many of them lie on disk."""
    draw = random.Random(4)
    numbers = [int(draw.paretovariate(0.6)) % 900 - 50 for _ in range(5000)]
    values: list[Value] = [b"w%d" % one for one in numbers] if text else list(numbers)
    counts = Counts(str(tmp_path), text=text, memory=memory)
    for start in range(0, len(values), 700):
        counts.add(values[start : start + 700])
    expected = Counter(values)
    assert (counts.on_disk > 0) == (memory < 1 << 20)
    assert list(counts.items()) == sorted(expected.items())
    ranked = sorted(expected.items(), key=lambda item: (-item[1], item[0]))
    assert list(counts.ranked()) == ranked
    assert list(counts.ranked(7, 3)) == [item for item in ranked if item[1] >= 3][:7]
    assert counts.seen == len(values)


def test_odd_bytes(tmp_path: Path) -> None:
    """Values with line breaks, without letters and without sense as text come back as they were."""
    values: list[Value] = [b"", b"a\nb", b"\xff\0", b"", b"\n"]
    counts = Counts(str(tmp_path), text=True, memory=1)
    for value in values:
        counts.add([value])
    assert list(counts.ranked()) == [(b"", 2), (b"\n", 1), (b"a\nb", 1), (b"\xff\0", 1)]
