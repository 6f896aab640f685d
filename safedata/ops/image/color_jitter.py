"""`color_jitter`: brightness, contrast, saturation and hue of an image, each changed by a draw."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, ClassVar

from pydantic import Field, NonNegativeFloat, model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.memory import add, times
from safedata.ops._drawing import Drawing
from safedata.ops.image._colors import in_bytes, require_colors
from safedata.ops.image._each import EachImage, one_by_one
from safedata.types import FLOATS, Tensor

Factors = NonNegativeFloat | Annotated[tuple[NonNegativeFloat, NonNegativeFloat], Field(strict=False)]
Step = Callable[[Any], Any]


class ColorJitter(EachImage, Drawing):
    """Change brightness, contrast, saturation and hue of an image [height, width, 3], each by its own draw.

    Brightness multiplies the values; contrast and saturation are those of `tf.image.adjust_contrast` and
    `tf.image.adjust_saturation`. A number f draws their factor evenly from max(0, 1 - f) to 1 + f, a list
    [smallest, largest] from there. Hue is turned by up to `hue` of the colour wheel either way. After each
    of them values stop at the ends of the range. They come in this order, or with `random_order` in one drawn anew.
    Each image of a batch gets its own draws. uint8 is rounded once, at the end. The range must be known (SD205).
    """

    example: ClassVar[str] = "{color_jitter: {brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1}}"
    colors: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = FLOATS

    brightness: Factors = 0.0
    """How far the factor of all values is from 1, or its [smallest, largest]."""
    contrast: Factors = 0.0
    """How far the factor of the distance from the mean is from 1, or its [smallest, largest]."""
    saturation: Factors = 0.0
    """How far the factor of the saturation is from 1, or its [smallest, largest]."""
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """The most that the hue is turned, as a part of the colour wheel, at most 0.5."""
    random_order: bool = False
    """Whether the order of the four is drawn for each image."""

    @model_validator(mode="after")
    def _some(self) -> Self:
        for name in ("brightness", "contrast", "saturation"):
            low, high = _span(getattr(self, name))
            if low > high:
                raise ValueError(f"`{name}` is [smallest, largest], the smallest first")
        if not self._names:
            raise ValueError("give at least one of `brightness`, `contrast`, `saturation` and `hue`")
        return self

    @property
    def _names(self) -> list[str]:
        """The names of those that change something."""
        spans = {name: _span(getattr(self, name)) for name in ("brightness", "contrast", "saturation")}
        return [name for name, span in spans.items() if span != (1.0, 1.0)] + (["hue"] if self.hue else [])

    def infer(self, x: Tensor) -> Tensor:
        """Return the image's own type: values stop at the ends of its range."""
        require_colors(self, x)
        return x

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return five float32 copies, and one result more."""
        return add(times(20, x.elements), y.bytes, 4096)

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` with other colours, for each element by its own draws."""
        draw = call.uniform(8)
        return one_by_one(
            call,
            x,
            draw,
            lambda image, one: in_bytes(call, image, lambda work: self._changed(call.tf, work, one)),
        )

    def _changed(self, tf: Any, image: Any, draw: Any) -> Any:
        """Return one float32 image of 0..255 with all changes made."""
        steps = [self._step(tf, name, draw[number]) for number, name in enumerate(self._names)]
        if not self.random_order:
            for step in steps:
                image = step(image)
            return image
        order = tf.argsort(draw[4 : 4 + len(steps)])
        for place in range(len(steps)):
            branches: list[Any] = [partial(step, image) for step in steps]
            image = tf.ensure_shape(tf.switch_case(order[place], branches), image.shape)
        return image

    def _step(self, tf: Any, name: str, draw: Any) -> Step:
        low, high = (-self.hue, self.hue) if name == "hue" else _span(getattr(self, name))
        factor = draw * (high - low) + low
        changes: dict[str, Step] = {
            "brightness": lambda image: image * factor,
            "contrast": lambda image: tf.image.adjust_contrast(image, factor),
            "saturation": lambda image: tf.image.adjust_saturation(image, factor),
            "hue": lambda image: tf.image.adjust_hue(image, factor),
        }
        return lambda image: tf.clip_by_value(changes[name](image), 0.0, 255.0)


def _span(factors: float | tuple[float, float]) -> tuple[float, float]:
    """Return the smallest and the largest factor."""
    return factors if isinstance(factors, tuple) else (max(0.0, 1.0 - factors), 1.0 + factors)
