"""Runs a compiled pipeline for a while and looks at it from time to time."""

from __future__ import annotations

import logging
import time
from array import array
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from typing import Any, Final

from safedata.budget import Verdict, judge
from safedata.compile import compile_plan, ready, run_error, tensorflow
from safedata.plan import Plan
from safedata.profiling.figures import Pace, Profile, Wait
from safedata.profiling.marks import host_part, marked
from safedata.profiling.model import Recorder
from safedata.profiling.summary import Ran, profile_of
from safedata.profiling.trial import settled
from safedata.run import Progress
from safedata.stages.base import Node

_LOOK: Final = 0.05
"""Seconds between two looks at TensorFlow's model; one takes about 0.1 ms."""
_DENSE: Final = 30
"""How many times as long as a look it is to the next one, where steps end and begin anew between two."""
_TOLD: Final = 0.1
"""Seconds between two reports of progress."""
_MOST_WAITS: Final = 1 << 17
"""Waits that are kept; of more, every second one."""


def profile_verdict(
    verdict: Verdict, pace: Pace | None = None, progress: Callable[[Progress], None] | None = None
) -> Profile:
    """Run a checked spec for a while and return what its steps did.

    The pipeline runs as it was planned, with TensorFlow's own record of it switched on, which costs some
    microseconds for each element. An epoch that ends is followed by the next; where a cache is filled in the first
    one and it ends in time, the later ones are measured. Where the figures leave open what limits it, changes
    that may make it faster are tried for a second or two each.

    Raises:
        DataError: the data is bad, or cannot be read.
        SafedataError: TensorFlow is not installed.
    """
    if verdict.plan is None:
        raise ValueError("a spec with problems cannot be profiled")
    tf = tensorflow()
    part = ready(tf, verdict.plan)
    if part is not verdict.plan and verdict.machine is not None:
        verdict = judge(part, verdict.machine, verdict.spec)  # what caches on disk keep was made before
    plan = host_part(part)
    compiled = compile_plan(marked(plan))
    run = _Run(plan, pace or Pace(), progress)
    try:
        run.go(recorded(tf, compiled.dataset))
    except (tf.errors.OpError, UnicodeDecodeError) as error:
        raise run_error(error, plan) from error
    return settled(profile_of(verdict, run.ran()))


def recorded(tf: Any, dataset: Any) -> Any:
    """Return a dataset of whose iterators TensorFlow keeps a model; no number in it is left to autotuning."""
    options = tf.data.Options()
    options.autotune.enabled = True
    with _quiet():  # it warns of an option that is set for a second time
        return dataset.with_options(options)


@contextmanager
def _quiet() -> Generator[None, None, None]:
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


@dataclass(slots=True)
class _Run:
    """One run: the loop over batches, its clock, and what it saw."""

    plan: Plan
    pace: Pace
    progress: Callable[[Progress], None] | None
    recorder: Recorder = field(init=False)
    waits: array[float] = field(default_factory=lambda: array("d"))
    waited: float = 0.0
    batches: int = 0
    elements: int = 0
    epochs: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    filled: bool = False
    _warm: int = 0
    _every: int = 1
    _began: float | None = None
    _cpu: float = 0.0
    _pause: float = _LOOK
    _told: float = 0.0
    _lock: Lock = field(default_factory=Lock)
    """Held while the recorder takes or forgets something."""

    def __post_init__(self) -> None:
        self.recorder = Recorder(self.plan)

    def go(self, dataset: Any) -> None:
        """Run until the time, or the number of batches, is over; an empty epoch ends it too."""
        while not self._over():
            before = self._warm + self.batches
            self.epochs += 1
            self.recorder.next_iterator()
            self._epoch(dataset)
            if self._warm + self.batches == before:
                break
            if self.epochs == 1 and not self.filled and self._caches() and not self._over():
                self._begin()
                self.filled = True

    def _epoch(self, dataset: Any) -> None:
        most, inside = self.plan.result.cardinality.most, 0
        tf, start = tensorflow(), time.perf_counter()
        iterator = iter(dataset)
        with self._watched(tf, iterator):
            while not self._over():
                batch = next(iterator, None)
                now = time.perf_counter()
                if batch is None:
                    self.waited += now - start
                    return
                inside += 1
                self._count(tf, batch, now - start)
                if self.pace.step:
                    time.sleep(self.pace.step)
                self._clock()
                warm = self._began is None and self._warm >= self.pace.warmup
                if warm or inside == most or self._over():
                    self._look(tf, iterator)
                if warm or self._refilled():
                    self._begin()
                start = time.perf_counter()

    @contextmanager
    def _watched(self, tf: Any, iterator: Any) -> Generator[None, None, None]:
        """Look at an iterator from time to time: from a thread, since what ends within a batch is gone behind it."""
        over = Event()

        def watch() -> None:
            while not over.wait(self._pause):
                self._look(tf, iterator)

        thread = Thread(target=watch, name="safedata-profile", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _look(self, tf: Any, iterator: Any) -> None:
        """Look at the model; more often from now on if steps have ended in between."""
        with self._lock:
            start = time.perf_counter()
            missed = self.recorder.look(tf.data.experimental.get_model_proto(iterator))
            if missed:
                self._pause = min(_LOOK, _DENSE * (time.perf_counter() - start))

    def _refilled(self) -> bool:
        """Return whether the caches before a `repeat` were filled since the last batch: measuring starts again."""
        with self._lock:
            found = not self.filled and not self._over() and self.recorder.rounds.filled()
        self.filled = self.filled or found
        return found

    def _count(self, tf: Any, batch: Any, waited: float) -> None:
        if self._began is None:
            self._warm += 1
            return
        self.batches += 1
        self.elements += _rows(tf, batch, self.plan.result.batch_dims)
        self.waited += waited
        if self.batches % self._every == 0:
            self.waits.append(waited)
            if len(self.waits) > _MOST_WAITS:
                self.waits, self._every = self.waits[::2], self._every * 2
        self._tell()

    def _tell(self) -> None:
        now = time.perf_counter()
        if self.progress is not None and self._began is not None and now - self._told >= _TOLD:
            self._told = now
            self.progress(Progress(self.elements, self.batches, self.pace.batches, now - self._began))

    def _begin(self) -> None:
        """Start measuring, or start again."""
        with self._lock:
            self.recorder.begin()
        self.waits = array("d")
        self.waited, self.batches, self.elements, self._every = 0.0, 0, 0, 1
        self._began, self._cpu = time.perf_counter(), time.process_time()

    def _over(self) -> bool:
        if self._began is None:
            return False
        if self.pace.batches is not None and self.batches >= self.pace.batches:
            return True
        return time.perf_counter() - self._began >= self.pace.seconds

    def _clock(self) -> None:
        """Note the time after each batch: the end of an iterator, which frees its buffers, is not in it."""
        if self._began is not None:
            self.seconds = time.perf_counter() - self._began
            self.cpu_seconds = time.process_time() - self._cpu

    def _caches(self) -> bool:
        return any(isinstance(step.node, Node) and step.node.freezes for step in self.plan.steps)

    def ran(self) -> Ran:
        """Return what was counted."""
        filled = self.filled if self._caches() else None
        return Ran(
            self.plan,
            self.pace,
            self.recorder,
            self.seconds,
            self.cpu_seconds,
            self.batches,
            self.elements,
            self.epochs,
            self.waited,
            self._wait(),
            filled,
        )

    def _wait(self) -> Wait | None:
        if not self.waits:
            return None
        ordered = sorted(self.waits)
        p95 = ordered[min(len(ordered) - 1, len(ordered) * 95 // 100)]
        return Wait(self.waited / self.batches, ordered[len(ordered) // 2], p95, ordered[-1])


def _rows(tf: Any, batch: Any, dims: int) -> int:
    """Return how many elements a batch stacks: the product of its leading dimensions; 1 for an element."""
    if not dims:
        return 1
    rows = 1
    for size in tf.nest.flatten(batch)[0].shape[:dims]:
        rows *= int(size)
    return rows
