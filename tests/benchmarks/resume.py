"""A state of `pipeline.iterate()` beside `tf.train.Checkpoint` of TensorFlow's iterator, for a shuffle buffer.

Printed are the bytes of a state, the seconds of saving one, and those from the saved state to the first element that
comes then, both in this process. The elements are 64 KiB of numbers worked out in the graph, which costs little: where
elements are decoded before the shuffle, filling the buffer again takes as long as it took at first.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

ELEMENT = 64 * 1024
"""Bytes of one element."""
BATCH = 16
TAKEN = 50
"""Batches before the state."""


def spec(buffer: int) -> str:
    """Return a spec whose shuffle holds so many bytes."""
    slots = buffer // ELEMENT
    return (
        "safedata: 1\n"
        f"source: {{synthetic: {{components: {{x: 'uint8[{ELEMENT}]'}}, count: {2 * slots + BATCH * (TAKEN + 2)}}}}}\n"
        f"steps: [{{shuffle: {slots}}}, {{batch: {BATCH}}}]\n"
    )


def main() -> None:
    """Print the figures for a buffer of 1 GB."""
    for name, (size, saving, restoring) in figures(10**9).items():
        print(f"{name}: {size} B, saved in {saving:.4f} s, first element after {restoring:.2f} s", flush=True)


def figures(buffer: int) -> dict[str, tuple[int, float, float]]:
    """Return bytes of the state, seconds of saving, and seconds up to the first element, for both sides."""
    import safedata

    text = spec(buffer)
    with safedata.open(text, report=lambda _: None) as pipeline, tempfile.TemporaryDirectory() as folder:
        theirs = _theirs(pipeline, Path(folder))
    with safedata.open(text, report=lambda _: None) as pipeline, tempfile.TemporaryDirectory() as folder:
        ours = _ours(pipeline, Path(folder), text)
    return {"state of safedata": ours, "tf.train.Checkpoint": theirs}


def _theirs(pipeline: Any, folder: Path) -> tuple[int, float, float]:
    import tensorflow as tf

    iterator = pipeline.iterator()
    for _ in range(TAKEN):
        next(iterator)
    checkpoint = tf.train.Checkpoint(iterator=iterator)
    saved, saving = _timed(partial(checkpoint.write, str(folder / "iterator")))
    size = sum(os.path.getsize(one) for one in folder.iterdir())
    want = next(iterator)["x"]
    del iterator, checkpoint

    def restored() -> Any:
        again = iter(pipeline.dataset)
        tf.train.Checkpoint(iterator=again).read(saved)
        return next(again)["x"]

    found, restoring = _timed(restored)
    assert bool(tf.reduce_all(found == want))
    return size, saving, restoring


def _ours(pipeline: Any, folder: Path, text: str) -> tuple[int, float, float]:
    import safedata

    iteration = pipeline.iterate()
    elements = iter(iteration)
    for _ in range(TAKEN):
        next(elements)
    path = folder / "state.json"
    _, saving = _timed(partial(_save, iteration, path))
    size = path.stat().st_size
    want = next(elements)["x"]
    del elements, iteration

    def restored() -> Any:
        with safedata.open(text, report=lambda _: None) as again:
            return next(iter(again.iterate(json.loads(path.read_text()))))["x"]

    found, restoring = _timed(restored)
    assert (found.numpy() == want.numpy()).all()
    return size, saving, restoring


def _save(iteration: Any, path: Path) -> None:
    path.write_text(json.dumps(iteration.state()))


def _timed(run: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    found = run()
    return found, time.perf_counter() - start
