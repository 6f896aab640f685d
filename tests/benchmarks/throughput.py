"""Throughput of the seed pipelines: compiled from their specs beside the same written by hand with AUTOTUNE.

Each of the two runs in a process of its own, so that neither sets up TensorFlow or the allocator for the other. They
take turns, an epoch each over the same files; then both start anew, since AUTOTUNE settles differently from process
to process. What is printed is the median over all pairs of (elements per second compiled) / (elements per second by
hand), and the medians of both.
"""

from __future__ import annotations

import io
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).parents[2]
SEEDS = ("seed_a", "seed_b", "seed_c")
PHOTOS = 5760
"""About five seconds an epoch: starting an iterator takes 10 to 30 ms, which real epochs do not feel."""
SIZE = (500, 375)
PROCESSES = 3
"""So many of each side, one pair of them at a time."""
PAIRS = 3
"""Epochs of each process, after one that is not counted."""


def main() -> None:
    """Print the three ratios."""
    with tempfile.TemporaryDirectory() as folder:
        photos = Path(folder) / "photos"
        make_photos(ROOT / "specs" / "data" / "photos", photos)
        for seed in SEEDS:
            ratio, ours, theirs = compare(seed, photos)
            print(f"{seed}: {ratio:.2f}  ({ours:.0f} images/s compiled, {theirs:.0f} by hand)", flush=True)


def compare(seed: str, photos: Path) -> tuple[float, float, float]:
    """Return the median ratio of both speeds, and both medians, in elements per second."""
    taken = [pair for _ in range(PROCESSES) for pair in _pairs(seed, photos)]
    return (
        statistics.median(ours / theirs for ours, theirs in taken),
        statistics.median(ours for ours, _ in taken),
        statistics.median(theirs for _, theirs in taken),
    )


def _pairs(seed: str, photos: Path) -> list[tuple[float, float]]:
    compiled, by_hand = (Runner(which, seed, photos) for which in ("compiled", "by_hand"))
    try:
        compiled.rate(), by_hand.rate()
        return [(compiled.rate(), by_hand.rate()) for _ in range(PAIRS)]
    finally:
        compiled.close()
        by_hand.close()


class Runner:
    """A process that goes through its dataset once for every line it is sent."""

    def __init__(self, which: str, seed: str, photos: Path) -> None:
        command = [sys.executable, "-m", "tests.benchmarks.throughput", which, seed, str(photos)]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )

    def rate(self) -> float:
        """Return the elements per second of one epoch."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def serve(which: str, seed: str, photos: str) -> None:
    """Answer each line with the elements per second of one epoch."""
    dataset = _dataset(which, seed, photos)
    for _ in sys.stdin:
        start, seen = time.perf_counter(), 0
        for batch in dataset:
            seen += int(batch[0].shape[0])
        print(seen / (time.perf_counter() - start), flush=True)


def _dataset(which: str, seed: str, photos: str) -> Any:
    if which == "compiled":
        import safedata

        return safedata.load(ROOT / "specs" / f"{seed}.yaml", data=photos)
    from tests import reference

    return getattr(reference, seed)(photos)


def make_photos(source: Path, target: Path) -> None:
    """Write photographs of one size, each from a shipped one, over and over."""
    encoded: list[tuple[str, bytes]] = []
    for path in sorted(source.rglob("*.jpg")):
        with Image.open(path) as image, io.BytesIO() as file:
            image.convert("RGB").resize(SIZE).save(file, "JPEG", quality=90)
            encoded.append((path.parent.name, file.getvalue()))
    for number, (name, data) in zip(range(PHOTOS), itertools.cycle(encoded), strict=False):
        folder = target / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:05d}.jpg").write_bytes(data)


if __name__ == "__main__":
    serve(*sys.argv[1:])
