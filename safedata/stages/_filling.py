"""What `batch` needs for a last batch of full size: rows that fill it up, and the component that tells them apart."""

from __future__ import annotations

from typing import Any

from safedata.lowering import OK, Lowering, Values, as_written
from safedata.problem import Fault
from safedata.records import replace
from safedata.scope import Scope
from safedata.stages._elements import batch_shape
from safedata.types import BOOL, UNBOUNDED, Dim, Stream, Tensor, ValueRange


def with_mask(before: Stream, mask: str, scope: Scope) -> Stream:
    """Return the elements as they are when some of them only fill up: values may be 0, texts empty.

    Args:
        before: elements, all of one shape.
        mask: the new component, true for those that are real.
        scope: takes the faults: SD105, a name that is none or taken; SD203, a ragged component.
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
    element = {name: _or_empty(tensor) for name, tensor in before.element.items()}
    mark = replace(BOOL, shape=batch_shape(before))
    return before.with_element({**element, mask: mark})


def _or_empty(x: Tensor) -> Tensor:
    if x.broken:
        return x
    length = Dim.at_most(x.length.most, x.length.evidence) if x.dtype == "string" else UNBOUNDED
    found = x.range.join(ValueRange(0, 0)) if x.range is not None else None
    return replace(x, length=length, range=found, encoded=None)


def filled_up(data: Any, size: int, low: Lowering) -> Any:
    """Return the elements, each with a true value, and behind them those that fill up, with false ones.

    Of `size - 1` more, whole batches take as many as the last one needs; the rest is never made. An element is a pair:
    what it was, and its mark.
    """
    tf = low.tf
    inner = [dim.static or 0 for dim in batch_shape(low.before)]
    spec = data.element_spec

    def empty(_: Any) -> tuple[Values, Any]:
        values = {name: tf.zeros(one.shape, one.dtype) for name, one in spec.items()}
        if OK in values:
            values[OK] = tf.ones_like(values[OK])
        return values, tf.zeros(inner, tf.bool)

    real = tf.data.Dataset.from_tensors(tf.ones(inner, tf.bool)).repeat()
    more = tf.data.Dataset.range(size - 1).map(as_written(low, empty))
    return tf.data.Dataset.zip((data, real)).concatenate(more)
