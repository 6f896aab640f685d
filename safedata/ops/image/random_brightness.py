"""`random_brightness`: the same random number added to every value of an image."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar

from pydantic import Field

from safedata.lowering import Call
from safedata.memory import times
from safedata.ops._drawing import Drawing
from safedata.ops._fields import compact
from safedata.ops._ranges import nominal, widened, width
from safedata.problem import Fault
from safedata.types import FLOATS, UINT8_RANGE, Tensor


class RandomBrightness(Drawing):
    """Add one number, drawn evenly from -`delta` to `delta`, to all values of an image.

    `delta` is in the units of the value range: 0.1 on 0..1 and 25.5 on 0..255 are the same. Floats are not
    clipped, as in `tf.image.random_brightness`, so their range grows by `delta` on both sides; uint8 goes
    through float32 and stops at 0 and 255. Each image of a batch gets its own number. A `delta` under 1 %
    of the range does nothing that can be seen, and one over the whole range leaves nothing: both are
    errors (SD205), most often units mixed up.
    """

    example: ClassVar[str] = "{random_brightness: 20}"
    main: ClassVar[str | None] = "delta"
    colors: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = ("uint8", *FLOATS)

    delta: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    """The most that is added or taken away, in the units of the value range."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the image's type, its range widened unless it is uint8."""
        self.require_image(x)
        self.require(x, "uint8", *FLOATS, help="put `{cast: float32}` before it")
        units = nominal(x)
        if units is None or not width(units):
            return x
        share = self.delta / width(units)
        if not 0.01 <= share <= 1:
            what = "can hardly be seen" if share < 1 else "leaves nothing of the image"
            problem = f"a brightness of {compact(self.delta)} {what} on values of {units}"
            raise Fault("SD205", problem, help=self._way_out(width(units)))
        if x.dtype == "uint8":
            return replace(x, range=UINT8_RANGE)
        return replace(x, range=widened(x.range or units, self.delta))

    def _way_out(self, span: float) -> str:
        """Return the number that was meant, had it been counted in the other usual range."""
        for other in (1.0, 255.0):
            meant = self.delta * span / other
            if 0.01 <= meant / span <= 1:
                written = f"`random_brightness: {compact(meant)}`"
                return f"write {written}, which is what {compact(self.delta)} is on 0..{other:g}"
        return f"write a number from {compact(0.01 * span)} to {compact(span)}"

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return a float32 copy for each value, and half of one more where it is converted there and back.

        Measured for an element: nothing for float32 and float16, 4 bytes a value for uint8 and float64. For batches in
        TensorFlow's pool, which gives out pieces of less than twice the size whole: 4.0 to 7.5 for uint8.
        """
        return times(4 if x.dtype in ("float16", "float32") else 6, x.elements)

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` brighter or darker, for each element by its own draw."""
        delta = call.draw(-self.delta, self.delta)
        if x.dtype == call.tf.uint8:
            delta = delta / 255.0  # the function below counts bytes in units of 0..1
        return call.tf.image.adjust_brightness(x, call.per_element(delta))
