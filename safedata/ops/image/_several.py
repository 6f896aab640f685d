"""What operations share that apply several others to an image, drawn anew for each."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, cast

from pydantic import PrivateAttr
from typing_extensions import Self

from safedata.lowering import Call
from safedata.memory import MIB, add, times
from safedata.ops._drawing import Drawing
from safedata.ops.image._colors import (
    in_bytes,
    require_colors,
    to_dtype,
)
from safedata.ops.image._each import EachImage, one_by_one
from safedata.types import Tensor


class Several(EachImage, Drawing):
    """Draws operations for each image; a mask that is linked to it is moved with it, by nearest pixels."""

    moves: ClassVar[bool] = True

    _masked: bool = PrivateAttr(default=False)
    """Whether its component is a mask that is linked to an image."""

    def for_mask(self) -> Self:
        """Return the same operation, which only moves, by nearest pixels."""
        made = cast("Self", super().for_mask())
        made._masked = True
        return made

    @property
    @abstractmethod
    def draws(self) -> int:
        """How many numbers each image draws."""

    @abstractmethod
    def applied(self, call: Call, image: Any, draw: Any) -> Any:
        """Return a float32 image [height, width, channels] of 0..255, or of class numbers, with its draws applied.

        Where `_masked` is true only what moves pixels may be done.
        """

    def infer(self, x: Tensor) -> Tensor:
        """Return the image's own type."""
        self.require_image(x)
        if self._masked:
            self.require(x, "uint8", "int8", "uint16", "int16")  # class numbers that float32 holds
            return x
        require_colors(self, x)
        return x

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return seven float32 copies, five of them for the operation that takes most, and one result more.

        That is equalization; beside them are the image as floats and what the operation before has made of it.
        """
        return add(times(28, x.elements), y.bytes, 2 * MIB)

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` changed, for each element by its own draws."""
        tf = call.tf

        def changed(image: Any, own: Any) -> Any:
            if self._masked:
                return to_dtype(tf, self.applied(call, tf.cast(image, tf.float32), own), call.y.dtype)
            return in_bytes(call, image, lambda work: self.applied(call, work, own))

        return one_by_one(call, x, call.uniform(self.draws), changed)
