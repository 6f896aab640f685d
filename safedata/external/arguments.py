"""What crosses between the graph and a function of Python's: the bytes of it, and seeds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from safedata import draws
from safedata.lowering import EPOCH, INDEX, ROW, Call
from safedata.memory import MIB, add, times
from safedata.types import Tensor

_OBJECT: Final = 64
"""Bytes of a Python string object beside its text, with its pointer in the array: 33 + 8, rounded by the allocator."""


_MAPPED: Final = 32 * MIB
"""A block of more bytes has pages of its own, which go back when it is freed: glibc's largest limit."""


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
    return add(tensor.text, times(tensor.elements, _OBJECT))


def scratch_bytes(workspace: int | None, made: Iterable[Tensor], count: int | None = 1) -> int | None:
    """Return a bound on the bytes of NumPy's and Python's blocks that a call has had, and its thread's arena may keep.

    glibc raises its limit for blocks with pages of their own with each such block that is freed, so that arrays of up
    to 32 MiB are soon laid into the arena of the thread that runs the function, and stay there when they are freed.
    Own part in MiB of batches of 2.3 MiB that a function made 9.4 of, by way of another 9.4, one call at a time, in
    processes that ran at once: 148, 165, 192 and 185; with the limit held at 1 MiB, or one arena for all, 117 to 128.

    Args:
        workspace: what a call is said to hold beside what it takes and returns, in bytes.
        made: the types of what it returns.
        count: so many of each, in one array.
    """
    return add(workspace, *(_kept(tensor, count) for tensor in made))


def _kept(tensor: Tensor, count: int | None) -> int | None:
    if tensor.dtype == "string":
        return times(count, crossing_bytes(tensor))
    size = times(count, tensor.bytes)
    if size is None or size <= _MAPPED:
        return size
    return 0 if tensor.static and count == 1 else _MAPPED  # of a bound, any smaller one may come
