"""A pipeline while it is in use, and what becomes of its memory when it is left."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import sys
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Final

from safedata.budget import Verdict
from safedata.compile import Compiled, compile_plan, tensorflow
from safedata.machine import resident
from safedata.machine.pool import give_back
from safedata.machine.release import shrink
from safedata.manifest import manifest_of
from safedata.memory import HOST, Place, format_size, gpu
from safedata.pipeline.holders import Held, alive_tensors, still_held
from safedata.problem import ClosedError, Problem
from safedata.stages.base import Node

if TYPE_CHECKING:
    from typing_extensions import Self

    from safedata.resume.iteration import Iteration

_open: Final[weakref.WeakSet[Pipeline]] = weakref.WeakSet()
"""Those that were not left yet."""

LOG: Final = logging.getLogger("safedata")
"""What was freed goes here: as INFO, and as WARNING where buffers or a memory cache are still held."""


@dataclass(frozen=True, slots=True)
class Freed:
    """What leaving a pipeline gave back, in bytes."""

    host_before: int | None
    """Resident bytes of this process just before; None where the system does not tell."""
    host_after: int | None
    """Resident bytes afterwards, with the allocator's free pages given back."""
    pools: Mapping[Place, tuple[int, int]]
    """For each of TensorFlow's pools of memory, `host` and `gpu:0`, the bytes in use before and after. A pool keeps
    what is freed for its next tensors. The host's has all tensors where TensorFlow was told to pool them, and the pages
    of what is free go back to the system then, unless another pipeline is open; otherwise it has those of 256 KiB and
    more where TensorFlow uses oneDNN. Of these, and of a GPU's, only the end of the process gives anything back
    (`safedata.isolated`)."""
    held: tuple[Held, ...]
    """What still keeps the dataset, an iterator or tensors of the pipeline, and who."""

    @property
    def host(self) -> int | None:
        """Bytes of host memory given back; below 0 where other threads took more meanwhile."""
        if self.host_before is None or self.host_after is None:
            return None
        return self.host_before - self.host_after

    def __str__(self) -> str:
        parts = list(self._figures())
        parts += [f"{one.what} {one.verb} still held by {one.by}" for one in self.held]
        return "; ".join(parts)

    def _figures(self) -> Iterator[str]:
        if self.host is None:
            yield "host memory not known on this system"
        else:
            change = f"{format_size(self.host_before)} to {format_size(self.host_after)}"
            given = self.host >= 0
            yield f"{format_size(abs(self.host))} of host memory {'freed' if given else 'taken'} ({change})"
        for place, (before, after) in self.pools.items():
            if before != after:
                change = f"{format_size(before)} to {format_size(after)}"
                yield f"in use in TensorFlow's pool on {place}: {change}, the rest free for other tensors"


class Pipeline:
    """A checked pipeline while it is in use; a context manager that lets go of everything when it is left.

    Leaving drops the dataset with its graph, its traced functions and its memory caches, and gives the
    allocator's free pages back to the system. Iterators and batches that the program itself still refers to
    go on working, and keep what they need alive; `freed.held` names them.
    """

    verdict: Verdict
    element_spec: Any
    """TensorFlow's type of one element; stays after leaving."""
    manifest: dict[str, Any]
    """What was built from what: the resolved spec, types, cardinality, fingerprint, versions."""
    freed: Freed | None
    """What leaving gave back; None while the pipeline is open."""

    def __init__(
        self,
        verdict: Verdict,
        *,
        report: Callable[[Freed], None] | None = None,
        clear_keras: bool = False,
    ) -> None:
        """Compile the pipeline of a verdict.

        Args:
            verdict: one that has a plan, of a spec that fits.
            report: called on leaving with what was freed, in place of the log.
            clear_keras: whether leaving also clears Keras' session, with `keras.backend.clear_session`.
        """
        if verdict.plan is None:
            raise ValueError("a spec with problems cannot be opened")
        tf = tensorflow()
        self._before = alive_tensors(tf)
        compiled = compile_plan(verdict.plan)
        self._dataset: Any = compiled.dataset
        self._unused: Compiled | None = compiled
        """What was compiled, until somebody takes the dataset: an iteration may have it until then."""
        self._iterations: weakref.WeakSet[Iteration] = weakref.WeakSet()
        self._skipped = compiled.skips.described
        self._report = report
        self._clear_keras = clear_keras
        self.verdict = verdict
        self.element_spec = self._dataset.element_spec
        self.manifest = manifest_of(verdict)
        self.freed = None
        _open.add(self)

    @property
    def dataset(self) -> Any:
        """The `tf.data.Dataset`.

        Raises:
            ClosedError: SD509, the pipeline was left.
        """
        self._refuse_left()
        self._unused = None
        return self._dataset

    def iterate(self, state: Mapping[str, Any] | None = None) -> Iteration:
        """Return the elements, epoch after epoch, as an `Iteration` that can tell its state and go on from one.

        Args:
            state: what an iteration's `state()` returned, in this process or another one: it goes on there.

        Raises:
            ClosedError: SD509, the pipeline was left.
            StateError: SD546 or SD547, it is no state of this pipeline; SD548, it cannot be gone on with.
        """
        from safedata.resume.iteration import Iteration

        plan = self.verdict.plan
        assert plan is not None
        self._refuse_left()
        made = Iteration(plan, self._compiled, state)
        self._iterations.add(made)
        return made

    def iterator(self) -> Any:
        """Return TensorFlow's iterator over the dataset, which `tf.train.Checkpoint` can save with all its buffers.

        Raises:
            ClosedError: SD509, the pipeline was left.
            StateError: SD549, TensorFlow cannot save it; `iterate` has a state for every pipeline.
        """
        from safedata.resume.saving import saveable

        return saveable(tensorflow(), self.dataset)

    def _compiled(self) -> Compiled:
        """Return the pipeline compiled, with nobody who goes through it; once more where somebody does."""
        found, self._unused = self._unused, None
        assert self.verdict.plan is not None
        return compile_plan(self.verdict.plan) if found is None else found

    def _refuse_left(self) -> None:
        if self._dataset is None:
            way_out = "use it inside the `with` block; for a dataset without one, `safedata.load`"
            message = f"the pipeline of `{self.verdict.spec}` was left, and its dataset is gone"
            raise ClosedError([Problem("SD509", message, help=way_out)])

    def skipped(self) -> list[str]:
        """Return where each element comes from that `on_error: skip` left out so far; stays after leaving."""
        return self._skipped()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A traceback's frames inside TensorFlow refer to the iterator that failed, and so to all its buffers.
        _clear_frames(error)
        self.close()

    def close(self) -> None:
        """Let go of everything, and say what was freed; a second call does nothing.

        It takes about as long as two full garbage collections: 0.2 to 0.4 s with TensorFlow loaded.
        """
        if self._dataset is None:
            return
        tf = tensorflow()
        host, pools = resident().now, _pools(tf)
        last = weakref.ref(self._dataset)
        self._dataset = self._unused = None
        for one in self._iterations:
            one.close()
        if self._clear_keras and "keras" in sys.modules:
            tf.keras.backend.clear_session(free_memory=False)  # collected below, once
        gc.collect()  # a traced function is a cycle, and holds its graph and the handle of its memory cache
        _open.discard(self)
        if not _open:  # threads of another one would make the pool grow
            give_back(tf)
        after = _pools(tf)
        both = {name: (count, after.get(name, count)) for name, count in pools.items()}
        held = still_held(tf, last(), self.element_spec, self._before)
        self._before.clear()
        shrink()  # last: a look at all objects takes some 5 MiB, which would stay in one round and not in the next
        host_after = resident().now
        self.freed = Freed(host, host_after, both, tuple(held))
        self._tell(self.freed)

    def _tell(self, freed: Freed) -> None:
        if self._report is not None:
            self._report(freed)
            return
        costly = any(one.kind == "iterator" or (one.kind == "dataset" and self._caches) for one in freed.held)
        LOG.log(logging.WARNING if costly else logging.INFO, "left %s: %s", self.verdict.spec, freed)

    @property
    def _caches(self) -> bool:
        """Whether the dataset itself keeps elements, and not only its iterators."""
        return self.verdict.plan is not None and any(
            isinstance(step.node, Node) and step.node.freezes for step in self.verdict.plan.steps
        )


def _pools(tf: Any) -> dict[Place, int]:
    """Return the bytes in use in each of TensorFlow's pools: of every GPU that it has set up, and of the host."""
    devices = {HOST: "CPU:0"}
    devices |= {gpu(index): device.name for index, device in enumerate(tf.config.list_logical_devices("GPU"))}
    found: dict[Place, int] = {}
    for place, name in devices.items():
        with contextlib.suppress(ValueError):  # tensors come from the system there, or are not counted
            found[place] = int(tf.config.experimental.get_memory_info(name)["current"])
    return found


def _clear_frames(error: BaseException | None) -> None:
    """Clear the finished frames of TensorFlow, Keras and comprehensions in an exception's tracebacks.

    The program's functions stay readable for a debugger; a comprehension has only its hidden iterator.
    """
    folders = tuple(
        os.path.dirname(os.path.abspath(path)) + os.sep
        for name in ("tensorflow", "keras")
        if (path := getattr(sys.modules.get(name), "__file__", None))
    )
    for frame in _frames(error, set()):
        code = frame.f_code
        if code.co_filename.startswith(folders) or code.co_name in _COMPREHENSIONS:
            with contextlib.suppress(RuntimeError):  # it still runs
                frame.clear()


_COMPREHENSIONS: Final = ("<genexpr>", "<listcomp>", "<setcomp>", "<dictcomp>")


def _frames(error: BaseException | None, seen: set[int]) -> Iterator[FrameType]:
    """Yield the frames of an exception's traceback, and of those that it came from."""
    if error is None or id(error) in seen:
        return
    seen.add(id(error))
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next
    yield from _frames(error.__cause__, seen)
    yield from _frames(error.__context__, seen)
