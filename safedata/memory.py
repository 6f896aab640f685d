"""Bytes, the places that hold them, and their text."""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple, cast

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB
TIB: Final = 1024 * GIB

UNITS: Final[dict[str, int]] = {
    "B": 1,
    "KiB": KIB,
    "MiB": MIB,
    "GiB": GIB,
    "TiB": TIB,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
}

_SIZE: Final = r"\s*([0-9][0-9_]*(?:\.[0-9]+)?)\s*([A-Za-z]+)\s*"

Place = str
"""`host`, `disk`, `worker`, or a GPU: `gpu:0`, `gpu:1`, ..."""

HOST: Final = "host"
DISK: Final = "disk"
WORKER: Final = "worker"
"""Each worker of a tf.data service: the memory of a process that is not this one."""

Evidence = Literal["exact", "declared", "measured", "sampled"]
"""What a bound rests on, strongest first. `sampled` makes it an estimate, not a bound."""

EVIDENCE: Final[tuple[Evidence, ...]] = ("exact", "declared", "measured", "sampled")


def weakest(*evidence: Evidence | str) -> Evidence:
    """Return the weakest of these; `exact` when there are none."""
    return cast("Evidence", max(evidence, key=EVIDENCE.index, default=EVIDENCE[0]))


def gpu(index: int) -> Place:
    """Return the place of the GPU with this index."""
    return f"gpu:{index}"


class Hold(NamedTuple):
    """Some bytes that are alive at the pipeline's peak, where, and why."""

    place: Place
    bytes: int | None
    """Upper bound in bytes; None when there is no bound, which is an error and never 0."""
    why: str
    """What holds them, as a phrase: `2 batches ready`."""
    evidence: Evidence = "exact"
    early: bool = False
    """Whether it is let go of before any step holds elements, so that only what it has more than these counts."""
    slots: tuple[tuple[int, int], ...] = ()
    """The places for elements that it is made of, where each element that comes is in one of them and then handed on:
    how many there are, and the bytes of each. What it has beside them stays whether they are full or not."""
    uneven: int = 0
    """How many elements are in it, where they are known to differ so much that its bytes do not tell; else 0."""


def parse_size(text: str) -> int:
    """Return the bytes that a size such as `4GiB`, `500MB` or `1_024 B` names.

    Raises:
        ValueError: the text is not a number with a unit; the message says what one looks like.
    """
    found = re.fullmatch(_SIZE, text, re.ASCII)
    if not found:
        raise ValueError(f"`{text}` is not a size; write a number and a unit, such as 4GiB or 500MB")
    number, unit = found[1].replace("_", ""), found[2]
    if unit not in UNITS:
        lowered = {name.lower(): name for name in reversed(UNITS)}
        near = lowered.get(unit.lower()) or lowered.get(unit.lower() + "ib", "")
        hint = f"; did you mean `{found[1]}{near}`?" if near else f"; the units are {', '.join(UNITS)}"
        raise ValueError(f"`{unit}` is not a unit of size{hint}")
    if "." in number:
        whole, fraction = number.split(".")
        return int(whole + fraction) * UNITS[unit] // int(10 ** len(fraction))
    return int(number) * UNITS[unit]


def format_size(count: int | None) -> str:
    """Return bytes as people read them, in binary units: `1.50 GiB`; `unbounded` for None."""
    if count is None:
        return "unbounded"
    for name, unit in (("TiB", TIB), ("GiB", GIB), ("MiB", MIB), ("KiB", KIB)):
        if abs(count) >= unit:
            return f"{count / unit:.2f} {name}"
    return f"{count} B"


def add(*counts: int | None) -> int | None:
    """Return the sum, None as soon as one part is unknown."""
    total = 0
    for count in counts:
        if count is None:
            return None
        total += count
    return total


def times(number: int | None, count: int | None) -> int | None:
    """Return the product, None as soon as one factor is unknown (0 times anything is 0)."""
    if number == 0 or count == 0:
        return 0
    return None if number is None or count is None else number * count


def largest(*counts: int | None) -> int | None:
    """Return the largest, None as soon as one is unknown."""
    known = [count for count in counts if count is not None]
    return max(known) if len(known) == len(counts) else None
