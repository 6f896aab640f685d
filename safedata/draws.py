"""Random numbers that depend on nothing but (seed, epoch, index of the element).

A draw is a hash of its key, so it is the same whatever the parallelism, the shuffle or the batch that
the element lands in, and a whole batch of draws is a handful of integer operations. The hash is the
finaliser of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA
2014), applied once for every part of the key.
"""

from __future__ import annotations

import zlib
from typing import Any, Final

_GOLDEN: Final = 0x9E3779B97F4A7C15
_MIX_1: Final = 0xBF58476D1CE4E5B9
_MIX_2: Final = 0x94D049BB133111EB
_MASK: Final = (1 << 64) - 1
_MANTISSA: Final = 24


def derive_seed(seed: int, *path: str | int) -> int:
    """Return the 63-bit seed of the operation at `path` in a spec whose `runtime.seed` is `seed`."""
    mixed = _mix_int(seed & _MASK)
    for part in path:
        mixed = _mix_int(mixed ^ zlib.crc32(str(part).encode()))
    return mixed >> 1


def _mix_int(value: int) -> int:
    value = (value + _GOLDEN) & _MASK
    value = ((value ^ (value >> 30)) * _MIX_1) & _MASK
    value = ((value ^ (value >> 27)) * _MIX_2) & _MASK
    return value ^ (value >> 31)


def _mix(tf: Any, value: Any) -> Any:
    def shifted(bits: int) -> Any:
        return tf.bitwise.right_shift(value, tf.constant(bits, tf.uint64))

    value = value + tf.constant(_GOLDEN, tf.uint64)
    value = tf.bitwise.bitwise_xor(value, shifted(30)) * tf.constant(_MIX_1, tf.uint64)
    value = tf.bitwise.bitwise_xor(value, shifted(27)) * tf.constant(_MIX_2, tf.uint64)
    return tf.bitwise.bitwise_xor(value, shifted(31))


def uniform(tf: Any, seed: int, epoch: Any, index: Any, count: int) -> Any:
    """Return `count` numbers for each key, uniform in [0, 1): float32 of `index`'s shape plus [count].

    Args:
        tf: the TensorFlow module.
        seed: the operation's seed, from `derive_seed`.
        epoch: int64, the epoch's own number; the shape of `index`.
        index: int64, the element's index; any shape, one key for each entry.
        count: how many draws each key gets.
    """
    key = _mix(tf, tf.cast(epoch, tf.uint64) ^ tf.constant(seed, tf.uint64))
    key = _mix(tf, tf.bitwise.bitwise_xor(key, tf.cast(index, tf.uint64)))
    numbers = tf.range(1, count + 1, dtype=tf.int64)
    bits = _mix(tf, tf.bitwise.bitwise_xor(key[..., tf.newaxis], tf.cast(numbers, tf.uint64)))
    top = tf.bitwise.right_shift(bits, tf.constant(64 - _MANTISSA, tf.uint64))
    return tf.cast(tf.cast(top, tf.int64), tf.float32) * (2.0**-_MANTISSA)
