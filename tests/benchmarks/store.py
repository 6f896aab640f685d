"""Caches on disk beside TensorFlow's own `cache(path)`: ratios, the two taking turns in one process.

Written are rows of 16 floats; read are these in batches of 256, and images of 224 x 224 x 3 bytes in batches of 64.
`cache(path)` has one order, so reading at random here is held against reading in that order there.
Both sides start from the same numbers worked out in the graph, with autotuning and default rewrites off. What is
printed is the median, over all pairs, of (seconds of `cache(path)`) / (seconds here): above 1 is faster here. The
files are in the system's page cache, since they have just been written.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

PAIRS = 5
WRITTEN = 40_000
"""Rows that are written at a time."""
KINDS = {
    "rows of 16 floats": ("float32[16]", 100_000, 256),
    "images of 224 x 224": ("uint8[224, 224, 3]", 1_000, 64),
}


def main() -> None:
    """Print the ratios."""
    with tempfile.TemporaryDirectory() as folder:
        print(f"writing rows of 16 floats: {_median(_writing(Path(folder))):.2f}", flush=True)
        for number, (name, (component, count, batch)) in enumerate(KINDS.items()):
            place = Path(folder) / str(number)
            theirs = _theirs(place, component, count).batch(batch).with_options(_options())
            ordered = _ours(place, component, count, f"batch: {batch}")
            shuffled = _ours(place, component, count, "shuffle: all", f"batch: {batch}")
            for side in (theirs, ordered, shuffled):
                _seconds(side)
            pairs = [(_seconds(theirs), _seconds(ordered), _seconds(shuffled)) for _ in range(PAIRS)]
            print(
                f"reading {name} in order: {_median([(one, two) for one, two, _ in pairs]):.2f}", flush=True
            )
            print(
                f"reading {name} at random: {_median([(one, two) for one, _, two in pairs]):.2f}", flush=True
            )


def _median(pairs: list[tuple[float, float]]) -> float:
    return statistics.median(theirs / ours for theirs, ours in pairs)


def _writing(folder: Path) -> list[tuple[float, float]]:
    """Return the seconds of both sides for writing an entry of their own, pair by pair; the first is not counted."""
    component = KINDS["rows of 16 floats"][0]
    pairs: list[tuple[float, float]] = []
    for number in range(PAIRS + 1):
        place = folder / f"writing-{number}"
        theirs = _timed(partial(_filled, place, component))
        pairs.append((theirs, _timed(partial(_ours, place, component, WRITTEN, "batch: 256"))))
        shutil.rmtree(place)
    return pairs[1:]


def _filled(place: Path, component: str) -> None:
    _seconds(_theirs(place, component, WRITTEN))


def _timed(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _seconds(dataset: Any) -> float:
    def through() -> None:
        for _ in dataset:
            pass

    return _timed(through)


def _spec(component: str, count: int, *steps: str) -> str:
    source = f"{{synthetic: {{count: {count}, components: {{x: '{component}'}}}}}}"
    return f"safedata: 1\nsource: {source}\nsteps:\n" + "".join(f"  - {step}\n" for step in steps)


def _ours(place: Path, component: str, count: int, *behind: str) -> Any:
    import safedata

    text = _spec(component, count, f"cache: {{path: '{place / 'ours'}'}}", *behind)
    return safedata.load(text)


def _theirs(place: Path, component: str, count: int) -> Any:
    """Return the same elements through `cache(path)`."""
    import safedata

    made = safedata.load(_spec(component, count, f"take: {count}"))
    (place / "theirs").mkdir(parents=True, exist_ok=True)
    return made.cache(str(place / "theirs" / "cache")).with_options(_options())


def _options() -> Any:
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    options.deterministic = True
    return options
