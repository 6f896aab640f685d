"""What operations share that mix the elements of a batch: partners, weights, types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

from safedata.lowering import Call
from safedata.memory import add
from safedata.problem import Fault
from safedata.records import replace
from safedata.types import FLOATS, INTEGERS, Tensor

Pairing = Literal["shuffle", "reverse"]

DRAWS: Final = 4
"""Numbers that each element draws: for its weight, for its partner, for the place of a box."""
_STEPS: Final = 32
"""Halvings of [0, 1] until a weight is known to 2**-32."""


def mixed_type(x: Tensor, key: str) -> Tensor:
    """Return the type of a component whose elements are mixed, floats; the range stays.

    Raises:
        Fault: SD205 for a mask, SD202 for what is no number or the number of a class.
    """
    if x.kind == "mask":
        raise Fault(
            "SD205", f"`{key}` would mix the classes of a mask", help="write `cutmix`, which pastes a part"
        )
    if x.dtype in FLOATS:
        return x
    if x.rank == 3 and x.dtype in INTEGERS:
        return replace(x, dtype="float32")
    way_out = "put `{one_hot: ...}` before it, in a group of its own" if x.dtype in INTEGERS else None
    raise Fault("SD202", f"`{key}` mixes images and one-hot labels, not {x}", help=way_out)


def require_several(xs: tuple[Tensor, ...], key: str) -> None:
    """Raise SD216 for an image alone, whose label would say the wrong thing."""
    if len(xs) < 2:
        problem = f"`{key}` mixes images, and their labels have to be mixed alike"
        raise Fault("SD216", problem, help=f"link them: `image, label: [{key}]`")


def drawn(call: Call) -> Any:
    """Return the draws of all elements of the batch, float64 [elements, DRAWS]."""
    tf = call.tf
    return tf.cast(tf.reshape(call.uniform(DRAWS), [-1, DRAWS]), tf.float64)


def partners(tf: Any, draw: Any, pairing: Pairing) -> Any:
    """Return the number of each element's partner, int32 [elements]: a permutation."""
    if pairing == "reverse":
        return tf.range(tf.shape(draw)[0])[::-1]
    return tf.argsort(draw[:, 1], stable=True)


def beta(tf: Any, share: Any, alpha: float) -> Any:
    """Return the values below which a Beta(alpha, alpha) variable lies with probability `share`.

    Draws that are even in [0, 1) become draws of that distribution. `tf.math.betainc` is its distribution function;
    it is inverted by halving, to 2**-32, so each value depends on its own draw alone.
    """
    if alpha == 1.0:
        return share
    low, high = tf.zeros_like(share), tf.ones_like(share)
    both = tf.fill(tf.shape(share), tf.constant(alpha, share.dtype))
    for _ in range(_STEPS):
        middle = (low + high) / 2
        below = tf.math.betainc(both, both, middle) < share
        low, high = tf.where(below, middle, low), tf.where(below, high, middle)
    return (low + high) / 2


def flattened(call: Call, x: Tensor, value: Any, apply: Callable[[Any], Any]) -> Any:
    """Return `apply` of a batch with one batch dimension, in the batch dimensions of `value` again."""
    tf = call.tf
    if call.batch_dims == 1:
        return apply(value)
    sizes = tf.shape(value)
    made = apply(tf.reshape(value, tf.concat([[-1], sizes[call.batch_dims :]], 0)))
    whole = tf.reshape(made, sizes)
    return tf.ensure_shape(whole, (*value.shape[: call.batch_dims], *x.static_shape))


def blended(tf: Any, value: Any, weight: Any, partner: Any, dtype: str) -> Any:
    """Return `weight` of each element and the rest of its partner."""
    share = tf.cast(tf.reshape(weight, [-1, *[1] * (value.shape.rank - 1)]), dtype)
    other = tf.cast(tf.gather(value, partner), dtype)  # gathered as it is, which is less than as floats
    return share * tf.cast(value, dtype) + (1.0 - share) * other


def blend_bytes(x: Tensor, y: Tensor) -> int | None:
    """Return what `blended` holds for one element beside it and the result: its partner, and as floats."""
    return add(x.bytes, y.bytes)
