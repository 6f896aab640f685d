"""`random_zoom`: an image seen from nearer or farther."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.ops.image._affine import Affine, Factor, about_middle, span


class RandomZoom(Affine):
    """Zoom into the middle of an image [height, width, channels], or out, by a factor drawn evenly.

    The same as `keras.layers.RandomZoom`: -0.2 zooms in so that 0.8 of the height fills it, 0.2 zooms out to 1.2.
    Without `width_factor` the width goes along and the aspect ratio stays. Height and width stay. Each image of
    a batch gets its own factor.
    """

    example: ClassVar[str] = "{random_zoom: 0.2}"
    main: ClassVar[str | None] = "height_factor"

    height_factor: Factor
    """The most that is zoomed, in or out, as a share of the height, or [smallest, largest]; above -1."""
    width_factor: Factor | None = None
    """The same for the width, drawn by itself."""

    @model_validator(mode="after")
    def _above(self) -> Self:
        for factor in (self.height_factor, self.width_factor):
            if factor is not None and span(factor)[0] <= -1:
                raise ValueError("a zoom of -1 or less leaves nothing of the image")
        return self

    def matrix(self, call: Call, height: Any, width: Any) -> tuple[Any, ...]:
        """Return the zoom about the middle."""
        tf = call.tf
        draw = tf.cast(call.uniform(2), tf.float64)
        low, high = span(self.height_factor)
        vertical = 1.0 + draw[..., 0] * (high - low) + low
        horizontal = vertical
        if self.width_factor is not None:
            low, high = span(self.width_factor)
            horizontal = 1.0 + draw[..., 1] * (high - low) + low
        zero = tf.zeros_like(vertical)
        return about_middle(horizontal, zero, zero, vertical, height, width)
