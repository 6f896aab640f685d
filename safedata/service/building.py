"""A cache's rows, made by the workers of a service: each of them exactly once, in their order.

TensorFlow has a distributed save of its own (`tf.data.experimental.distributed_save`). It writes a format of its own,
in streams that workers fill as the source's pieces come to them: an element's place in the whole is lost, while a
store's entry has its rows in one order and is the same whoever wrote it. So workers make rows, and one writer puts them
in their order: it asks for a window of them, by their numbers, in parts that dynamic sharding hands out. What arrives
twice is dropped; what a lost worker has not sent is asked for again.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from typing import Any, Final

from safedata.internal.keys import Epoch, Identify, Readable
from safedata.memory import add, times
from safedata.plan import Plan, PlannedStep
from safedata.problem import DataError, Problem
from safedata.records import record
from safedata.service.probe import workers
from safedata.service.reader import Reader
from safedata.service.rules import restless
from safedata.sources._stored import StoredRoot
from safedata.sources.base import Root
from safedata.stages._address import parse_address
from safedata.stages._elements import slot_bytes
from safedata.stages.base import ElementNode
from safedata.stages.distribute import Distribute, registered

WINDOW: Final = 64 << 20
"""About the bytes of the rows that are asked for at once, and wait for those before them."""
LARGEST: Final = 4096
"""The most rows of a window."""
_PARTS: Final = 4
"""Parts of a window for each worker: the fewer, the longer the others wait for the slowest."""
_QUIET: Final = 3.0
"""Seconds without a row after which it is looked whether a worker is gone."""
_LOOK: Final = 0.5
"""Seconds for which a row is waited for at a time."""
_GONE: Final = 120.0
"""Seconds without any worker, or without the dispatcher, after which a build stops."""
_EMPTY: Final = 3
"""Rounds that end and bring none of the rows that are there, after which they are not asked for again."""
_MOST_WORKERS: Final = 8
"""Of more workers than these no more rows are asked for ahead."""
_REQUESTS: Final = 2
"""Rows that are asked for ahead, of each worker."""


def shared_steps(plan: Plan) -> int:
    """Return how many of a part's first steps workers can run: a source, and what makes one element of each.

    0 where there is nothing to share: the source is a combinator or another cache, has another order each time, or only
    steps behind it that look at several elements.
    """
    root = plan.steps[0].node
    if not isinstance(root, Root) or root.parts() or isinstance(root, StoredRoot) or restless(plan):
        return 0
    count = 1
    while count < len(plan.steps) and _one_of_one(plan.steps[count]):
        count += 1
    work = any(
        isinstance(step.node, ElementNode) and not isinstance(step.node, Readable)
        for step in plan.steps[1:count]
    )
    return count if work and plan.steps[0].after.cardinality.most is not None else 0


def _one_of_one(step: PlannedStep) -> bool:
    alike = step.before is not None and step.before.cardinality == step.after.cardinality
    return alike and isinstance(step.node, (ElementNode, Identify, Epoch, Readable))


def window_rows(plan: Plan, count: int) -> int:
    """Return how many rows wait at most, of those that leave the first `count` steps of a plan."""
    one = slot_bytes(plan.steps[count - 1].after)
    return 1 if one is None else max(1, min(LARGEST, WINDOW // max(1, one)))


def window_bytes(plan: Plan) -> int | None:
    """Return what waits in a process that writes what workers make, in bytes; None where nothing bounds it.

    A window's rows, and the messages in which the next of them come, as `Distribute` counts them.
    """
    count = shared_steps(plan)
    stream = plan.steps[count - 1].after
    asked = Distribute(service="grpc://any:1", max_outstanding=_MOST_WORKERS * _REQUESTS)
    holds = asked.holds(stream, stream, plan.scope)
    return add(times(window_rows(plan, count), slot_bytes(stream)), *(hold.bytes for hold in holds))


@record(frozen=True)
class Shared:
    """One part of a plan whose first steps run on the workers of a service."""

    tf: Any
    plan: Plan
    lower: Any
    """The plan's `safedata.compile.Lower`, which has been through all steps."""
    service: str
    guard: Callable[[], contextlib.AbstractContextManager[None]]
    """Entered while graphs are made."""
    problems: list[DataError] = field(default_factory=list[DataError])

    @property
    def failed(self) -> DataError | None:
        """What ended the reading where that was none of TensorFlow's own errors."""
        return self.problems[0] if self.problems else None

    def skip(self, chunks: int) -> Any:
        """Return the dataset of the part's elements from one on, as `Dataset.skip` does."""
        count = shared_steps(self.plan)
        whole = count == len(self.plan.steps) - 1
        chunk = getattr(self.plan.steps[-1].node, "rows", 1)
        rows = Rows(self, count, chunks * chunk if whole else 0)
        made = self.tf.data.Dataset.from_generator(rows, output_signature=rows.base.element_spec)
        for step in self.plan.steps[count:]:
            made = self.lower.put(step, [made])
        made = made.with_options(self.lower.options)
        return made if whole else made.skip(chunks)


class Rows:
    """The elements that leave the shared steps, in their order; called for each pass over them."""

    def __init__(self, shared: Shared, count: int, first: int) -> None:
        self._shared = shared
        self._tf = shared.tf
        self._service = parse_address(shared.service)
        steps = shared.plan.steps
        self._front = 1 + sum(isinstance(step.node, (Identify, Readable)) for step in steps[1:count])
        self._steps = steps[self._front : count]
        self._source = shared.lower.behind[self._front - 1]
        self.base = shared.lower.behind[count - 1]
        self._cardinality = steps[0].after.cardinality
        self._window = window_rows(shared.plan, count)
        self._first = first

    def __call__(self) -> Iterator[Any]:
        """Yield all elements from the first one on.

        Raises:
            DataError: SD550, the dispatcher or all workers are gone.
        """
        try:
            yield from self._all()
        except DataError as error:  # TensorFlow makes one of its own of whatever a generator raises
            self._shared.problems.append(error)
            raise

    def _all(self) -> Iterator[Any]:
        most = self._cardinality.most or 0
        for start in range(self._first, most, self._window):
            stop = min(start + self._window, most)
            found = self._gathered(start, stop)
            for place in range(start, stop):
                if place not in found:
                    return
                yield found.pop(place)

    def _gathered(self, start: int, stop: int) -> dict[int, Any]:
        """Return the elements of a window by their numbers: all of them, or those up to the source's end.

        Raises:
            DataError: SD404, workers do not find an element that is there.
        """
        found: dict[int, Any] = {}
        sure, empty = self._cardinality.kind == "exactly", 0
        while missing := [place for place in range(start, stop) if place not in found]:
            if not sure and len(missing) < stop - start and self._ends_before(missing[0]):
                break
            before = len(found)
            ended = self._round(missing, found)
            if len(found) > before:
                empty = 0
                continue
            if self._ends_before(missing[0]):
                break
            empty += ended
            if empty == _EMPTY:
                raise _other_data(missing[0])
        return found

    def _ends_before(self, place: int) -> bool:
        """Return whether the source has no element of this number; that is seen here, without any worker."""
        with self._shared.guard():
            rest = self._source.skip(place).take(1).with_options(self._shared.lower.options)
        return not any(True for _ in rest)

    def _round(self, missing: Sequence[int], found: dict[int, Any]) -> bool:
        """Ask the workers for elements, and take them until all are there, or some are lost with their worker.

        Returns:
            Whether the workers have sent all that they find.
        """
        alive = self._workers()
        size = max(1, -(-len(missing) // (_PARTS * len(alive))))
        reader = Reader(self._asked(list(_parts(missing, size)), len(alive)))
        wanted, heard = len(found) + len(missing), time.monotonic()
        with contextlib.closing(reader):
            while len(found) < wanted:
                row = reader.next(_LOOK)
                if row is not None:
                    place, element = row
                    found.setdefault(place, element)
                    heard = time.monotonic()
                elif reader.ended or (time.monotonic() - heard > _QUIET and self._lost(alive)):
                    return reader.ended
        return True

    def _lost(self, alive: Sequence[str]) -> bool:
        return bool(set(alive) - set(self._workers()))

    def _asked(self, parts: Sequence[tuple[int, int]], count: int) -> Any:
        """Return the dataset of the elements of some parts, each with its number."""
        tf, lower = self._tf, self._shared.lower

        def made(part: Any) -> Any:
            start, size = part[0], part[1]
            rows = self._source.skip(start).take(size)
            for step in self._steps:
                rows = lower.put(step, [rows])
            return tf.data.Dataset.zip((tf.data.Dataset.range(start, start + size), rows))

        with self._shared.guard():
            starts = tf.data.Dataset.from_tensor_slices(tf.constant(parts, tf.int64))
            rows = starts.flat_map(tf.autograph.experimental.do_not_convert(made)).with_options(lower.options)
            number = registered(tf, rows, str(self._service))
        service = tf.data.experimental.service
        sent = service.from_dataset_id(
            service.ShardingPolicy.DYNAMIC,
            str(self._service),
            number,
            element_spec=rows.element_spec,
            max_outstanding_requests=_REQUESTS * min(_MOST_WORKERS, count),
        )
        return sent.with_options(lower.options)

    def _workers(self) -> list[str]:
        """Return the workers that answer, waiting for one for a while.

        Raises:
            DataError: SD550, none does, or no dispatcher.
        """
        until = time.monotonic() + _GONE
        while True:
            try:
                found = workers(self._service)
                gone = None
            except DataError as error:
                found, gone = [], error
            if found:
                return found
            if time.monotonic() > until:
                raise gone or _no_worker(str(self._service))
            time.sleep(_LOOK)


def _no_worker(service: str) -> DataError:
    message = f"the tf.data service at {service} has no worker that answers"
    way_out = "start one with `safedata serve worker --dispatcher ADDRESS`; what is written stays, and is gone on with"
    return DataError([Problem("SD550", message, help=way_out)])


def _other_data(place: int) -> DataError:
    message = f"workers of the tf.data service do not find element {place} of the source, which is there here"
    way_out = "see that every worker has the same data at the same paths"
    return DataError([Problem("SD404", message, help=way_out)])


def _parts(places: Sequence[int], size: int) -> Iterator[tuple[int, int]]:
    """Yield runs of numbers that follow each other, as their first one and how many, none longer than `size`."""
    start, count = places[0], 0
    for place in places:
        if place != start + count or count == size:
            yield start, count
            start, count = place, 0
        count += 1
    yield start, count
