"""Protobuf's numbers of variable length: seven bits in each byte, the lowest first.

Wire format: https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

from typing import Final

_BITS: Final = 70
"""What ten bytes hold, the most that a number has."""


def varint(
    data: bytes, at: int, end: int | None = None, *, error: type[ValueError] = ValueError
) -> tuple[int, int]:
    """Return the unsigned number of 64 bits that starts at `at`, and where what follows it starts.

    Args:
        data: bytes with a number in them.
        at: where its first byte is.
        end: where the message ends, at most at the end of the data; there when left out.
        error: the type of what is raised.

    Raises:
        ValueError: it does not end; of the type `error`.
    """
    if end is None:
        end = len(data)
    value = shift = 0
    while at < end and shift < _BITS:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
    raise error("a number that does not end")
