"""Functions that give the same values other dimensions."""

from __future__ import annotations

import math
from typing import Final

from safedata.expr import shapes
from safedata.expr.functions.base import (
    Arguments,
    Function,
    Parameter,
    X,
)
from safedata.expr.functions.site import LowerRule, Site, Value
from safedata.expr.functions.structure import any_dtype, element_shape, same_length, same_range
from safedata.expr.tree import Static
from safedata.types import Dim

_AXIS: Final = Parameter("axis", "axis")


def _reshape_shape(arguments: Arguments) -> tuple[Dim, ...]:
    wanted = arguments.static["shape"]
    assert isinstance(wanted, tuple)
    total = shapes.product(arguments.types[0].shape)
    known = math.prod(size for size in wanted if size != -1)
    too_many = total.exact and total.most != known if -1 not in wanted else False
    if -1 in wanted and total.exact and total.most is not None:
        too_many = total.most % known != 0
    if too_many or (-1 not in wanted and total.most is not None and total.most < known):
        found = f"`{arguments.types[0]}` has {total} values, which do not fill {list(wanted)}"
        raise arguments.fault("SD203", found)
    most = None if total.most is None else total.most // known
    rest = Dim(most, total.exact and most is not None, total.evidence)
    return tuple(rest if size == -1 else Dim.exactly(size) for size in wanted)


def _may_not_fill(arguments: Arguments) -> bool:
    """Return whether the number of values may not fill the dimensions; whatever it is, it fills one of -1."""
    wanted = arguments.static["shape"]
    assert isinstance(wanted, tuple)
    dims = arguments.types[0].shape
    sure = math.prod(dim.static for dim in dims if dim.static is not None)
    free = -1 in wanted and sure % math.prod(wanted) == 0
    return not free and not shapes.product(dims).exact


def _reshape_lower(site: Site) -> Value:
    tf, tensor, wanted = site.tf, site.args[0].tensor, site.static["shape"]
    assert isinstance(wanted, tuple)
    known = math.prod(size for size in wanted if size != -1)
    # -1 is worked out from the element: TensorFlow cannot tell it for a batch without elements.
    total = tf.reduce_prod(element_shape(site))
    if site.guard is not None:
        fills = total % known == 0 if -1 in wanted else total == known
        tensor = site.guard.held(tensor, fills, f"these do not fill {list(wanted)}: the values", total)
    rest = total // known
    element = tf.stack([rest if size == -1 else tf.constant(size, tf.int64) for size in wanted])
    if not site.batched:
        return Value(tf.reshape(tensor, element if wanted else []), False)
    shape = tf.concat([tf.cast(site.batch_shape(), tf.int64), element], 0) if wanted else site.batch_shape()
    return Value(tf.reshape(tensor, shape), True)


def _expand_shape(arguments: Arguments) -> tuple[Dim, ...]:
    shape = arguments.types[0].shape
    axis = arguments.axis(len(shape) + 1)
    return (*shape[:axis], shapes.ONE, *shape[axis:])


def _squeeze_shape(arguments: Arguments) -> tuple[Dim, ...]:
    shape = arguments.types[0].shape
    axis = arguments.axis(len(shape))
    if (shape[axis].exact and shape[axis].most != 1) or shape[axis].most == 0:
        found = f"axis {axis} of `{arguments.types[0]}` has {shape[axis]} values, not 1"
        raise arguments.fault("SD203", found, way_out="pick one of them with an index, or reduce over them")
    return shape[:axis] + shape[axis + 1 :]


def _may_be_several(arguments: Arguments) -> bool:
    """Return whether there may be another number of values than 1 along the axis."""
    shape = arguments.types[0].shape
    return not shape[arguments.axis(len(shape))].exact


def _one_axis(name: str, more: int) -> LowerRule:
    def lower(site: Site) -> Value:
        axis, tensor = site.static["axis"], site.args[0].tensor
        assert isinstance(axis, int)
        at = axis % (site.types[0].rank + more) + site.lead()
        if site.guard is not None:
            size = site.tf.shape(tensor)[at]
            tensor = site.guard.held(tensor, size == 1, "an axis of another size than 1", size)
        return Value(getattr(site.tf, name)(tensor, axis=at), site.args[0].batched)

    return lower


def _with_one(static: dict[str, Static], sizes: tuple[object, ...]) -> tuple[object, ...]:
    axis = static["axis"]
    at = axis % (len(sizes) + 1) if isinstance(axis, int) else 0
    return (*sizes[:at], 1, *sizes[at:])


def _without(static: dict[str, Static], sizes: tuple[object, ...]) -> tuple[object, ...]:
    axis = static["axis"]
    at = axis % len(sizes) if isinstance(axis, int) else 0
    return sizes[:at] + sizes[at + 1 :]


FUNCTIONS: Final = (
    Function(
        "reshape",
        (X, Parameter("shape", "ints")),
        any_dtype,
        _reshape_shape,
        _reshape_lower,
        "the same values in other dimensions; one may be -1",
        "reshape(x, [2, -1])",
        same_range,
        same_length,
        settles=lambda static: (
            -1 not in (static["shape"] or ()) if isinstance(static["shape"], tuple) else False
        ),
        view=True,
        fails=_may_not_fill,
    ),
    Function(
        "expand_dims",
        (X, _AXIS),
        any_dtype,
        _expand_shape,
        _one_axis("expand_dims", 1),
        "with a new axis of size 1",
        "expand_dims(x, 0)",
        same_range,
        same_length,
        view=True,
        sizes=lambda static, given: _with_one(static, given[0]),
    ),
    Function(
        "squeeze",
        (X, _AXIS),
        any_dtype,
        _squeeze_shape,
        _one_axis("squeeze", 0),
        "without an axis of size 1",
        "squeeze(expand_dims(x, 0), 0)",
        same_range,
        same_length,
        view=True,
        fails=_may_be_several,
        sizes=lambda static, given: _without(static, given[0]),
    ),
)
