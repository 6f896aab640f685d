"""Functions that join values, or pick some of them."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import Final

from safedata.expr import promote, shapes
from safedata.expr.functions.base import (
    Arguments,
    Dtypes,
    Function,
    Parameter,
    X,
    joined,
    no_dtype,
    places_of,
    unlike,
)
from safedata.expr.functions.site import LowerRule, Site, Value
from safedata.expr.ranges import Interval
from safedata.expr.shapes import ShapeError
from safedata.expr.tree import Static
from safedata.memory import add, times
from safedata.types import DTYPE_BYTES, INTEGERS, Dim, Tensor, ValueRange


def _join_dtype(arguments: Arguments) -> Dtypes:
    dtype = promote.join(arguments.operands)
    if dtype is None:
        raise no_dtype(arguments, "values of one kind")
    return (dtype,) * len(arguments.types), dtype


def _join_range(arguments: Arguments, _dtype: str) -> Interval:
    known = arguments.intervals
    return reduce(ValueRange.join, known) if known else None


def _join_length(arguments: Arguments) -> Dim:
    return reduce(Dim.join, (tensor.length for tensor in arguments.types))


def _agree(arguments: Arguments, axis: int | None) -> list[Dim]:
    """Return the dimensions that all arguments share; those of `axis` may differ."""
    first = arguments.types[0]
    dims = list(first.shape)
    for index, tensor in enumerate(arguments.types[1:], start=1):
        found = _agree_two(dims, tensor, axis)
        if isinstance(found, str):
            message = f"`{arguments.function}` cannot join `{first}` and `{tensor}`: {found}"
            raise arguments.fault("SD203", message, index)
        dims = found
    return dims


def _agree_two(dims: list[Dim], tensor: Tensor, axis: int | None) -> list[Dim] | str:
    """Return the dimensions of both, or what keeps them apart."""
    if tensor.rank != len(dims):
        return f"{len(dims)} and {tensor.rank} dimensions"
    pairs = enumerate(zip(dims, tensor.shape, strict=True))
    try:
        return [one if at == axis else shapes.same(one, two) for at, (one, two) in pairs]
    except ShapeError as error:
        return str(error)


def _concat_shape(arguments: Arguments) -> tuple[Dim, ...]:
    if not arguments.types[0].shape:
        found = f"`concat` takes values with dimensions, not `{arguments.types[0]}`"
        raise arguments.fault("SD203", found, 0, "`stack` puts scalars side by side")
    axis = arguments.axis(arguments.types[0].rank)
    dims = _agree(arguments, axis)
    dims[axis] = reduce(Dim.__add__, (tensor.shape[axis] for tensor in arguments.types))
    return tuple(dims)


def _stack_shape(arguments: Arguments) -> tuple[Dim, ...]:
    axis = arguments.axis(arguments.types[0].rank + 1)
    dims = _agree(arguments, None)
    return (*dims[:axis], Dim.exactly(len(arguments.types)), *dims[axis:])


def _differ(arguments: Arguments) -> bool:
    """Return whether values may turn out to differ in an axis in which they must be equal."""
    rank = arguments.types[0].rank
    joined = None if arguments.function == "stack" else arguments.axis(rank)
    axes = [(axis, axis) for axis in range(rank) if axis != joined]
    return any(unlike(arguments, 0, index, axes) for index in range(1, len(arguments.types)))


def _side_by_side(name: str, more: int) -> LowerRule:
    """Return the lowering of `concat` (more = 0) or `stack` (1)."""

    def lower(site: Site) -> Value:
        rank = site.types[0].rank + more
        axis = site.static["axis"]
        assert isinstance(axis, int)
        lead = site.batch if site.batched else 0
        every = range(len(site.args))
        parts = [site.full(at) if site.batched else site.args[at].tensor for at in every]
        if site.guard is not None:
            kept = [at for at in range(rank - more) if more or at != axis % rank]
            sizes = [site.tf.gather(site.tf.shape(part)[lead:], kept) for part in parts]
            parts[1:] = [
                site.alike(part, sizes[0], own) for part, own in zip(parts[1:], sizes[1:], strict=True)
            ]
        return Value(getattr(site.tf, name)(parts, axis=axis % rank + lead), site.batched)

    return lower


def _gather_dtype(arguments: Arguments) -> Dtypes:
    values, index = arguments.types
    if index.dtype not in INTEGERS or index.dtype == "uint64":
        raise arguments.fault("SD208", f"`gather` takes integers as positions, not `{index.dtype}`", 1)
    return (values.dtype, "int64"), values.dtype


def _gather_shape(arguments: Arguments) -> tuple[Dim, ...]:
    values, index = arguments.types
    if not values.shape:
        raise arguments.fault("SD203", f"`gather` takes values with dimensions, not `{values}`", 0)
    most = values.shape[0].most
    known = index.range
    if known and (known.high < 0 or (most is not None and known.low >= most)):
        found = f"position {known} is not among the {values.shape[0]} values"
        raise arguments.fault("SD203", found, 1, "positions count from 0")
    return (*index.shape, *values.shape[1:])


def _may_be_outside(arguments: Arguments) -> bool:
    """Return whether a position may not be there."""
    size, known = arguments.sizes_of(0)[0], promote.implied(arguments.types[1])
    if isinstance(size, int) and known is not None and known.low >= 0 and known.high < size:
        return False
    return places_of(arguments.nodes[1], arguments.sizes) != size


def _gather_lower(site: Site) -> Value:
    (values, index), tf = site.args, site.tf
    if site.guard is not None:
        size = tf.shape(values.tensor, out_type=tf.int64)[site.lead()]
        what = "a position that is not there, counted from 0"
        held = site.held(index.tensor, lambda places: (places >= 0) & (places < size), what)
        index = Value(held, index.batched)
    if values.batched and index.batched:
        found = tf.gather(values.tensor, index.tensor, axis=site.batch, batch_dims=site.batch)
    else:
        found = tf.gather(values.tensor, index.tensor, axis=site.lead())
    return Value(found, site.batched)


def _product_shape(arguments: Arguments) -> tuple[Dim, ...]:
    one, two = arguments.types
    if one.rank != 2 or two.rank != 2:
        way_out = "write a vector as a matrix with one row, `x[None, :]`, or one column, `x[:, None]`"
        raise arguments.fault(
            "SD203", f"`matmul` takes two matrices, not `{one}` and `{two}`", way_out=way_out
        )
    try:
        shapes.same(one.shape[1], two.shape[0])
    except shapes.ShapeError as error:
        message = f"`{one}` and `{two}` have no product: the inner sizes are {error}"
        raise arguments.fault("SD203", message, way_out="swap the axes of one: `[[0, 1]]`") from None
    return one.shape[0], two.shape[1]


def _product(site: Site) -> Value:
    one, two = site.aligned()
    if site.guard is not None:
        two = site.alike(two, site.tf.shape(one)[-1:], site.tf.shape(two)[-2:-1])
    return Value(site.tf.matmul(one, two), site.batched)


def _product_extra(arguments: Arguments, result: Tensor) -> int | None:
    """Return the bytes of both sides once more: the kernels pack blocks of them."""
    size = DTYPE_BYTES[result.dtype]
    return add(*(times(size, tensor.elements) for tensor in arguments.types))


def _order(static: dict[str, Static], rank: int) -> tuple[int, ...]:
    """Return the axes in their new order, counted from the front: turned round where none is named."""
    given = static["perm"]
    if given is None:
        return tuple(reversed(range(rank)))
    named = given if isinstance(given, tuple) else (given,)
    return tuple(axis % rank if isinstance(axis, int) and -rank <= axis < rank else rank for axis in named)


def _turned_shape(arguments: Arguments) -> tuple[Dim, ...]:
    tensor = arguments.types[0]
    order = _order(arguments.static, tensor.rank)
    if sorted(order) != list(range(tensor.rank)):
        message = f"`perm` of `transpose` has every axis of `{tensor}` once"
        raise arguments.fault("SD203", message, way_out=f"write {list(reversed(range(tensor.rank)))}, say")
    return tuple(tensor.shape[axis] for axis in order)


def _turned(site: Site) -> Value:
    lead = site.lead()
    order = [*range(lead), *(lead + axis for axis in _order(site.static, site.types[0].rank))]
    return Value(site.tf.transpose(site.args[0].tensor, order), site.args[0].batched)


def _own_dtype(arguments: Arguments) -> Dtypes:
    dtype = arguments.types[0].dtype
    return (dtype,), dtype


_TENSORS: Final = Parameter("x", "tensors")


def _values_length(arguments: Arguments) -> Dim:
    return arguments.types[0].length


def _values_range(arguments: Arguments, _dtype: str) -> Interval:
    return promote.implied(arguments.types[0])


def _repeated(arguments: Arguments, result: Tensor) -> int | None:
    """Return the bytes of literals and scalars, which every element of a batch gets a copy of."""
    parts = [
        replace(tensor, dtype=result.dtype).bytes
        for tensor, literal in arguments.operands
        if literal or not tensor.rank
    ]
    return add(*parts)


FUNCTIONS: Final = (
    Function(
        "concat",
        (_TENSORS, Parameter("axis", "axis", 0, keyword=True)),
        _join_dtype,
        _concat_shape,
        _side_by_side("concat", 0),
        "one behind the other along an axis that they have",
        "concat(x, x, axis=0)",
        _join_range,
        _join_length,
        extra=_repeated,
        fails=_differ,
    ),
    Function(
        "stack",
        (_TENSORS, Parameter("axis", "axis", 0, keyword=True)),
        _join_dtype,
        _stack_shape,
        _side_by_side("stack", 1),
        "side by side along a new axis",
        "stack(n, n + 1, axis=0)",
        _join_range,
        _join_length,
        extra=_repeated,
        fails=_differ,
    ),
    Function(
        "gather",
        (X, Parameter("positions")),
        _gather_dtype,
        _gather_shape,
        _gather_lower,
        "the entries at some positions, from 0, along the first axis",
        "gather([10, 20, 30, 40, 50, 60], n)",
        _values_range,
        _values_length,
        extra=lambda arguments, _: times(3, arguments.types[1].elements) if _may_be_outside(arguments) else 0,
        fails=_may_be_outside,
        sizes=lambda _, given: (*given[1], *given[0][1:]),
    ),
    Function(
        "matmul",
        (Parameter("a"), Parameter("b")),
        joined(promote.arithmetic, "numbers"),
        _product_shape,
        _product,
        "product of two matrices",
        "matmul(boxes, zeros([4, 2]))",
        extra=_product_extra,
        fails=lambda arguments: unlike(arguments, 0, 1, [(1, 0)]),
    ),
    Function(
        "transpose",
        (X, Parameter("perm", "axes", None)),
        _own_dtype,
        _turned_shape,
        _turned,
        "the axes in another order, turned round unless said",
        "transpose(image, [2, 0, 1])",
        _values_range,
        _values_length,
        sizes=lambda static, given: tuple(given[0][axis] for axis in _order(static, len(given[0]))),
    ),
)
