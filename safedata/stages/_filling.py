"""What batches need for a last one of full size: rows that fill it up, and the component that tells them apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from safedata.lowering import OK, Lowering, Values, as_written
from safedata.memory import add, times
from safedata.problem import Fault
from safedata.records import replace
from safedata.scope import Scope
from safedata.stages._elements import batch_shape, many_bytes, slot_bytes
from safedata.types import BOOL, Dim, Element, Stream, Tensor, ValueRange

Scalar = bool | int | float | str
"""A value that fills up."""


def with_mask(before: Stream, mask: str, scope: Scope, values: Mapping[str, Scalar] | None = None) -> Stream:
    """Return the elements as they are when some of them only fill up: those have values of 0 and empty texts.

    Args:
        before: elements.
        mask: the new component, true for those that are real.
        scope: takes the faults: SD105, a name that is none or taken; SD203, a ragged component.
        values: what others have in place of 0, by component.
    """
    if not mask.strip() or mask[:1] == "#" or "," in mask:
        problem = f"`{mask}` is not a name for a component"
        scope.fault(Fault("SD105", problem, ("pad_last",), help="write a word, such as `valid`"))
    elif mask in before.element:
        problem = f"there is a component `{mask}` already, which `pad_last` would replace"
        way_out = f"give another name, or `drop: {mask}` before"
        scope.fault(Fault("SD105", problem, ("pad_last",), help=way_out))
    for name, tensor in before.visible.items():
        if tensor.ragged_rank:
            problem = f"`pad_last` fills up with dense rows, and `{name}` is {tensor}"
            scope.fault(Fault("SD203", problem, ("pad_last",), help="put `to_dense` before it"))
    given = values or {}
    element = {
        name: tensor if tensor.broken else filled(tensor, given.get(name, _nothing(tensor)))
        for name, tensor in before.element.items()
    }
    mark = replace(BOOL, shape=batch_shape(before))
    return before.with_element({**element, mask: mark})


def _nothing(tensor: Tensor) -> Scalar:
    return "" if tensor.dtype == "string" else 0


def filled(tensor: Tensor, value: Scalar) -> Tensor:
    """Return the type of a component that has `value` among its values."""
    if isinstance(value, str):
        length = tensor.length.join(Dim.exactly(len(value.encode())))
        return replace(tensor, length=length, encoded=None).among(tensor, value)
    if tensor.range is None:
        return tensor
    known = math.isfinite(value)
    return replace(tensor, range=tensor.range.join(ValueRange(value, value)) if known else None)


def stand_in_bytes(before: Stream, marked: Stream, scope: Scope) -> int | None:
    """Return the bytes of the element that fills up, beside the places that it has among those that are gathered.

    Args:
        before: what enters; where a memory cache has its elements, a place among those gathered is only a reference.
        marked: what `with_mask` makes of it.
        scope: the settled numbers.
    """
    return slot_bytes(replace(marked, shared=None), scope) if before.shared else 0


def gathered_bytes(before: Stream, marked: Stream, size: int, scope: Scope) -> tuple[int | None, int]:
    """Return the bytes of `size` elements that wait for their batch, of which one may stand for many that fill up.

    And their number, where they differ: as `many_bytes` does.
    """
    if marked is before:
        return many_bytes(before, size, scope)
    return add(times(size, slot_bytes(marked, scope)), stand_in_bytes(before, marked, scope)), 0


def filled_up(
    data: Any, size: Any, low: Lowering, values: Mapping[str, Scalar] | None = None, *, up_to: Any = None
) -> Any:
    """Return the elements, each with a true value, and behind them those that fill up, with false ones.

    An element is a pair: what it was, and its mark. Those that fill up are one, handed on again and again.

    Args:
        data: elements as `low.before` says.
        size: how many make a batch: whole batches take as many of `size - 1` more as the last one needs.
        low: the surroundings.
        values: what components of those that fill up have in place of 0.
        up_to: how many elements there are then; as many as there may be, unless said.
    """
    tf = low.tf
    inner = [dim.static or 0 for dim in batch_shape(low.before)]
    spec = data.element_spec
    given = values or {}

    def empty(_: Any) -> tuple[Values, Any]:
        made = {name: _stand_in(tf, one, given.get(name)) for name, one in spec.items()}
        if OK in made:
            made[OK] = tf.ones_like(made[OK])
        return made, tf.zeros(inner, tf.bool)

    def again(*one: Any) -> Any:
        return tf.data.Dataset.from_tensors(one).repeat(more)

    more = (size if up_to is None else up_to) - 1
    real = tf.data.Dataset.from_tensors(tf.ones(inner, tf.bool)).repeat()
    rest = tf.data.Dataset.from_tensors(0).map(as_written(low, empty)).flat_map(as_written(low, again))
    rest = rest.apply(tf.data.experimental.assert_cardinality(more))
    made = tf.data.Dataset.zip((data, real)).concatenate(rest)
    return made if up_to is None else made.take(up_to)


def _stand_in(tf: Any, spec: Any, value: Scalar | None) -> Any:
    shape = [size or 0 for size in spec.shape]
    made = tf.zeros(shape, spec.dtype) if value is None else tf.fill(shape, tf.constant(value, spec.dtype))
    return tf.ensure_shape(made, spec.shape)


def padding(tf: Any, element: Element, values: Mapping[str, Scalar]) -> dict[str, Any]:
    """Return what `padded_batch` of TensorFlow takes for padding values: None for those that `values` does not name."""
    return {
        name: tf.constant(values[name], tensor.dtype) if name in values else None
        for name, tensor in element.items()
    }


def named(mask: str) -> Callable[[Values, Any], Values]:
    """Return the function that makes components of a batch of pairs."""

    def put(values: Values, marks: Any) -> Values:
        return {**values, mask: marks}

    return put
