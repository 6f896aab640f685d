"""Caches on disk beside TensorFlow's own `cache(path)`: ratios, the two taking turns in one process.

Written are rows of 16 floats; read are these in batches of 256, and images of 224 x 224 x 3 bytes in batches of 64,
once by a loop in Python and once by a loop in a `tf.function`, as Keras does it: for small batches most of the time of
the first is Python's. `cache(path)` has one order, so reading at random here is held against reading in that order
there. Both sides start from the same numbers worked out in the graph, with autotuning and default rewrites off;
theirs has TensorFlow's own class of dataset. What is printed is the median, over all pairs, of (seconds of
`cache(path)`) / (seconds here): above 1 is faster here. The files are in the system's page cache, since they have just
been written.
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

PAIRS = 6
WRITTEN = 40_000
"""Rows that are written at a time."""
KINDS = {
    "rows of 16 floats": ("float32[16]", 200_000, 256),
    "images of 224 x 224": ("uint8[224, 224, 3]", 1_500, 64),
}


def main() -> None:
    """Print the ratios."""
    with tempfile.TemporaryDirectory() as folder:
        pairs = _writing(Path(folder))
        print(
            f"writing rows of 16 floats: {statistics.median(one / two for one, two in pairs):.2f}", flush=True
        )
        for number, (name, (component, count, batch)) in enumerate(KINDS.items()):
            place = Path(folder) / str(number)
            sides = {
                "": _theirs(place, component, count).batch(batch).with_options(_options()),
                "in order": _ours(place, component, count, f"batch: {batch}"),
                "at random": _ours(place, component, count, "shuffle: all", f"batch: {batch}"),
            }
            batches = -(-count // batch)
            _compare(f"reading {name}", sides, lambda side: partial(_seconds, side))
            _compare(f"reading {name} in a graph", sides, partial(_in_graph, batches=batches))


def _compare(name: str, sides: dict[str, Any], loop: Callable[[Any], Callable[[], float]]) -> None:
    """Print how many times as fast as the first side the others are: all in turn, every other time from behind."""
    loops = {how: loop(side) for how, side in sides.items()}
    seconds: dict[str, list[float]] = {how: [] for how in sides}
    for turn in range(PAIRS + 1):
        for how in list(sides)[:: -1 if turn % 2 else 1]:
            seconds[how].append(loops[how]())
    for how in list(sides)[1:]:
        ratio = statistics.median(
            theirs / ours for theirs, ours in zip(seconds[""][1:], seconds[how][1:], strict=True)
        )
        print(f"{name} {how}: {ratio:.2f}", flush=True)


def _in_graph(dataset: Any, batches: int) -> Callable[[], float]:
    """Return what goes through a dataset in a graph, and how long that takes."""
    import tensorflow as tf

    def through(iterator: Any) -> Any:
        rows = tf.constant(0)
        for _ in tf.range(batches):
            rows += tf.shape(next(iterator)["x"])[0]
        return rows

    graph = tf.function(through)
    return lambda: _timed(lambda: graph(iter(dataset)))


def _writing(folder: Path) -> list[tuple[float, float]]:
    """Return the seconds of both sides for writing an entry of their own, pair by pair; the first is not counted."""
    component = KINDS["rows of 16 floats"][0]
    pairs: list[tuple[float, float]] = []
    for number in range(PAIRS + 1):
        place = folder / f"writing-{number}"
        sides = (partial(_filled, place, component), partial(_ours, place, component, WRITTEN, "batch: 256"))
        if number % 2:
            ours = _timed(sides[1])
            pairs.append((_timed(sides[0]), ours))
        else:
            pairs.append((_timed(sides[0]), _timed(sides[1])))
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
    import tensorflow as tf

    import safedata
    from safedata.lowering import rewrapped

    made = safedata.load(_spec(component, count, f"take: {count}"))
    plain = rewrapped(tf, tf.data.experimental.to_variant(made), made.element_spec, made)
    (place / "theirs").mkdir(parents=True, exist_ok=True)
    return plain.cache(str(place / "theirs" / "cache")).with_options(_options())


def _options() -> Any:
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    options.deterministic = True
    return options
