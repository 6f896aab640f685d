"""`solarize`: the negative of an image's bright parts."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import FiniteFloat

from safedata.lowering import Call
from safedata.memory import times
from safedata.ops._fields import compact
from safedata.ops._ranges import width
from safedata.ops.base import Op
from safedata.ops.image._colors import require_pixels, units_of
from safedata.ops.image._each import PIXELS
from safedata.problem import Fault
from safedata.types import Tensor


class Solarize(Op):
    """Turn the values from `threshold` up into their negative, after `addition` was added.

    Both are in the units of the value range: 128 on 0..255 and 0.5 on 0..1 are about the same. Sums stop at the ends
    of the range first. The same as `keras.layers.Solarization` once it has drawn its threshold and addition. A
    threshold outside of the range does nothing, or all, and is an error (SD205); so is an unknown range.
    """

    example: ClassVar[str] = "{solarize: 0.5}"
    main: ClassVar[str | None] = "threshold"
    colors: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = PIXELS

    threshold: FiniteFloat
    """The smallest value that is inverted."""
    addition: FiniteFloat = 0.0
    """What is added before."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the image's own type."""
        require_pixels(self, x)
        units = units_of(x, self.key())
        share = (self.threshold - units.low) / width(units)
        if not 0 <= share <= 1 or (width(units) == 255 and 0 < self.threshold < 1):
            problem = f"a threshold of {compact(self.threshold)} does not fit values of {units}"
            other = self.threshold / 255 if self.threshold > 1 else self.threshold * 255
            way_out = f"write `{{solarize: {compact(other)}}}`, which is what it is on {units}"
            raise Fault("SD205", problem, help=way_out if units.low <= other <= units.high else None)
        return x

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return three copies of the values in float32, or in float64 where these are."""
        return times(24 if x.dtype == "float64" else 12, x.elements)

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` solarized."""
        tf = call.tf
        units = units_of(call.x, self.key())
        work = tf.cast(x, tf.float32) if x.dtype == tf.uint8 else x
        work = tf.clip_by_value(work + self.addition, units.low, units.high) if self.addition else work
        made = tf.where(work < self.threshold, work, units.low + units.high - work)
        return tf.saturate_cast(made, x.dtype)
