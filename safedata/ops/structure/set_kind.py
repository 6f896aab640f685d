"""`set_kind`: says what a component is, where its source cannot."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from safedata.lowering import Call
from safedata.ops.base import Op
from safedata.problem import Fault
from safedata.records import replace
from safedata.types import DTYPE_BYTES, INTEGERS, Color, Tensor


class SetKind(Op):
    """Say that a component [height, width, channels] is an image or a mask; nothing is done to it.

    A mask has a class number in each pixel: whole numbers, or truth values. Linked to an image, `image, mask: [...]`,
    it is moved along by nearest pixels and otherwise left alone. A PNG file of a mask is decoded with
    `{decode_image: {channels: 1, kind: mask}}`, which makes one at once.
    """

    example: ClassVar[str] = "{set_kind: mask}"
    main: ClassVar[str | None] = "kind"
    forwards: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = tuple(DTYPE_BYTES)

    kind: Literal["image", "mask"]
    """What it is."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the type with its kind."""
        self.require_image(x)
        if self.kind == "mask" and x.dtype not in (*INTEGERS, "bool"):
            problem = f"a mask has class numbers, and this component is {x}"
            raise Fault("SD202", problem, help="put `{cast: uint8}` before it")
        colors: dict[int | None, Color] = {1: "gray", 3: "rgb", 4: "rgba"}
        color = (x.color or colors.get(x.shape[2].static)) if self.kind == "image" else None
        return replace(x, kind=self.kind, color=color)

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` as it is."""
        return x
