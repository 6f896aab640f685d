"""Which elements `on_error: skip` left out while the graph ran."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from safedata.plan import Plan
from safedata.problem import DataError, Problem


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
