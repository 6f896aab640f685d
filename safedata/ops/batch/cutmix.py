"""`cutmix`: each image of a batch with a part of another one pasted in."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, ClassVar

from pydantic import Field

from safedata.lowering import Call
from safedata.memory import add, times
from safedata.ops import _walk
from safedata.ops._drawing import Drawing
from safedata.ops.base import Joint
from safedata.ops.batch._mixing import (
    Pairing,
    beta,
    blend_bytes,
    blended,
    drawn,
    flattened,
    mixed_type,
    partners,
    require_several,
)
from safedata.problem import Fault
from safedata.types import Tensor


class Cutmix(Joint, Drawing):
    """Paste a part of another image into each image of a batch, and mix one-hot labels by its share of the area.

    `image, label: [{cutmix: 1.0}]`. The weight of an element's own image is drawn from Beta(alpha, alpha); the part has
    the shape of the image and the rest of its area, and all places inside are equally likely, as in
    `keras.layers.CutMix` (Yun et al., "CutMix", 2019). Its sides are whole pixels, and the label's weight is the share
    of pixels that stay. Images keep their dtype; masks are pasted alike. It stands behind `batch`.
    """

    example: ClassVar[str] = "{cutmix: 1.0}"
    main: ClassVar[str | None] = "alpha"
    fallible: ClassVar[bool] = True
    elements: ClassVar[bool] = False
    gpu_dtypes: ClassVar[tuple[str, ...]] = ("uint8", "float16", "float32", "float64")

    alpha: Annotated[float, Field(gt=0, le=100)] = 1.0
    """How much is pasted: towards 0 nearly nothing or nearly all, 1 draws the weight evenly."""
    pairing: Pairing = "shuffle"
    """Which element is pasted in: `shuffle` draws them, `reverse` takes the batch from its end."""

    def on_gpu(self, x: Tensor) -> bool:
        """Return whether it has a kernel, and sizes that agree: those that may differ are compared on the host."""
        return x.static and super().on_gpu(x)

    def infer_all(self, xs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the types: those of images and masks as they are, those of labels as floats."""
        require_several(xs, self.key())
        found = _walk.images(xs)
        if not found:
            raise Fault(
                "SD203", "`cutmix` needs an image [height, width, channels] among the linked components"
            )
        _walk.require_sizes(self, xs, ())
        return tuple(x if number in found else mixed_type(x, self.key()) for number, x in enumerate(xs))

    def workspace_all(self, xs: tuple[Tensor, ...], ys: tuple[Tensor, ...]) -> int | None:
        """Return the bytes of the partners, of the parts of the labels' sums, and of a truth value for each pixel."""
        image = xs[_walk.images(xs)[0]]
        pixels = Tensor("bool", image.shape[:2]).bytes
        parts = (
            x.bytes if x == y and x.rank == 3 else blend_bytes(x, y) for x, y in zip(xs, ys, strict=True)
        )
        return add(*parts, times(3, pixels), 4096)

    def lower_all(self, values: tuple[Any, ...], call: Call, xs: tuple[Tensor, ...]) -> tuple[Any, ...]:
        """Return every component mixed, by the same boxes and partners."""
        tf = call.tf
        found = _walk.images(xs)
        values = _walk.of_one_size(values, xs, call)
        size = tf.shape(values[found[0]])[call.batch_dims : call.batch_dims + 2]
        draw = drawn(call)
        inside, weight = self._boxes(tf, draw, size)
        partner = partners(tf, draw, self.pairing)

        def mix(flat: Any, *, pasted: bool, x: Tensor) -> Any:
            if pasted:
                return tf.where(inside, tf.gather(flat, partner), flat)
            return blended(tf, flat, weight, partner, mixed_type(x, self.key()).dtype)

        return tuple(
            flattened(call, x, value, partial(mix, pasted=number in found, x=x))
            for number, (x, value) in enumerate(zip(xs, values, strict=True))
        )

    def _boxes(self, tf: Any, draw: Any, size: Any) -> tuple[Any, Any]:
        """Return which pixels are pasted, bool [elements, height, width, 1], and the share of those that stay."""
        whole = tf.cast(size, tf.float64)
        ratio = tf.sqrt(1.0 - beta(tf, draw[:, 0], self.alpha))
        sides = tf.round(ratio[:, tf.newaxis] * whole)
        start = tf.floor(draw[:, 2:4] * (whole - sides + 1.0))
        end = start + sides
        rows, columns = (tf.range(whole[side])[tf.newaxis] for side in range(2))
        down = (rows >= start[:, :1]) & (rows < end[:, :1])
        aside = (columns >= start[:, 1:]) & (columns < end[:, 1:])
        inside = down[:, :, tf.newaxis, tf.newaxis] & aside[:, tf.newaxis, :, tf.newaxis]
        return inside, 1.0 - tf.reduce_prod(sides, -1) / tf.reduce_prod(whole)
