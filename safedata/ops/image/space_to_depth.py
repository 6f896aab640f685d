"""`space_to_depth`: blocks of pixels as channels."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar

from pydantic import Field

from safedata.lowering import Call
from safedata.ops._fields import NUMBERS
from safedata.ops.base import Op
from safedata.ops.image._image import in_batches
from safedata.problem import Fault
from safedata.types import Dim, Tensor


class SpaceToDepth(Op):
    """Turn an image [height, width, channels] into [height / b, width / b, b * b * channels].

    Each block of b x b pixels becomes one pixel, as in `tf.nn.space_to_depth`. Height and width must be
    the same for all images and multiples of `block_size` (SD203). Values are not touched.
    """

    example: ClassVar[str] = "{space_to_depth: 2}"
    main: ClassVar[str | None] = "block_size"
    moves: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = ("uint8", "float16", "bfloat16", "float32")

    block_size: Annotated[int, Field(ge=2)]
    """Height and width of a block, in pixels, 2 or more."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the type with smaller sides and more channels."""
        self.require_image(x)
        self.require(x, *NUMBERS)
        block, shape = self.block_size, list[Dim]()
        for dim in x.shape[:2]:
            if dim.most is None or not dim.exact or dim.most % block:
                problem = f"`space_to_depth` takes sizes that are multiples of {block}, and this image is {x}"
                raise Fault("SD203", problem, help=_way_out(x, block))
            shape.append(Dim.exactly(dim.most // block, dim.evidence))
        return replace(x, shape=(*shape, x.shape[2].scaled(block * block)), color=None)

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` with its blocks as channels."""
        tf = call.tf
        if call.batch_dims:
            return in_batches(call, x, lambda images: tf.nn.space_to_depth(images, self.block_size))
        return tf.nn.space_to_depth(x[tf.newaxis], self.block_size)[0]


def _way_out(x: Tensor, block: int) -> str:
    near = [max(1, round((dim.most or 224) / block)) * block for dim in x.shape[:2]]
    return f"put `{{resize: {near}}}` before it"
