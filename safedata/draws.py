"""Random numbers that depend on nothing but (seed, epoch, index of the element).

A draw is a hash of its key, so it is the same whatever the parallelism, the shuffle or the batch that
the element lands in, and a whole batch of draws is a handful of integer operations. The hash is SplitMix64
(Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014).
"""

from __future__ import annotations

import zlib
from typing import Any, Final

_GOLDEN: Final = 0x9E3779B97F4A7C15
_MIX_1: Final = 0xBF58476D1CE4E5B9
_MIX_2: Final = 0x94D049BB133111EB
_MASK: Final = (1 << 64) - 1
_MANTISSA: Final = 24
_MOST: Final = 1 << 16


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
    value = _mix_high(tf, value)
    return tf.bitwise.bitwise_xor(value, _shifted(tf, value, 31))


def _mix_high(tf: Any, value: Any) -> Any:
    """Return numbers whose upper 31 bits are those of `_mix`: its last step changes only the others."""
    value = tf.bitwise.bitwise_xor(value, _shifted(tf, value, 30)) * tf.constant(_MIX_1, tf.uint64)
    return tf.bitwise.bitwise_xor(value, _shifted(tf, value, 27)) * tf.constant(_MIX_2, tf.uint64)


def _shifted(tf: Any, value: Any, bits: int) -> Any:
    return tf.bitwise.right_shift(value, tf.constant(bits, tf.uint64))


def uniform(
    tf: Any, seed: int, epoch: Any, index: Any, count: int | None, low: float = 0.0, high: float = 1.0
) -> Any:
    """Return `count` numbers for each key, uniform in [low, high): float32 of `index`'s shape plus [count].

    Without a count it is one number for each key, the first one, in `index`'s own shape: two operations less.

    They are the outputs of a SplitMix64 generator whose state starts at `seed` xor `epoch`, from number
    `index` * 65,536 on: a dozen small operations, however many keys there are.

    Args:
        tf: the TensorFlow module.
        seed: the operation's seed, from `derive_seed`.
        epoch: int64, the epoch's own number; the shape of `index`.
        index: int64, the element's index; any shape, one key for each entry.
        count: how many draws each key gets, at most 65,536; the first ones are the same for every count. None
            is one, in `index`'s shape.
        low: the least that is drawn.
        high: what all draws are below.
    """
    start = tf.bitwise.bitwise_xor(tf.cast(epoch, tf.uint64), tf.constant(seed, tf.uint64))
    stride = tf.constant((_GOLDEN * _MOST) & _MASK, tf.uint64)
    state = start + tf.cast(index, tf.uint64) * stride
    if count is None:
        state += tf.constant(_GOLDEN, tf.uint64)
    else:
        places = [(_GOLDEN * (number + 1)) & _MASK for number in range(count)]
        state = tf.expand_dims(state, -1) + tf.constant(places, tf.uint64)
    top = _shifted(tf, _mix_high(tf, state), 64 - _MANTISSA)
    # A power of two: dividing by it is exact, so both multiplications are one.
    drawn = tf.cast(top, tf.float32) * ((high - low) * 2.0**-_MANTISSA)
    return drawn + low if low else drawn


def parted(tf: Any, number: Any, part: Any) -> Any:
    """Return a number for one part of what `number` stands for, another one for each part: int64.

    Args:
        tf: the TensorFlow module.
        number: int64, any shape.
        part: int64, which part, from 0 on; a shape that broadcasts with `number`'s.
    """
    start = tf.cast(number, tf.uint64) + tf.constant(_GOLDEN, tf.uint64)
    return tf.cast(_mix(tf, start * tf.constant(_MIX_1, tf.uint64) + tf.cast(part, tf.uint64)), tf.int64)
