"""SD624: arrays that are loaded whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final

from safedata.memory import format_size
from safedata.mistakes.base import Finding, Line, Mistake
from safedata.sources.numpy.numpy import NumpyRoot

_LARGE: Final = 100_000_000
"""Bytes from which on arrays in memory are worth a line."""


class LoadedWhole(Mistake):
    """A compressed archive cannot be read in pieces: all of its arrays stay in memory, however little a batch needs."""

    code: ClassVar[str] = "SD624"

    def find(self, line: Line) -> Iterator[Finding]:
        """Yield the source of arrays that take much, those alone that the spec uses."""
        roots = [step.node for step in line.plan.steps if isinstance(step.node, NumpyRoot)]
        root = line.origin.inspected.root
        used = next(
            (one for one in roots if isinstance(root, NumpyRoot) and set(one.arrays) <= set(root.arrays)),
            None,
        )
        if used is None or used.whole < _LARGE:
            return
        names = " and ".join(f"`{array.name}`" for array in used.arrays if array.start is None)
        yield Finding(
            None,
            f"{names} of a compressed archive: {format_size(used.whole)} in memory for as long as the spec runs",
            f"{format_size(used.whole)}, loaded whole",
            "save the archive with `numpy.savez`, which compresses nothing, or each array as `.npy`: rows are then "
            "read one by one",
        )
