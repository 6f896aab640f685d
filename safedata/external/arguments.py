"""What crosses between the graph and a function of Python's: the bytes of it, and seeds."""

from __future__ import annotations

from typing import Any, Final

from safedata import draws
from safedata.lowering import EPOCH, INDEX, ROW, Call
from safedata.memory import times
from safedata.types import Tensor

_OBJECT: Final = 64
"""Bytes of a Python string object beside its text, with its pointer in the array: 33 + 8, rounded by the allocator."""


def seed_of(call: Call) -> Any:
    """Return a number for each element in this epoch, 0 or more: int64[batch...]."""
    tf = call.tf
    epoch = call.values[EPOCH]
    if ROW in call.values:
        epoch = tf.bitwise.bitwise_xor(epoch, call.values[ROW])
    return positive(
        tf, draws.parted(tf, draws.parted(tf, tf.constant(call.seed, tf.int64), epoch), call.values[INDEX])
    )


def positive(tf: Any, number: Any) -> Any:
    """Return int64 numbers with the sign taken away, as every generator of random numbers takes them for a seed."""
    return tf.bitwise.bitwise_and(number, tf.constant(2**63 - 1, tf.int64))


def crossing_bytes(tensor: Tensor) -> int | None:
    """Return the bytes of a component's strings as objects of Python's; numbers cross as they are."""
    if tensor.dtype != "string":
        return 0
    return times(tensor.elements, None if tensor.length.most is None else tensor.length.most + _OBJECT)
