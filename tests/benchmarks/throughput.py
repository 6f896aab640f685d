"""Throughput of the seed pipelines: compiled from their specs beside the same written by hand with AUTOTUNE.

Both go over the same files in turn, one epoch each, in one process; what is printed is the median over the pairs
of (elements per second compiled) / (elements per second by hand).
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

import safedata
from tests import reference

PHOTOS = 960
SIZE = (500, 375)
PAIRS = 7


def main() -> None:
    """Print the three ratios."""
    specs = Path(__file__).parents[2] / "specs"
    with tempfile.TemporaryDirectory() as folder:
        photos = Path(folder) / "photos"
        _make_photos(specs / "data" / "photos", photos)
        for name, by_hand in _pipelines(str(photos)):
            compiled = safedata.load(specs / f"{name}.yaml", data=str(photos))
            ratio, ours, theirs = compare(compiled, by_hand(), PAIRS)
            print(f"{name}: {ratio:.2f}  ({ours:.0f} images/s compiled, {theirs:.0f} by hand)", flush=True)


def compare(compiled: Any, by_hand: Any, pairs: int) -> tuple[float, float, float]:
    """Return the median ratio of two datasets' speeds and both medians, in elements per second."""
    rate(compiled), rate(by_hand)
    taken = [(rate(compiled), rate(by_hand)) for _ in range(pairs)]
    return (
        statistics.median(ours / theirs for ours, theirs in taken),
        statistics.median(ours for ours, _ in taken),
        statistics.median(theirs for _, theirs in taken),
    )


def rate(dataset: Any) -> float:
    """Return the elements per second of one epoch."""
    start, seen = time.perf_counter(), 0
    for batch in dataset:
        seen += int(batch[0].shape[0])
    return seen / (time.perf_counter() - start)


def _pipelines(photos: str) -> list[tuple[str, Callable[[], Any]]]:
    return [
        ("seed_a", lambda: reference.seed_a(photos)),
        ("seed_b", lambda: reference.seed_b(photos)),
        ("seed_c", lambda: reference.seed_c(photos)),
    ]


def _make_photos(source: Path, target: Path) -> None:
    """Write photographs of one size, each from a shipped one."""
    shipped = sorted(source.rglob("*.jpg"))
    for number, path in zip(range(PHOTOS), itertools.cycle(shipped), strict=False):
        folder = target / path.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        with Image.open(path) as image:
            image.convert("RGB").resize(SIZE).save(folder / f"{number:05d}.jpg", quality=90)
