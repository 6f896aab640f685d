"""Which elements `on_error: skip` left out while the graph ran, and how steps record them."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from safedata.lowering import Lowering
from safedata.plan import Plan
from safedata.problem import DataError, Problem
from safedata.sources.base import Root


@dataclass
class Skips:
    """Which elements `on_error: skip` left out, in the order of their failing."""

    plan: Plan
    most: int
    indices: dict[int, None] = field(default_factory=dict[int, None])
    """An ordered set: an element that fails again in a later epoch counts once."""

    def __post_init__(self) -> None:
        self.note = _noting(self.indices, self.most, weakref.ref(self))

    def described(self) -> list[str]:
        """Return where each element that was left out comes from."""
        return [self.plan.root.describe(index) for index in self.indices]


def _noting(indices: dict[int, None], most: int, whole: weakref.ref[Skips]) -> Callable[[Any], bool]:
    """Return the function that notes one element; called from the graph, with an array of indices.

    TensorFlow keeps what a graph calls for as long as the process lives. So this function holds the counts, and the
    plan, with the list of all files in it, only as long as the dataset is there.
    """

    def note(index: Any) -> bool:
        indices.update(
            dict.fromkeys(int(one) for one in index.reshape(-1))
        )  # a batch that fails is left out whole
        if len(indices) > most:
            skips = whole()
            problem = Problem(
                "SD409",
                f"more than {most} elements could not be read",
                notes=tuple(skips.described()[:5]) if skips is not None else (),
                help="mend the data, or raise `runtime.on_error.skip.max`",
            )
            raise DataError([problem])
        return False

    return note


def surroundings(tf: Any, plan: Plan, skips: Skips) -> dict[tuple[str, ...], Lowering]:
    """Return what steps are handed when they are lowered, by the input that they belong to.

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
    found: dict[tuple[str, ...], Lowering] = {}

    def add(names: tuple[str, ...], skipped: Callable[[Any], Any] | None) -> None:
        root = roots[names]

        def origin(index: Any) -> Any:
            return root.origin(tf, index)

        found[names] = replace(common, origin=origin, skipped=skipped)
        for number, one in enumerate(root.parts()):
            add((*names, one.name), _recorder_of(root, number, skipped))

    add((), _recorder(tf, skips) if plan.scope.on_error == "skip" else None)
    return found


def _recorder_of(
    root: Root, number: int, skipped: Callable[[Any], Any] | None
) -> Callable[[Any], Any] | None:
    """Return what records an element of a combinator's input, by its index behind the combinator."""
    if skipped is None:
        return None

    def record(index: Any) -> Any:
        return skipped(root.index_of(number, index))

    return record


def _recorder(tf: Any, skips: Skips) -> Callable[[Any], Any]:
    def record(index: Any) -> Any:
        kept = tf.numpy_function(skips.note, [index], tf.bool, stateful=True)
        return tf.ensure_shape(kept, [])

    return record
