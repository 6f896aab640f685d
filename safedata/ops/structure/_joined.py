"""What operations share that make one component of several."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from safedata.insist import Check, insist
from safedata.lowering import Call
from safedata.memory import add
from safedata.ops._walk import listed
from safedata.problem import Fault
from safedata.types import UNBOUNDED, Dim, Tensor, ValueRange


def require_alike(xs: tuple[Tensor, ...], key: str, free: int | None = None) -> None:
    """Raise unless all have one dtype (SD202), one rank and dimensions that can be equal (SD203).

    Args:
        xs: the types of the components.
        key: the operation.
        free: a dimension in which they may differ.
    """
    first = xs[0]
    for x in xs[1:]:
        if x.dtype != first.dtype:
            way_out = (
                f"put `{{cast: {_wider(first, x)}}}` before it"
                if "string" not in (x.dtype, first.dtype)
                else None
            )
            raise Fault("SD202", f"`{key}` joins components of one dtype, not {first} and {x}", help=way_out)
        if x.rank != first.rank:
            way_out = "put `expand_dims` or `reshape` before it, in a group of its own"
            raise Fault("SD203", f"`{key}` joins components of one rank, not {first} and {x}", help=way_out)
        for number, (one, other) in enumerate(zip(first.shape, x.shape, strict=True)):
            if number != free and (_over(one.static, other.most) or _over(other.static, one.most)):
                along = "" if free is None else f" along dimension {free}"
                problem = f"`{key}` cannot join {first} and {x}{along}: dimension {number} differs"
                raise Fault("SD203", problem, help="bring both to one size first: `pad_to` or `resize` does")


def _wider(one: Tensor, other: Tensor) -> str:
    return other.dtype if other.dtype.startswith(("float", "bfloat")) else one.dtype


def _over(exact: int | None, most: int | None) -> bool:
    return exact is not None and most is not None and exact > most


def common(xs: tuple[Tensor, ...], number: int) -> Dim:
    """Return a dimension that is equal in all: exact where it is in one, else the smallest bound."""
    dims = [x.shape[number] for x in xs]
    exact = next((dim for dim in dims if dim.exact), None)
    bounded = [dim for dim in dims if dim.most is not None]
    return exact or min(bounded, key=lambda dim: dim.most or 0, default=UNBOUNDED)


def united(xs: tuple[Tensor, ...], shape: Iterable[Dim]) -> Tensor:
    """Return the type of this shape whose values are those of all components."""
    found: ValueRange | None = xs[0].range
    length = xs[0].length
    for x in xs[1:]:
        found = found.join(x.range) if found is not None and x.range is not None else None
        length = length.join(x.length)
    if xs[0].dtype != "string":
        return Tensor(xs[0].dtype, tuple(shape), range=found)
    return Tensor("string", tuple(shape), length, found).of_one(add(*(x.text for x in xs)))


def alike(
    values: tuple[Any, ...], call: Call, xs: tuple[Tensor, ...], key: str, free: int | None = None
) -> list[Any]:
    """Return the values once their shapes are found to be equal, but for the dimension `free`."""
    checked = [number for number in range(xs[0].rank) if number != free]
    if all(x.shape[number].exact for x in xs for number in checked) or len(xs) < 2:
        return list(values)
    tf = call.tf
    shapes = [tf.shape(value)[call.batch_dims :] for value in values]
    kept = tf.gather(tf.stack(shapes), checked, axis=1)
    check = Check(
        tf.reduce_all(kept == kept[:1]),
        f"SD203: {key} joins components of one shape; got",
        listed(tf, shapes),
    )
    return [insist(tf, values[0], [check], call.where), *values[1:]]
