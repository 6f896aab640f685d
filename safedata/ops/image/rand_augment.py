"""`rand_augment`: a few operations on an image, drawn from eleven."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.ops.image._affine import Interpolation
from safedata.ops.image._augment import AUGMENTS, DRAWS, MOVING, Setting, unmoved
from safedata.ops.image._each import Share, Shares
from safedata.ops.image._several import Several


class RandAugment(Several):
    """Apply `num_ops` operations to an image [height, width, 3], each drawn from eleven and with a strength of its own.

    The operations and their strengths are those of `keras.layers.RandAugment`: shear, translation, rotation (parts of
    a full turn), brightness, colour degeneration, contrast, sharpness, posterization, solarization, auto contrast and
    equalization (Cubuk et al., "RandAugment", 2019). What moves in from outside is the image mirrored. Each image of a
    batch gets its own draws. uint8 is rounded once, at the end. The value range must be known (SD205). A mask that is
    linked to the image is sheared, moved and turned with it.
    """

    example: ClassVar[str] = "rand_augment"
    main: ClassVar[str | None] = "factor"

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

    @property
    def _span(self) -> tuple[float, float]:
        return self.factor if isinstance(self.factor, tuple) else (0.0, self.factor)

    @property
    def draws(self) -> int:
        """For each operation one, and those that it takes itself."""
        return self.num_ops * (1 + DRAWS)

    def applied(self, call: Call, image: Any, draw: Any) -> Any:
        """Return a float32 image with every operation applied that its draws say."""
        tf = call.tf
        how = Setting(tf, *self._span, self.interpolation)
        for place in range(self.num_ops):
            own = draw[place * (1 + DRAWS) : (place + 1) * (1 + DRAWS)]
            which = tf.cast(own[0] * len(AUGMENTS), tf.int32)
            chosen = [one if one in MOVING or not self._masked else unmoved for one in AUGMENTS]
            branches: list[Any] = [partial(one, how, image, own[1:]) for one in chosen]
            image = tf.ensure_shape(tf.switch_case(which, branches), image.shape)
        return image
