"""`rand_augment`: a few operations on an image, drawn from eleven."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, ClassVar

from pydantic import Field, PrivateAttr, model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.memory import MIB, add, times
from safedata.ops.base import Op
from safedata.ops.image._affine import Interpolation
from safedata.ops.image._augment import AUGMENTS, DRAWS, MOVING, Setting, unmoved
from safedata.ops.image._colors import in_bytes, require_light, require_rgb, to_dtype, units_of
from safedata.ops.image._each import PIXELS, Share, Shares, one_by_one
from safedata.types import Tensor


class RandAugment(Op):
    """Apply `num_ops` operations to an image [height, width, 3], each drawn from eleven and with a strength of its own.

    The operations and their strengths are those of `keras.layers.RandAugment`: shear, translation, rotation (parts of
    a full turn), brightness, colour degeneration, contrast, sharpness, posterization, solarization, auto contrast and
    equalization (Cubuk et al., "RandAugment", 2019). What moves in from outside is the image mirrored. Each image of a
    batch gets its own draws. uint8 is rounded once, at the end. The value range must be known (SD205). A mask that is
    linked to the image is sheared, moved and turned with it.
    """

    example: ClassVar[str] = "rand_augment"
    main: ClassVar[str | None] = "factor"
    random: ClassVar[bool] = True
    moves: ClassVar[bool] = True

    num_ops: Annotated[int, Field(ge=1, le=16)] = 2
    """How many operations are applied, one after the other."""
    factor: Share | Shares = 0.5
    """The greatest strength, 0 to 1, or the [smallest, greatest]."""
    interpolation: Interpolation = "bilinear"
    """How values between pixels are found where they move."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        low, high = self._span
        if low > high:
            raise ValueError("`factor` is [smallest, greatest], the smallest first")
        return self

    _masked: bool = PrivateAttr(default=False)
    """Whether its component is a mask that is linked to an image."""

    def for_mask(self) -> Op:
        """Return the same operation, which only moves, by nearest pixels."""
        made = self.model_copy(update={"interpolation": "nearest"})
        made._masked = True
        return made

    @property
    def _span(self) -> tuple[float, float]:
        return self.factor if isinstance(self.factor, tuple) else (0.0, self.factor)

    def infer(self, x: Tensor) -> Tensor:
        """Return the image's own type."""
        self.require_image(x)
        if self._masked:
            self.require(x, "uint8", "int8", "uint16", "int16")  # class numbers that float32 holds
            return x
        self.require(x, *PIXELS, help="put `{cast: float32}` before it")
        require_rgb(x, self.key())
        require_light(x, self.key())
        units_of(x, self.key())
        return x

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return seven float32 copies, five of them for the operation that takes most, and the results of a batch.

        That is equalization; beside them are the image as floats and what the operation before has made of it.
        """
        return add(times(28, x.elements), y.bytes, 2 * MIB)

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` changed, for each element by its own draws."""
        draw = call.uniform(self.num_ops * (1 + DRAWS))

        def changed(image: Any, own: Any) -> Any:
            if self._masked:
                return to_dtype(
                    call.tf, self._applied(call.tf, call.tf.cast(image, "float32"), own), call.y.dtype
                )
            return in_bytes(call, image, lambda work: self._applied(call.tf, work, own))

        return one_by_one(call, x, draw, changed)

    def _applied(self, tf: Any, image: Any, draw: Any) -> Any:
        how = Setting(tf, *self._span, self.interpolation)
        for place in range(self.num_ops):
            own = draw[place * (1 + DRAWS) : (place + 1) * (1 + DRAWS)]
            which = tf.cast(own[0] * len(AUGMENTS), tf.int32)
            chosen = [one if one in MOVING or not self._masked else unmoved for one in AUGMENTS]
            branches: list[Any] = [partial(one, how, image, own[1:]) for one in chosen]
            image = tf.ensure_shape(tf.switch_case(which, branches), image.shape)
        return image
