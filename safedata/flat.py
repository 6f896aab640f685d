"""Whether memory stays flat: the resident bytes of the process behind each of several epochs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from safedata.machine import resident
from safedata.memory import MIB, format_size
from safedata.problem import BudgetError, Problem

WARM: Final = 5
"""Epochs until everything has been used once: thread pools, the allocator's arenas, TensorFlow's kernels. Of fewer than
ten it is half of them."""
_PERCENT: Final = 1
_FLOOR: Final = MIB
"""What no process is too small to differ by: some pages of each thread's heap."""
_SHOWN: Final = 20
"""Epochs of which the figures are listed."""

Sizes = Sequence["int | None"]
"""Resident bytes, an epoch each; None where the system does not tell."""


def epochs(count: int, once: Callable[[], object]) -> Iterator[int | None]:
    """Go through a pipeline so many times, and yield after each how many bytes are resident.

    Args:
        count: how often.
        once: goes through it once.
    """
    for _ in range(count):
        once()
        yield resident().now


def grown(sizes: Sizes) -> Problem | None:
    """Return the problem of memory that grew by more than a percent after the first epochs; None where it is flat.

    Less than it was is no problem, and neither is a MiB more.

    Args:
        sizes: those of two epochs at least.
    """
    known = [one for one in sizes if one is not None]
    if len(known) < len(sizes):
        return Problem(
            "SD542",
            "this system does not tell how much memory a process holds",
            help="look at it on Linux",
        )
    warm = warmed(len(known))
    base, most = max(known[:warm]), max(known[warm:])
    if most - base <= max(base * _PERCENT // 100, _FLOOR):
        return None
    at = warm + known[warm:].index(most) + 1
    message = f"resident memory grew by {format_size(most - base)} from epoch {warm} to epoch {at}"
    return Problem(
        "SD542",
        f"{message}, over {_PERCENT}% of {format_size(base)}",
        notes=(f"behind each epoch: {listed(sizes)}",),
        help="bound what Python functions behind `call` keep; without any, please report it",
    )


def refuse_grown(sizes: Sizes) -> None:
    """Refuse memory that grew.

    Raises:
        BudgetError: SD542, it did by more than a percent after the first epochs, or nobody can tell.
    """
    if (problem := grown(sizes)) is not None:
        raise BudgetError([problem])


def warmed(count: int) -> int:
    """Return how many of so many epochs are the first ones, which nothing is asked of."""
    return min(WARM, count // 2)


def listed(sizes: Sizes) -> str:
    """Return sizes as text, of many the first and the last ones."""
    shown = ["unknown" if one is None else f"{one / MIB:.1f}" for one in sizes]
    if len(shown) > _SHOWN:
        shown = [*shown[: _SHOWN // 2], "...", *shown[-_SHOWN // 2 :]]
    return f"{', '.join(shown)} MiB"
