"""What random operations on images share: probabilities, factors, and batches whose images differ in their draw."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

from pydantic import Field

from safedata.lowering import Call
from safedata.memory import add, times
from safedata.ops.base import Op
from safedata.ops.image._image import in_batches
from safedata.types import FLOATS, Tensor

Probability = Annotated[float, Field(ge=0, le=1)]
"""How often something happens, 0 to 1."""
Share = Annotated[float, Field(ge=0, le=1)]
"""A part of a whole, 0 to 1."""
Shares = Annotated[tuple[Share, Share], Field(strict=False)]
"""The smallest and the largest share; a list in YAML."""

PIXELS: Final = ("uint8", *FLOATS)
"""The dtypes that operations on an image's values take."""


AT_ONCE: Final = 4
"""How many images `tf.map_fn` works on at the same time, at most: its `parallel_iterations`, which are 10 unless set.

Calls of the map run beside each other already: with 2 CPUs, saturation of 64 images of 128 x 128 pixels took 0.86 s for
30 batches with 4, and 0.81 with 10; what they hold is less than half.
"""


class EachImage(Op):
    """Works on the images of a batch one by one, as `one_by_one` does; `workspace` is that of one image."""

    def batch_workspace(self, x: Tensor, y: Tensor, count: int) -> int | None:
        """Return the images taken apart, the results before they are stacked, and what those at work take.

        `tf.map_fn` copies every image out of the batch first (TensorFlow, `TensorListFromTensor`).
        """
        return add(
            times(count, x.bytes),
            times(count, y.bytes),
            times(min(count, AT_ONCE), self.workspace(x, y)),
            4096,
        )


def one_by_one(call: Call, x: Any, draw: Any, apply: Callable[[Any, Any], Any]) -> Any:
    """Return `apply(image, draw)` for an element, or for every image of a batch with its own draw.

    Args:
        call: the operation's surroundings.
        x: [batch..., height, width, channels].
        draw: [batch..., n].
        apply: makes the result of one image from it and its n draws; kernels that take one number for all
            images leave no other way.
    """
    tf = call.tf
    if not call.batch_dims:
        return tf.ensure_shape(apply(x, draw), call.y.static_shape)
    spec = tf.TensorSpec(call.y.static_shape, call.y.dtype)

    def one(pair: Any) -> Any:
        return tf.ensure_shape(apply(*pair), spec.shape)

    def each(images: Any) -> Any:
        pairs = (images, tf.reshape(draw, [-1, draw.shape[-1]]))
        return tf.map_fn(one, pairs, fn_output_signature=spec, parallel_iterations=AT_ONCE)

    return in_batches(call, x, each)


def chance(call: Call, draw: Any, p: float) -> Any:
    """Return for each element whether its draw of [0, 1) says that something of probability `p` happens."""
    return call.per_element(draw < p)


def floats(x: Tensor, copies: int) -> int | None:
    """Return the bytes of a number of float32 copies of `x`, of float64 ones if it has them."""
    size = 8 if x.dtype == "float64" else 4
    return None if x.elements is None else copies * size * x.elements


def sizes(call: Call, x: Any) -> tuple[Any, Any]:
    """Return height and width of `x` as int32 scalars."""
    found = call.tf.shape(x)
    return found[call.batch_dims], found[call.batch_dims + 1]
