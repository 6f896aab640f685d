"""What one of several processes does: it makes some parts of a cache's elements and writes each as an entry."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from typing import Any

from safedata import allocator
from safedata.compile import compile_plan, run_error, tensorflow
from safedata.machine.hush import held_back
from safedata.materialise import unseeded
from safedata.plan import Plan
from safedata.problem import DataError, Problem
from safedata.records import record, replace
from safedata.resume.lowered import laziness, resumed
from safedata.resume.route import Place, route
from safedata.spread.division import Division
from safedata.store.entry import MANIFEST, Column, Frames
from safedata.store.frames import opened


@record(frozen=True, slots=True)
class Task:
    """The parts that one process makes."""

    plan: Plan
    """What writes the whole cache."""
    columns: tuple[Column, ...]
    folder: str
    """Where the parts go."""
    division: Division
    parts: tuple[int, ...]
    """Their numbers, in order; those that are there already are passed over."""
    threads: int
    """How many threads the process has for the pipeline."""
    frames: Frames | None = None
    """How rows are compressed, None where they are not."""


def there(folder: str, division: Division, number: int) -> bool:
    """Return whether a part is written."""
    return os.path.exists(os.path.join(folder, division.name(number), MANIFEST))


def write(task: Task) -> None:
    """Write the parts of a task that are not there.

    Raises:
        DataError: the data is bad, or there is less of it than when the plan was made.
    """
    allocator.choose(task.plan.scope.pooled)
    os.environ["CUDA_VISIBLE_DEVICES"] = (
        "-1"  # nothing here runs on one, and TensorFlow would take all of its memory
    )
    with held_back():  # whoever waits has had the same lines
        tf = tensorflow()
        with tf.device("/CPU:0"):
            tf.constant(0)
    missing = [one for one in task.parts if not there(task.folder, task.division, one)]
    for run in _rows_of(missing):
        _write(task, run)


def _rows_of(numbers: Sequence[int]) -> Iterator[list[int]]:
    """Yield numbers that follow each other together: of those one pass over the data makes all."""
    run: list[int] = []
    for one in numbers:
        if run and one != run[-1] + 1:
            yield run
            run = []
        run.append(one)
    if run:
        yield run


def _write(task: Task, run: list[int]) -> None:
    tf = tensorflow()
    plan = replace(task.plan, scope=replace(task.plan.scope, cpus=task.threads))
    with unseeded(tf):
        compiled = compile_plan(plan)
        first, _ = task.division.bounds(run[0])
        way = route(compiled.lower.plan, Place(0, first // task.division.chunk), laziness(tf))
        chunks = iter(resumed(tf, way, compiled).dataset)
    try:
        for number in run:
            _write_part(task, number, chunks)
    # TensorFlow quotes the bytes of a bad record, and then its own message cannot be read as text.
    except (tf.errors.OpError, UnicodeDecodeError) as error:
        raise run_error(error, plan) from error


def _write_part(task: Task, number: int, chunks: Iterator[Any]) -> None:
    name = task.division.name(number)
    first, stop = task.division.bounds(number)
    shutil.rmtree(os.path.join(task.folder, f"{name}.part"), ignore_errors=True)
    with opened(task.folder, name, task.columns, task.frames) as writer:
        while writer.rows < stop - first:
            values = next(chunks, None)
            if values is None:
                message = (
                    f"the data has {first + writer.rows} elements where {task.division.rows} were planned"
                )
                raise DataError([Problem("SD404", message, help="run it again: the data may have changed")])
            writer.append([values[column.name].numpy() for column in task.columns])
        writer.publish({})
