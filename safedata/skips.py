"""Which elements `on_error: skip` left out while the graph ran, and how steps record them."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from safedata.attempt import Explained
from safedata.internal.fused import Fused
from safedata.lowering import Lowering
from safedata.plan import Plan, PlannedStep, leaves_out
from safedata.problem import DataError, Problem
from safedata.quarantine import Report, default_path
from safedata.sources.base import Root

Note = Callable[[Any, str, Mapping[str, Any]], bool]
"""Notes the elements of an array of indices, with the reason and the step; returns False."""


@dataclass
class Skips:
    """Which elements `on_error: skip` left out, in the order of their failing."""

    plan: Plan
    most: int
    report: Report | None = None
    """Where each of them is written down, under `quarantine`."""
    indices: dict[int, None] = field(default_factory=dict[int, None])
    """An ordered set: an element that fails again in a later epoch counts once."""

    def __post_init__(self) -> None:
        form = "skip" if self.report is None else "quarantine"
        self.note = self.noting(self.most, f"`runtime.on_error.{form}.max`")

    def noting(self, most: int, field: str) -> Note:
        """Return what notes elements, `most` at most; `field` says it of them."""
        return _noting(self.indices, most, field, self.report, weakref.ref(self))

    @staticmethod
    def of(plan: Plan) -> Skips:
        """Return what takes the elements that a plan leaves out.

        Raises:
            DataError: SD408, the report of `quarantine` cannot be written to.
        """
        said = plan.program.runtime.on_error
        report = None
        if said.quarantine:
            spec = next(iter(plan.program.files), None)
            path = default_path(spec, plan.program.folder)
            path = path if said.report is None else plan.scope.path(said.report)
            report = Report(path, spec)
        return Skips(plan, plan.scope.max_skipped, report)

    def described(self) -> list[str]:
        """Return where each element that was left out comes from."""
        return [self.plan.root.describe(index) for index in self.indices]


def _noting(
    indices: dict[int, None], most: int, field: str, report: Report | None, whole: weakref.ref[Skips]
) -> Note:
    """Return the function that notes elements; called from the graph.

    Args:
        indices: all that are left out.
        most: how many it may note; those that others note do not count.
        field: what says so in the spec.
        report: the file that each of them goes into as well, where there is one.
        whole: has the plan.

    TensorFlow keeps what a graph calls for as long as the process lives. So this function holds the counts, and the
    plan, with the list of all files in it, only as long as the dataset is there.
    """
    lock = threading.Lock()
    counted: dict[int, None] = {}

    def note(found: Any, reason: str, step: Mapping[str, Any]) -> bool:
        skips = whole()
        root = skips.plan.root if skips is not None else None
        with lock:
            # a batch that fails is left out whole
            for index in dict.fromkeys(int(one) for one in found.reshape(-1)):
                if index not in indices and report is not None and len(counted) < most:
                    report.write({**_located(root, index, reason), "element": index, **step})
                indices[index] = counted[index] = None
        if len(counted) > most:
            problem = Problem(
                "SD409",
                f"more than {most} elements could not be read",
                notes=tuple(skips.described()[:5]) if skips is not None else (),
                help=f"mend the data, or raise {field}",
            )
            raise DataError([problem])
        return False

    return note


def _located(root: Root | None, index: int, reason: str) -> dict[str, Any]:
    """Return where an element comes from, and why it could not be read: the source may know better than TensorFlow."""
    if root is None:
        return {"reason": reason}
    return {**root.located(index), "reason": root.reason(index, reason) or reason}


def surroundings(tf: Any, plan: Plan, skips: Skips) -> dict[tuple[str, ...], tuple[Lowering, Recorder]]:
    """Return what steps are handed when they are lowered, and what records, by the input that they belong to.

    An input's elements have indices of their own; where one is left out, it is recorded by the index that it would
    have had behind the combinator.

    Args:
        tf: the TensorFlow module.
        plan: the plan that is lowered.
        skips: takes the elements that are left out under `on_error: skip`.
    """
    after = plan.source.after
    common = Lowering(
        tf, after, after, 0, cpus=plan.scope.cpus, deterministic=plan.program.runtime.deterministic
    )
    roots = {step.input: step.node for step in plan.steps if isinstance(step.node, Root)}
    found: dict[tuple[str, ...], tuple[Lowering, Recorder]] = {}

    def add(names: tuple[str, ...], recorder: Recorder) -> None:
        root = roots[names]

        def origin(index: Any) -> Any:
            return root.origin(tf, index)

        found[names] = (replace(common, origin=origin), recorder)
        for number, one in enumerate(root.parts()):
            add((*names, one.name), recorder.of_input(root, number))

    add((), Recorder(tf, skips))
    return found


class Recorder:
    """Records elements that are left out, in the graph, by the index that they have behind all combinators."""

    def __init__(self, tf: Any, skips: Skips, through: tuple[tuple[Root, int], ...] = ()) -> None:
        self._tf = tf
        self._skips = skips
        self._through = through
        """The combinators that an element goes through, the last one first, and the number of its input in each."""

    def of_input(self, root: Root, number: int) -> Recorder:
        """Return what records the elements of a combinator's input."""
        return Recorder(self._tf, self._skips, ((root, number), *self._through))

    def at(self, plan: Plan, step: PlannedStep) -> Callable[[Any], Any] | Explained | None:
        """Return what one planned step records with: under `quarantine`, with the reason; None where it fails."""
        if not leaves_out(plan, step.node):
            return None
        most = getattr(step.node, "leaves_out", None)
        note = (
            self._skips.note
            if most is None
            else self._skips.noting(most, f"`on_error.skip.max` of this `{step.node.title()}`")
        )
        if self._skips.report is not None:
            told = _told(note, plan, step)
            return Explained(lambda index, reason: self._noted(told, index, reason))
        untold = _untold(note)
        return lambda index: self._noted(untold, index, "")

    def _noted(self, note: Callable[[Any, bytes], bool], index: Any, reason: Any) -> Any:
        """Return a tensor that is false once the element with this index is recorded; int64[], int64[batch...]."""
        tf = self._tf
        for root, number in self._through:
            index = root.index_of(number, index)
        return tf.ensure_shape(tf.numpy_function(note, [index, reason], tf.bool, stateful=True), [])


def _untold(note: Note) -> Callable[[Any, bytes], bool]:
    """Return what notes elements with nothing said of them."""

    def noted(found: Any, reason: bytes) -> bool:
        return note(found, "", {})

    return noted


def _told(note: Note, plan: Plan, step: PlannedStep) -> Callable[[Any, bytes], bool]:
    """Return what notes elements with the step, component and operation that TensorFlow's message speaks of."""
    from safedata.said import spot_in, worded

    document = plan.program.document
    titles = [one.title() for one in step.node.parts] if isinstance(step.node, Fused) else []
    whole = step.node.title()
    span = document.span(step.path) if step.path is not None else None
    line = span.line if span is not None else None
    components = sorted({*step.after.visible, *(step.before.visible if step.before is not None else ())})

    def noted(found: Any, reason: bytes) -> bool:
        text = reason.decode("utf-8", "backslashreplace")
        spot = spot_in(text, components)
        title = whole if spot.part is None or spot.part >= len(titles) else titles[spot.part]
        where = {"step": title, "spec_line": line, "component": spot.component, "operation": spot.operation}
        return note(found, worded(text), where)

    return noted
