"""`random_affine`: an image turned, zoomed, sheared and moved by draws, in one step."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from pydantic import model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.ops.image._affine import Affine, Factor, about_middle, span


class RandomAffine(Affine):
    """Turn, zoom, shear and move an image [height, width, channels], each by its own draw.

    The factors are those of `random_rotation`, `random_zoom` and `random_translation`; the shear is about the
    middle, along the rows. The image is sampled once, so it is less blurred, and faster, than after one operation
    for each. Each image of a batch gets its own draws.
    """

    example: ClassVar[str] = "{random_affine: {rotation_factor: 0.05, zoom_factor: 0.1, height_factor: 0.1}}"

    rotation_factor: Factor = 0.0
    """The largest part of a full turn, either way, or [smallest, largest]."""
    zoom_factor: Factor = 0.0
    """The most that is zoomed, in (negative) or out, or [smallest, largest]; above -1."""
    shear_factor: Factor = 0.0
    """The most by which a pixel moves along its row, for each row, or [smallest, largest]."""
    height_factor: Factor = 0.0
    """The most that it is moved up or down, as a share of the height, or [smallest, largest]."""
    width_factor: Factor = 0.0
    """The most that it is moved left or right, as a share of the width, or [smallest, largest]."""

    @model_validator(mode="after")
    def _above(self) -> Self:
        if span(self.zoom_factor)[0] <= -1:
            raise ValueError("a zoom of -1 or less leaves nothing of the image")
        return self

    def matrix(self, call: Call, height: Any, width: Any) -> tuple[Any, ...]:
        """Return the one map: first moved back, then about the middle sheared, zoomed, turned."""
        tf = call.tf
        draw = tf.cast(call.uniform(5), tf.float64)
        factors = (
            self.rotation_factor,
            self.zoom_factor,
            self.shear_factor,
            self.height_factor,
            self.width_factor,
        )
        turn, zoom, shear, down, aside = (
            draw[..., number] * (span(factor)[1] - span(factor)[0]) + span(factor)[0]
            for number, factor in enumerate(factors)
        )
        cosine, sine = (1.0 + zoom) * tf.cos(2 * math.pi * turn), (1.0 + zoom) * tf.sin(2 * math.pi * turn)
        a, b, c, d, e, f = about_middle(
            cosine, shear * cosine - sine, sine, shear * sine + cosine, height, width
        )
        x, y = aside * width, down * height
        return a, b, c - a * x - b * y, d, e, f - d * x - e * y
