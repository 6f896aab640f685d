"""`pad_image`: borders around an image."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import FiniteFloat, PositiveInt, model_validator
from typing_extensions import Self

from safedata.fields import Int
from safedata.insist import Check, insist
from safedata.lowering import Call
from safedata.ops._fields import NUMBERS, ImageSize
from safedata.ops.base import Op
from safedata.ops.image._image import with_size
from safedata.ops.image._scaled import pad, with_value
from safedata.problem import Fault
from safedata.types import DTYPE_BYTES, FLOATS, Dim, Tensor


class PadImage(Op):
    """Put borders around an image [height, width, channels].

    As many pixels as it takes to exactly `size`, to the next multiples of `multiple`, to a square of its
    longer side, or `padding` pixels on each side. `mode` says what they are: `constant` is `value`, `reflect`
    and `symmetric` mirror the image as `tf.pad` does, the edge itself not repeated or repeated. With `anchor:
    top_left` the image stays at the top and the left, as in `tf.image.pad_to_bounding_box` without offset;
    with `center` the borders are on both sides, a pixel less at the top and the left where they are odd.
    An image over `size`, or one too small to be mirrored so far, is an error (SD203).
    """

    example: ClassVar[str] = "{pad_image: [64, 72]}"
    main: ClassVar[str | None] = "size"
    moves: ClassVar[bool] = True
    fallible: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = ("uint8", "int8", "int32", *FLOATS)

    size: ImageSize | None = None
    """Height and width of the result, in pixels."""
    multiple: PositiveInt | None = None
    """What height and width of the result are multiples of."""
    square: Literal[True] | None = None
    """Make the shorter side as long as the longer one."""
    padding: PositiveInt | None = None
    """Pixels to add on each of the four sides."""
    mode: Literal["constant", "reflect", "symmetric"] = "constant"
    """What the borders are."""
    value: FiniteFloat = 0.0
    """The value of constant borders, in the units of the image."""
    mask_value: Int = 0
    """The same for a mask that is linked to the image: a class number."""
    anchor: Literal["top_left", "center"] = "top_left"
    """Where in the result the image lies."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [one for one in (self.size, self.multiple, self.square, self.padding) if one is not None]
        if len(given) != 1:
            raise ValueError("give one of `size`, `multiple`, `square` and `padding`")
        return self

    def on_gpu(self, x: Tensor) -> bool:
        """Return whether no image can be too large or too small, which is told apart on the host.

        Mirroring has kernels for floats only.
        """
        return x.static and super().on_gpu(x) and (self.mode == "constant" or x.dtype in FLOATS)

    def infer(self, x: Tensor) -> Tensor:
        """Return the type with its borders."""
        self.require_image(x)
        self.require(x, *NUMBERS)
        if x.dtype not in FLOATS and self.mode == "constant":
            self._require_value(x)
        height, width = self._sides(x)
        made = with_size(x, height, width)
        if self.mode != "constant":
            self._require_mirror(x, made)
        return with_value(made, self.value) if self.mode == "constant" else made

    def _require_value(self, x: Tensor) -> None:
        bits = 8 * DTYPE_BYTES[x.dtype]
        low, high = (0, 2**bits - 1) if x.dtype[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        if not (low <= self.value <= high and self.value == int(self.value)):
            problem = f"`value: {self.value:g}` is no {x.dtype}"
            raise Fault("SD205", problem, help=f"write a whole number from {low} to {high}")

    def _require_mirror(self, x: Tensor, made: Tensor) -> None:
        """Raise SD203 where borders are known to be wider than what there is to mirror."""
        for dim, longer in zip(x.shape[:2], made.shape, strict=False):
            if dim.most is None or longer.most is None or not (dim.exact and longer.exact):
                continue
            border = longer.most - dim.most
            border = -(-border // 2) if self._both_sides else border
            most = dim.most - (self.mode == "reflect")
            if border > most:
                problem = f"`mode: {self.mode}` cannot make {border} pixels of border for {x}"
                raise Fault("SD203", problem, help=f"write `mode: constant`, or borders of {most} at most")

    @property
    def _both_sides(self) -> bool:
        return self.anchor == "center" or self.padding is not None

    def _sides(self, x: Tensor) -> tuple[Dim, Dim]:
        height, width = x.shape[:2]
        if self.size is not None:
            for dim, side, name in zip((height, width), self.size, ("height", "width"), strict=True):
                if dim.exact and dim.most is not None and dim.most > side:
                    problem = f"`pad_image` to a {name} of {side} cannot take {x}"
                    way_out = (
                        f"put `{{resize_with_crop_or_pad: [{self.size[0]}, {self.size[1]}]}}` in its place"
                    )
                    raise Fault("SD203", problem, help=way_out)
            return Dim.exactly(self.size[0]), Dim.exactly(self.size[1])
        if self.square:
            longer = Dim(
                None if height.most is None or width.most is None else max(height.most, width.most),
                height.exact and width.exact,
                height.join(width).evidence,
            )
            return longer, longer
        return self._longer(height), self._longer(width)

    def _longer(self, dim: Dim) -> Dim:
        if dim.most is None:
            return dim
        most = -(-dim.most // self.multiple) * self.multiple if self.multiple else dim.most + self._twice
        return Dim(most, dim.exact, dim.evidence)

    @property
    def _twice(self) -> int:
        return 2 * (self.padding or 0)

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return nothing: the kernel writes the result at once."""
        return 0 if self.mode == "constant" else y.bytes

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` with its borders."""
        tf = call.tf
        found = tf.shape(x)[call.batch_dims : call.batch_dims + 2]
        more = self._target(tf, found) - found
        if self.size is not None and not all(dim.exact for dim in call.x.shape[:2]):
            message = f"SD203: pad_image takes an image of at most {self.size[0]} x {self.size[1]}; got"
            x = insist(tf, x, [Check(tf.reduce_all(more >= 0), message, found)], call.where)
        before = more // 2 if self._both_sides else tf.zeros_like(more)
        after = more - before
        if self.mode != "constant" and not all(dim.exact for dim in call.x.shape[:2]):
            message = f"SD203: pad_image cannot mirror an image by {self.mode} further than its size; got"
            most = found if self.mode == "symmetric" else found - 1
            fine = tf.reduce_all(tf.maximum(before, after) <= most)
            x = insist(tf, x, [Check(fine, message, found)], call.where)
        made = pad(tf, x, before[0], before[1], after[0], after[1], self.mode.upper(), self.value)
        return tf.ensure_shape(made, (*x.shape[: call.batch_dims], *call.y.static_shape))

    def _target(self, tf: Any, found: Any) -> Any:
        if self.size is not None:
            return tf.constant(self.size)
        if self.multiple is not None:
            return -(-found // self.multiple) * self.multiple
        if self.square:
            return tf.fill([2], tf.reduce_max(found))
        return found + self._twice
