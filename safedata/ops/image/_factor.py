"""What operations share that change an image's colours by a factor which is drawn for each."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.memory import add, times
from safedata.ops._drawing import Drawing
from safedata.ops.image._each import EachImage, one_by_one
from safedata.types import FLOATS, Tensor

_Factor = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class ByFactor(EachImage, Drawing):
    """Draws a factor for each image."""

    colors: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = FLOATS

    lower_: _Factor = Field(alias="lower")
    """The smallest factor."""
    upper: _Factor
    """The largest factor."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.lower_ > self.upper:
            raise ValueError(f"`lower` {self.lower_:g} is above `upper` {self.upper:g}")
        return self

    @abstractmethod
    def adjusted(self, tf: Any, image: Any, factor: Any) -> Any:
        """Return an image [height, width, channels], not float16 or bfloat16, changed by a factor."""

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return a float32 copy for each value, three and one result more where it is converted.

        Measured for an element of float32: nothing beside the result.
        """
        return times(4, x.elements) if x.dtype == "float32" else add(times(12, x.elements), y.bytes)

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` changed, for each element by its own draw."""
        tf = call.tf

        def adjust(image: Any, draw: Any) -> Any:
            return whole_floats(tf, image, lambda one: self.adjusted(tf, one, draw[0]))

        return one_by_one(call, x, call.uniform(1, self.lower_, self.upper), adjust)


def whole_floats(tf: Any, image: Any, apply: Callable[[Any], Any]) -> Any:
    """Return what `apply` makes of an image, of half floats by way of float32: kernels for the CPU take no others."""
    if image.dtype not in (tf.float16, tf.bfloat16):
        return apply(image)
    return tf.cast(apply(tf.cast(image, tf.float32)), image.dtype)
