"""Throughput of the seed pipelines: compiled from their specs beside the same written by hand with AUTOTUNE.

Each of the two runs in a process of its own, so that neither sets up TensorFlow or the allocator for the other. They
take turns, an epoch each over the same files; then both start anew, since AUTOTUNE settles differently from process
to process. What is printed is the median over all pairs of (elements per second compiled) / (elements per second by
hand), the same of the best epoch of each, which leaves out those where AUTOTUNE settled at one call, and both medians.
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
from typing import Any, NamedTuple

from PIL import Image

ROOT = Path(__file__).parents[2]
SEEDS = ("seed_a", "seed_b", "seed_c")
PHOTOS = 4000
"""About four seconds an epoch: starting an iterator takes 10 to 30 ms, which real epochs do not feel. Of more than
4,096 files only some headers are read, unless `safedata measure` has read them: then each photo's is, as it comes.
"""
SIZE = (500, 375)
PROCESSES = 5
"""So many of each side, one pair of them at a time."""
PAIRS = 4
"""Epochs of each process, after one that is not counted."""


def main() -> None:
    """Print the three ratios."""
    with tempfile.TemporaryDirectory() as folder:
        photos = Path(folder) / "photos"
        make_photos(ROOT / "specs" / "data" / "photos", photos)
        for seed in SEEDS:
            found = compare(seed, photos)
            speeds = f"{found.ours:.0f} images/s compiled, {found.theirs:.0f} by hand"
            print(f"{seed}: {found.ratio:.2f}  (best epochs {found.best:.2f}; {speeds})", flush=True)


class Compared(NamedTuple):
    """How fast a pipeline is from its spec beside by hand."""

    ratio: float
    """The median over all pairs of epochs."""
    best: float
    """The fastest epoch of one beside the fastest of the other."""
    ours: float
    theirs: float
    """Median elements per second."""


def compare(seed: str, photos: Path) -> Compared:
    """Return what a seed's pairs of epochs come to."""
    taken = [pair for _ in range(PROCESSES) for pair in _pairs(seed, photos)]
    ours, theirs = zip(*taken, strict=True)
    ratio = statistics.median(mine / other for mine, other in taken)
    return Compared(ratio, max(ours) / max(theirs), statistics.median(ours), statistics.median(theirs))


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
