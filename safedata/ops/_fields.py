"""Field types and small rules that operations share."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, FiniteFloat, PositiveInt

from safedata.problem import Fault
from safedata.types import FLOATS, INTEGERS, Tensor

NUMBERS: Final = (*INTEGERS, *FLOATS)
"""The dtypes that can be calculated with; complex ones are left out."""


def _height_and_width(value: object) -> object:
    if isinstance(value, int) and value > 0 and not isinstance(value, bool):
        raise ValueError(f"a size is a height and a width, not `{value}`; write `[{value}, {value}]`")
    return value


ImageSize = Annotated[
    tuple[PositiveInt, PositiveInt], Field(strict=False), BeforeValidator(_height_and_width)
]
"""Height and width in pixels; a list in YAML."""
Interval = Annotated[tuple[FiniteFloat, FiniteFloat], Field(strict=False)]
"""The lower and the upper end of a range of values; a list in YAML."""
Numbers = Annotated[tuple[FiniteFloat, ...], Field(strict=False, min_length=1)]
"""One number for each channel, or a single one for all; a list in YAML."""
Sizes = Annotated[tuple[PositiveInt, ...], Field(strict=False)]
"""The size of every dimension; a list in YAML."""

NpyDtype = Literal[
    "bool",
    "uint8",
    "int8",
    "uint16",
    "int16",
    "int32",
    "int64",
    "float16",
    "float32",
    "float64",
    "complex64",
    "complex128",
]
"""The dtypes that `.npy` files and TensorFlow both know."""
RawDtype = Literal[NpyDtype, "bfloat16"]
"""What bytes are read as: all that a `.npy` file may have, and what NumPy does not know."""


def float_of(dtype: str) -> str:
    """Return the dtype that arithmetic on `dtype` ends in: floats stay, everything else is float32."""
    return dtype if dtype in FLOATS else "float32"


def axis_of(x: Tensor, axis: int, key: str) -> int:
    """Return `axis` counted from the first dimension of `x`.

    Raises:
        Fault: SD203, `x` has no such dimension.
    """
    if not -x.rank <= axis < x.rank:
        raise Fault("SD203", f"`{key}` works on dimension {axis}, and this component is {x}", help=_axes(x))
    return axis % x.rank


def _axes(x: Tensor) -> str:
    return f"write a number from {-x.rank} to {x.rank - 1}" if x.rank else "take it out: there is one value"


def compact(number: float) -> str:
    """Return a number as people write it, without a tail of digits: `25.5`, `0.1`."""
    return f"{number:.6g}"


def compact_list(numbers: tuple[float, ...]) -> str:
    """Return numbers as a YAML list: `[123.675, 116.28, 103.53]`."""
    return f"[{', '.join(compact(number) for number in numbers)}]"


def constant(tf: Any, value: float, dtype: str) -> Any:
    """Return a scalar of `dtype`; `tf.cast` of a Python number would round it to float32 on the way."""
    if dtype in FLOATS:
        return tf.constant(float(value), dtype)
    return tf.constant(bool(value) if dtype == "bool" else int(value), dtype)
