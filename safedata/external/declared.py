"""What a `call` says that its function returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from safedata.problem import Fault
from safedata.records import replace
from safedata.types import FLOATS, INTEGERS, Color, Dim, Tensor, ValueRange
from safedata.typetext import parse_type

_COLORS: Final[dict[int, Color]] = {1: "gray", 3: "rgb", 4: "rgba"}


class Result(BaseModel):
    """A component that a function returns, with what its type alone does not say."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)

    type: str
    """The type, as for the short form."""
    range: Annotated[tuple[FiniteFloat, FiniteFloat], Field(strict=False)] | None = None
    """The closed interval that all of its values lie in: `[0, 1]`."""
    kind: Literal["image", "mask", "boxes", "keypoints"] | None = None
    """What the values are, for operations that ask."""


def types(returns: Mapping[str, str | Result]) -> dict[str, Tensor]:
    """Return the type of each component that a function returns.

    What a function does is not known before it runs, so an exact dimension is a declared one too.

    Raises:
        Fault: SD105, a type or a component's name cannot be read; SD204, nothing bounds one; SD205, a range that
            the dtype does not have. The path starts with `returns`.
    """
    if not returns:
        raise Fault(
            "SD105",
            "`returns` names no component",
            ("returns",),
            help='write `{image: "uint8[224, 224, 3]"}`',
        )
    return {name: _tensor(name, one) for name, one in returns.items()}


def _tensor(name: str, written: str | Result) -> Tensor:
    at = ("returns", name)
    if not name or name[0] == "#":
        raise Fault("SD105", f"`{name}` is not a name for a component", at, help="start it with a letter")
    full = written if isinstance(written, Result) else Result(type=written)
    inner = at if isinstance(written, str) else (*at, "type")
    try:
        tensor = parse_type(full.type)
    except ValueError as error:
        raise Fault("SD105", str(error), inner) from None
    if tensor.bytes is None:
        way_out = (
            "write at most how many: `<=1000` in place of `?`; more than that is then refused at run time"
        )
        raise Fault("SD204", f"nothing bounds `{name}`, {tensor}", inner, help=way_out)
    shape = tuple(replace(dim, evidence="declared") for dim in tensor.shape)
    length = replace(tensor.length, evidence="declared")
    made = replace(tensor, shape=shape, length=length, range=_range(full, tensor, at), kind=full.kind)
    return replace(made, color=_color(made)) if full.kind == "image" else made


def _range(full: Result, tensor: Tensor, at: tuple[str, str]) -> ValueRange | None:
    if full.range is None:
        return None
    low, high = full.range
    if tensor.dtype not in (*FLOATS, *INTEGERS):
        raise Fault("SD205", f"`range` is for numbers, not {tensor.dtype}", (*at, "range"), help="remove it")
    if low > high:
        way_out = f"write `[{high:g}, {low:g}]`"
        raise Fault("SD205", f"a range starts with its lower end, not {low:g}", (*at, "range"), help=way_out)
    return ValueRange(low, high)


def _color(tensor: Tensor) -> Color | None:
    last = tensor.shape[-1] if tensor.shape else Dim(None)
    return _COLORS.get(last.static or 0)
