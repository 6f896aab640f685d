"""`random_erasing`: an image with a rectangle of one colour in it."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import FiniteFloat, model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.memory import add, times
from safedata.ops._fields import Numbers, compact
from safedata.ops._ranges import nominal
from safedata.ops.base import Op
from safedata.ops.image._each import PIXELS, Probability, Shares, chance, sizes
from safedata.ops.image._scaled import with_value
from safedata.problem import Fault
from safedata.types import Tensor


class RandomErasing(Op):
    """Fill a rectangle at a random place of an image [height, width, channels] with probability `p`.

    The squares of its height's and its width's shares of the image's are drawn evenly from `scale`, each by
    itself, as in `keras.layers.RandomErasing` (whose `factor` 1.0 is `p` 0.5). Each image of a batch gets its own
    draw. A filling outside of the value range is an error (SD205).
    """

    example: ClassVar[str] = "random_erasing"
    main: ClassVar[str | None] = "p"
    colors: ClassVar[bool] = True
    random: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = PIXELS

    p: Probability = 0.5
    """Probability of the rectangle, 0 to 1."""
    scale: Shares = (0.02, 0.33)
    """The smallest and the largest square of a side's share, 0 to 1."""
    fill_value: FiniteFloat | Numbers = 0.0
    """What fills it, in the units of the image: one number, or one for each channel."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.scale[0] > self.scale[1]:
            raise ValueError("`scale` is [smallest, largest], the smallest first")
        return self

    @property
    def _filling(self) -> tuple[float, ...]:
        return self.fill_value if isinstance(self.fill_value, tuple) else (self.fill_value,)

    def infer(self, x: Tensor) -> Tensor:
        """Return the image's type, the filling in its range."""
        self.require_image(x)
        self.require(x, *PIXELS, help="put `{cast: float32}` before it")
        if len(self._filling) > 1 and len(self._filling) != x.shape[2].static:
            raise Fault(
                "SD203",
                f"`fill_value` has numbers for {len(self._filling)} channels, not for {x}",
                help="write one number, or one for each channel",
            )
        units = nominal(x)
        for value in self._filling:
            if units is not None and not units.low <= value <= units.high and value != 0:
                problem = f"a `fill_value` of {compact(value)} is outside of {units}"
                raise Fault(
                    "SD205",
                    problem,
                    help=f"write a number from {compact(units.low)} to {compact(units.high)}",
                )
            x = with_value(x, value)
        return x

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of the masks of rows, columns and pixels."""
        height, width = x.shape[0].most, x.shape[1].most
        if height is None or width is None:
            return None
        return add(times(4, height * width), 16 * (height + width), 4096)

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` with its rectangle, for each element by its own draw."""
        tf = call.tf
        height, width = sizes(call, x)
        draw = call.uniform(5)
        rows = self._between(tf, draw[..., 0:1], draw[..., 1:2], height)
        columns = self._between(tf, draw[..., 2:3], draw[..., 3:4], width)
        inside = rows[..., tf.newaxis, tf.newaxis] & columns[..., tf.newaxis, :, tf.newaxis]
        erased = inside & chance(call, draw[..., 4], self.p)
        filling = tf.cast(tf.constant(self._filling, tf.float64), x.dtype)
        return tf.where(erased, filling, x)

    def _between(self, tf: Any, share: Any, place: Any, length: Any) -> Any:
        """Return which pixels along a side of this length lie in the rectangle, bool [batch..., length]."""
        whole = tf.cast(length, tf.float32)
        side = tf.sqrt(share * (self.scale[1] - self.scale[0]) + self.scale[0]) * whole
        start = place * (whole - side)
        pixels = tf.range(whole)
        return (pixels >= start) & (pixels < start + side)
