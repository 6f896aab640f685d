"""`auto_augment`: two operations on an image, by a policy that was learned on a data set."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Final, Literal, NamedTuple

from pydantic import FiniteFloat

from safedata.fields import Int
from safedata.lowering import Call
from safedata.ops._ranges import nominal, width
from safedata.ops.image._affine import Interpolation, about_middle, transformed
from safedata.ops.image._augment import smoothed
from safedata.ops.image._colors import gray
from safedata.ops.image._scaled import with_value
from safedata.ops.image._several import Several
from safedata.ops.image.auto_contrast import stretched
from safedata.ops.image.equalization import equalized
from safedata.types import Tensor

_LEVELS: Final = 9
"""The greatest level of a policy; level 0 is the least strength."""

_POLICIES: Final = {
    "imagenet": """
        posterize 0.4 8, rotate 0.6 9;       solarize 0.6 5, auto_contrast 0.6 0; equalize 0.8 0, equalize 0.6 0
        posterize 0.6 7, posterize 0.6 6;    equalize 0.4 0, solarize 0.2 4;      equalize 0.4 0, rotate 0.8 8
        solarize 0.6 3, equalize 0.6 0;      posterize 0.8 5, equalize 1.0 0;     rotate 0.2 3, solarize 0.6 8
        equalize 0.6 0, posterize 0.4 6;     rotate 0.8 8, color 0.4 0;           rotate 0.4 9, equalize 0.6 0
        equalize 0.0 0, equalize 0.8 0;      invert 0.6 0, equalize 1.0 0;        color 0.6 4, contrast 1.0 8
        rotate 0.8 8, color 1.0 2;           color 0.8 8, solarize 0.8 7;         sharpness 0.4 7, invert 0.6 0
        shear_x 0.6 5, equalize 1.0 0;       color 0.4 0, equalize 0.6 0;         equalize 0.4 0, solarize 0.2 4
        solarize 0.6 5, auto_contrast 0.6 0; invert 0.6 0, equalize 1.0 0;        color 0.6 4, contrast 1.0 8
        equalize 0.8 0, equalize 0.6 0
    """,
    "cifar10": """
        invert 0.1 0, contrast 0.2 6;        rotate 0.7 2, translate_x 0.3 9;     sharpness 0.8 1, sharpness 0.9 3
        shear_y 0.5 8, translate_y 0.7 9;    auto_contrast 0.5 0, equalize 0.9 0; shear_y 0.2 7, posterize 0.3 7
        color 0.4 3, brightness 0.6 7;       sharpness 0.3 9, brightness 0.7 9;   equalize 0.6 0, equalize 0.5 0
        contrast 0.6 7, sharpness 0.6 5;     color 0.7 7, translate_x 0.5 8;      equalize 0.3 0, auto_contrast 0.4 0
        translate_y 0.4 3, sharpness 0.2 6;  brightness 0.9 6, color 0.2 8;       solarize 0.5 2, invert 0.0 0
        equalize 0.2 0, auto_contrast 0.6 0; equalize 0.2 0, equalize 0.6 0;      color 0.9 9, equalize 0.6 0
        auto_contrast 0.8 0, solarize 0.2 8; brightness 0.1 3, color 0.7 0;       solarize 0.4 5, auto_contrast 0.9 0
        translate_y 0.9 9, translate_y 0.7 9; auto_contrast 0.9 0, solarize 0.8 3; equalize 0.8 0, invert 0.1 0
        translate_y 0.7 9, auto_contrast 0.9 0
    """,
    "svhn": """
        shear_x 0.9 4, invert 0.2 0;         shear_y 0.9 8, invert 0.7 0;         equalize 0.6 0, solarize 0.6 6
        invert 0.9 0, equalize 0.6 0;        equalize 0.6 0, rotate 0.9 3;        shear_x 0.9 4, auto_contrast 0.8 0
        shear_y 0.9 8, invert 0.4 0;         shear_y 0.9 5, solarize 0.2 6;       invert 0.9 0, auto_contrast 0.8 0
        equalize 0.6 0, rotate 0.9 3;        shear_x 0.9 4, solarize 0.3 3;       shear_y 0.8 8, invert 0.7 0
        equalize 0.9 0, translate_y 0.6 6;   invert 0.9 0, equalize 0.6 0;        contrast 0.3 3, rotate 0.8 4
        invert 0.8 0, translate_y 0.0 2;     shear_y 0.7 6, solarize 0.4 8;       invert 0.6 0, rotate 0.8 4
        shear_y 0.3 7, translate_x 0.9 3;    shear_x 0.1 6, invert 0.6 0;         solarize 0.7 2, translate_y 0.6 7
        shear_y 0.8 4, invert 0.8 0;         shear_x 0.7 9, translate_y 0.8 3;    shear_y 0.8 5, auto_contrast 0.7 0
        shear_x 0.7 2, invert 0.1 0
    """,
}
"""Pairs of operations, each with its probability and its level: the tables of Cubuk et al., "AutoAugment", 2018."""


class Step(NamedTuple):
    """One operation of a pair."""

    name: str
    probability: float
    level: int


class Canvas(NamedTuple):
    """What operations that move pixels have in common."""

    tf: Any
    interpolation: str
    fill: float

    def moved(self, image: Any, rows: tuple[Any, ...]) -> Any:
        """Return an image whose pixel (x, y) is that at (a x + b y + c, d x + e y + f), for rows (a, ..., f)."""
        tf = self.tf
        entries = tf.stack([*(tf.cast(one, tf.float32) for one in rows), tf.zeros([]), tf.zeros([])])
        made = transformed(
            tf, image[tf.newaxis], entries[tf.newaxis], self.interpolation, "constant", self.fill
        )
        return made[0]


Apply = Callable[[Canvas, Any, Any], Any]
"""Makes the changed image, float32 of 0..255, from the canvas, the image and the strength, a float32 scalar."""


class Kind(NamedTuple):
    """An operation that policies name."""

    apply: Apply
    strength: Callable[[float], float] = float
    """Its strength for a level, given as its share of the greatest one."""
    signed: bool = False
    """Whether the strength is as often negative."""
    moves: bool = False
    """Whether it moves pixels."""


def _shear(canvas: Canvas, image: Any, by: Any, *, down: bool) -> Any:
    # Places are those of the middles of pixels, so the image's corner stays, not the middle of its first pixel.
    rows = (1.0, 0.0, 0.0, by, 1.0, by / 2) if down else (1.0, by, by / 2, 0.0, 1.0, 0.0)
    return canvas.moved(image, rows)


def _translate(canvas: Canvas, image: Any, by: Any, *, down: bool) -> Any:
    tf = canvas.tf
    side = tf.cast(tf.shape(image)[0 if down else 1], tf.float32)
    pixels = tf.sign(by) * tf.floor(tf.abs(by) * side)
    return canvas.moved(
        image, (1.0, 0.0, 0.0, 0.0, 1.0, -pixels) if down else (1.0, 0.0, -pixels, 0.0, 1.0, 0.0)
    )


def _rotate(canvas: Canvas, image: Any, by: Any) -> Any:
    tf = canvas.tf
    height, wide = (tf.cast(side, tf.float32) for side in tf.unstack(tf.shape(image)[:2]))
    cosine, sine = tf.cos(by), tf.sin(by)
    return canvas.moved(image, about_middle(cosine, -sine, sine, cosine, height, wide))


def _away(canvas: Canvas, image: Any, origin: Any, by: Any) -> Any:
    """Return the image as far from `origin` as 1 + `by` says: 1 where it was, 0 at `origin`."""
    return canvas.tf.clip_by_value(origin + (image - origin) * (1.0 + by), 0.0, 255.0)


def _contrast(canvas: Canvas, image: Any, by: Any) -> Any:
    mean = canvas.tf.reduce_mean(gray(canvas.tf, image), keepdims=True)
    return _away(canvas, image, mean, by)


def _sharpness(canvas: Canvas, image: Any, by: Any) -> Any:
    tf = canvas.tf
    rows, columns = (
        (tf.range(side) > 0) & (tf.range(side) < side - 1) for side in tf.unstack(tf.shape(image)[:2])
    )
    inside = (
        rows[:, tf.newaxis, tf.newaxis] & columns[tf.newaxis, :, tf.newaxis]
    )  # the border is not smoothed
    return _away(canvas, image, tf.where(inside, smoothed(tf, image), image), by)


def _posterize(canvas: Canvas, image: Any, step: Any) -> Any:
    tf = canvas.tf
    return tf.floor(tf.floor(tf.clip_by_value(image, 0.0, 255.0)) / step) * step


def _brightness(canvas: Canvas, image: Any, by: Any) -> Any:
    return _away(canvas, image, 0.0, by)


def _color(canvas: Canvas, image: Any, by: Any) -> Any:
    return _away(canvas, image, gray(canvas.tf, image), by)


def _solarize(canvas: Canvas, image: Any, least: Any) -> Any:
    return canvas.tf.where(image < least, image, 255.0 - image)


def _auto_contrast(canvas: Canvas, image: Any, _: Any) -> Any:
    return stretched(canvas.tf, image)


def _equalize(canvas: Canvas, image: Any, _: Any) -> Any:
    return equalized(canvas.tf, image[canvas.tf.newaxis])[0]


def _invert(canvas: Canvas, image: Any, _: Any) -> Any:
    return 255.0 - image


def _up_to(most: float, share: float) -> float:
    return most * share


def _kept_step(share: float) -> float:
    """Return the step between values that keep 8 bits for the least level, and 4 for the greatest."""
    return 2.0 ** round(4 * share)


def _threshold(share: float) -> float:
    return 255 * (1 - share)


_SHEAR: Final = partial(_up_to, 0.3)
_MOVED: Final = partial(_up_to, 150 / 331)
"""As a share of a side: 150 pixels of the 331 that policies were learned with."""
_TURNED: Final = partial(_up_to, math.radians(30))
_COLORED: Final = partial(_up_to, 0.9)

KINDS: Final[dict[str, Kind]] = {
    "shear_x": Kind(partial(_shear, down=False), _SHEAR, signed=True, moves=True),
    "shear_y": Kind(partial(_shear, down=True), _SHEAR, signed=True, moves=True),
    "translate_x": Kind(partial(_translate, down=False), _MOVED, signed=True, moves=True),
    "translate_y": Kind(partial(_translate, down=True), _MOVED, signed=True, moves=True),
    "rotate": Kind(_rotate, _TURNED, signed=True, moves=True),
    "brightness": Kind(_brightness, _COLORED, signed=True),
    "color": Kind(_color, _COLORED, signed=True),
    "contrast": Kind(_contrast, _COLORED, signed=True),
    "sharpness": Kind(_sharpness, _COLORED, signed=True),
    "posterize": Kind(_posterize, _kept_step),
    "solarize": Kind(_solarize, _threshold),
    "auto_contrast": Kind(_auto_contrast),
    "equalize": Kind(_equalize),
    "invert": Kind(_invert),
}
"""The operations of the policies, with the strengths of their levels."""


def pairs(policy: str) -> list[tuple[Step, ...]]:
    """Return the pairs of a policy, in its published order."""
    written = _POLICIES[policy].replace("\n", ";").split(";")
    return [tuple(_step(*one.split()) for one in pair.split(",")) for pair in written if pair.strip()]


def _step(name: str, probability: str, level: str) -> Step:
    return Step(name, float(probability), int(level))


def _unmoved(tf: Any, image: Any, _: Any) -> Any:
    return tf.identity(image)


class AutoAugment(Several):
    """Apply one pair of operations to an image [height, width, 3], drawn from the 25 of a learned policy.

    Each of the two is applied with its own probability. Operations, pairs and strengths are those of "AutoAugment"
    (Cubuk et al., 2018) as in torchvision's `AutoAugment`: shears, translations, rotation, brightness, colour,
    contrast, sharpness, posterization, solarization, auto contrast, equalization, inversion; strengths with a sign have
    either as often. Equalization and auto contrast are those of `keras.layers`. Each image of a batch gets its own
    draws. uint8 is rounded once, at the end. The value range must be known (SD205). A mask that is linked to the image
    is sheared, moved and turned with it.
    """

    example: ClassVar[str] = "auto_augment"
    main: ClassVar[str | None] = "policy"

    policy: Literal["imagenet", "cifar10", "svhn"] = "imagenet"
    """The data set that the policy was learned on."""
    interpolation: Interpolation = "nearest"
    """How values between pixels are found where they move."""
    fill_value: FiniteFloat = 0.0
    """What moves in from outside, in the units of the image."""
    mask_value: Int = 0
    """The same for a mask that is linked to the image: a class number."""

    @property
    def draws(self) -> int:
        """One for the pair, and two for each of its operations: whether it is applied, and its sign."""
        return 5

    def infer(self, x: Tensor) -> Tensor:
        """Return the image's own type, the filling in its range."""
        return with_value(super().infer(x), self.fill_value)

    def applied(self, call: Call, image: Any, draw: Any) -> Any:
        """Return a float32 image with one of the pairs applied."""
        tf, every = call.tf, pairs(self.policy)
        names = sorted({step.name for pair in every for step in pair})
        branches = [self._branch(KINDS[name], call) for name in names]
        pair = tf.cast(draw[0] * len(every), tf.int32)
        for place in range(2):
            steps = [one[place] for one in every]
            strengths = [KINDS[step.name].strength(step.level / _LEVELS) for step in steps]
            signs = [-1.0 if KINDS[step.name].signed else 1.0 for step in steps]
            drawn, sign = draw[1 + 2 * place], draw[2 + 2 * place]
            taken = drawn < tf.gather(tf.constant([step.probability for step in steps]), pair)
            which = tf.gather(tf.constant([names.index(step.name) for step in steps]), pair)
            strength = tf.gather(tf.constant(strengths), pair)
            strength *= tf.where(sign < 0.5, tf.gather(tf.constant(signs), pair), 1.0)
            ways: list[Any] = [partial(one, image, strength) for one in branches]
            ways.append(partial(tf.identity, image))
            made = tf.switch_case(tf.where(taken, which, len(branches)), ways)
            image = tf.ensure_shape(made, image.shape)
        return image

    def _branch(self, kind: Kind, call: Call) -> Callable[[Any, Any], Any]:
        tf = call.tf
        if self._masked and not kind.moves:
            return partial(_unmoved, tf)
        return partial(kind.apply, Canvas(tf, self.interpolation, self._filling(call.x)))

    def _filling(self, x: Tensor) -> float:
        """Return the filling as it is among values of 0..255, or among the classes of a mask."""
        units = nominal(x)
        if self._masked or units is None or not width(units):
            return self.fill_value
        return (self.fill_value - units.low) * 255.0 / width(units)
