"""`random_erasing`: an image with rectangles of one colour in it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final

from pydantic import Field, FiniteFloat, model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.memory import add, times
from safedata.ops._drawing import Drawing
from safedata.ops._fields import ImageSize, Numbers, compact
from safedata.ops._ranges import nominal
from safedata.ops.image._colors import require_pixels
from safedata.ops.image._each import PIXELS, Probability, Shares, chance, sizes
from safedata.ops.image._image import require_size
from safedata.ops.image._scaled import with_value
from safedata.problem import Fault
from safedata.types import Tensor

_SCALE: Final = (0.02, 0.33)


class RandomErasing(Drawing):
    """Fill a rectangle at a random place of an image [height, width, channels] with probability `p`.

    The squares of its height's and its width's shares of the image's are drawn evenly from `scale`, each by
    itself, as in `keras.layers.RandomErasing` (whose `factor` 1.0 is `p` 0.5). With `size` it has exactly that many
    pixels (DeVries and Taylor, "Cutout", 2017), all of them inside the image; one that is smaller loses its whole
    side. `count` rectangles are filled together or not at all, each at its own place; they may overlap. Each
    image of a batch gets its own draws. A filling outside of the value range is an error (SD205).
    """

    example: ClassVar[str] = "random_erasing"
    main: ClassVar[str | None] = "p"
    colors: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = PIXELS

    p: Probability = 0.5
    """Probability of the rectangle, 0 to 1."""
    scale: Shares = _SCALE
    """The smallest and the largest square of a side's share, 0 to 1."""
    size: ImageSize | None = None
    """Height and width of the rectangle in pixels, in place of `scale`."""
    count: Annotated[int, Field(ge=1, le=64)] = 1
    """How many rectangles."""
    fill_value: FiniteFloat | Numbers = 0.0
    """What fills it, in the units of the image: one number, or one for each channel."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.scale[0] > self.scale[1]:
            raise ValueError("`scale` is [smallest, largest], the smallest first")
        if self.size is not None and self.scale != _SCALE:
            raise ValueError("give one of `scale` and `size`")
        return self

    @property
    def _filling(self) -> tuple[float, ...]:
        return self.fill_value if isinstance(self.fill_value, tuple) else (self.fill_value,)

    def infer(self, x: Tensor) -> Tensor:
        """Return the image's type, the filling in its range."""
        require_pixels(self, x)
        if len(self._filling) > 1 and len(self._filling) != x.shape[2].static:
            raise Fault(
                "SD203",
                f"`fill_value` has numbers for {len(self._filling)} channels, not for {x}",
                help="write one number, or one for each channel",
            )
        if self.size is not None:
            require_size(x, self.size, self.key())
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
        """Return the bytes of the masks of rows, columns and pixels: of each rectangle, and of all together."""
        height, width = x.shape[0].most, x.shape[1].most
        if height is None or width is None:
            return None
        pixels = 4 + 2 * (self.count - 1)
        return add(times(pixels, height * width), 16 * self.count * (height + width), 4096)

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` with its rectangles, for each element by its own draws."""
        tf = call.tf
        height, width = sizes(call, x)
        draw = call.uniform(4 * self.count + 1)
        # The draw for whether to erase is the fifth: the first rectangle is one alone, however many follow.
        inside = self._inside(tf, draw, 0, height, width)
        for at in range(5, 4 * self.count + 1, 4):
            inside |= self._inside(tf, draw, at, height, width)
        erased = inside & chance(call, draw[..., 4], self.p)
        filling = tf.cast(tf.constant(self._filling, tf.float64), x.dtype)
        return tf.where(erased, filling, x)

    def _inside(self, tf: Any, draw: Any, at: int, height: Any, width: Any) -> Any:
        """Return which pixels lie in the rectangle of the four draws from `at` on, bool [batch..., H, W, 1]."""
        tall, wide = self.size or (None, None)
        rows = self._between(tf, draw[..., at : at + 1], draw[..., at + 1 : at + 2], height, tall)
        columns = self._between(tf, draw[..., at + 2 : at + 3], draw[..., at + 3 : at + 4], width, wide)
        return rows[..., tf.newaxis, tf.newaxis] & columns[..., tf.newaxis, :, tf.newaxis]

    def _between(self, tf: Any, share: Any, place: Any, length: Any, pixels: int | None) -> Any:
        """Return which pixels along a side of this length lie in the rectangle, bool [batch..., length]."""
        whole = tf.cast(length, tf.float32)
        if pixels is None:
            side = tf.sqrt(share * (self.scale[1] - self.scale[0]) + self.scale[0]) * whole
            start = place * (whole - side)
        else:
            side = tf.minimum(tf.constant(pixels, tf.float32), whole)
            start = tf.floor(place * (whole - side + 1.0))  # whole pixels, so that rounding moves no edge
        along = tf.range(whole)
        return (along >= start) & (along < start + side)
