"""`mixup`: each element of a batch blended with another one."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from safedata.lowering import Call
from safedata.memory import add
from safedata.ops._drawing import Drawing
from safedata.ops.base import Joint
from safedata.ops.batch._mixing import (
    Pairing,
    beta,
    blend_bytes,
    blended,
    drawn,
    flattened,
    mixed_type,
    partners,
    require_several,
)
from safedata.types import Tensor


class Mixup(Joint, Drawing):
    """Blend each image of a batch, and its one-hot label alike, with another one: `image, label: [{mixup: 0.2}]`.

    The weight of an element's own image is drawn from Beta(alpha, alpha), for each element, as in `keras.layers.MixUp`
    (Zhang et al., "mixup", 2017). Its partner is another place of the batch: a permutation drawn anew, or with
    `pairing: reverse` the batch from its end. Whole numbers of images become float32, the range stays. It stands behind
    `batch`; labels have to be one-hot (SD202).
    """

    example: ClassVar[str] = "{mixup: 0.2}"
    main: ClassVar[str | None] = "alpha"
    elements: ClassVar[bool] = False
    gpu_dtypes: ClassVar[tuple[str, ...]] = ("uint8", "float16", "float32", "float64")

    alpha: Annotated[float, Field(gt=0, le=100)] = 0.2
    """How much is mixed: towards 0 an element stays nearly as it is, 1 draws the weight evenly."""
    pairing: Pairing = "shuffle"
    """Which element is mixed in: `shuffle` draws them, `reverse` takes the batch from its end."""

    def infer_all(self, xs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the types, floats."""
        require_several(xs, self.key())
        return tuple(mixed_type(x, self.key()) for x in xs)

    def workspace_all(self, xs: tuple[Tensor, ...], ys: tuple[Tensor, ...]) -> int | None:
        """Return the bytes of each component's partners, as they are and as floats."""
        return add(*(blend_bytes(x, y) for x, y in zip(xs, ys, strict=True)), 1024)

    def lower_all(self, values: tuple[Any, ...], call: Call, xs: tuple[Tensor, ...]) -> tuple[Any, ...]:
        """Return every component blended, by the same weights and partners."""
        tf = call.tf
        draw = drawn(call)
        weight, partner = beta(tf, draw[:, 0], self.alpha), partners(tf, draw, self.pairing)

        def blend(x: Tensor, value: Any) -> Any:
            dtype = mixed_type(x, self.key()).dtype
            return flattened(call, x, value, lambda flat: blended(tf, flat, weight, partner, dtype))

        return tuple(blend(x, value) for x, value in zip(xs, values, strict=True))
