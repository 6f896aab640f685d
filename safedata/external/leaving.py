"""What a step says of elements that its function fails on."""

from __future__ import annotations

from typing import Literal

from safedata.spec.on_error import Skip, SkipForm

LeavingOut = Literal["skip"] | SkipForm | None
"""Whether elements that a function fails on are left out, and how many: as `runtime.on_error` writes it."""


def most_left_out(said: LeavingOut) -> int | None:
    """Return how many elements of an epoch are left out at most; None where nothing is said of them."""
    return Skip().max if said == "skip" else None if said is None else said.skip.max
