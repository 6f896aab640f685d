"""Under `on_error: skip`: runs a map so that an element that fails is recorded and left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from safedata.lowering import INDEX, OK, Lowering, Values, as_written, mapped

_BEFORE: Final = "#ok before"
"""Whether an element was readable before this step, while it is looked at."""


def attempt(data: Any, apply: Callable[[Values], Values], low: Lowering) -> Any:
    """Return `data.map(apply)` without the elements that `apply` fails on.

    A graph cannot catch an error, yet a dataset can leave out the element that raised one. So each element
    becomes a dataset of one, mapped with errors left out, with a stand-in behind it; whichever comes
    first is taken. A stand-in is recorded by its index and then dropped; in an input of `zip`, whose elements are
    marked as readable or not, it stays and is no longer readable.
    """
    tf, stays = low.tf, OK in low.before.element

    def named(values: Values) -> Values:
        return {**apply(values), OK: True}

    def tried(values: Values) -> Values:
        one = tf.data.Dataset.from_tensors(values)
        one = one.filter(as_written(low, readable)) if stays else one
        one = one.map(as_written(low, named))

        def empty(_: Any) -> Values:
            return _stand_in(tf, one.element_spec)

        stand_in = tf.data.Dataset.from_tensors(0).map(as_written(low, empty))
        made = one.ignore_errors().concatenate(stand_in).take(1).get_single_element()
        before = {_BEFORE: values[OK]} if stays else {}
        return {**made, **before, INDEX: values[INDEX]}

    def readable(values: Values) -> Any:
        return values[OK]

    def kept(values: Values) -> Any:
        record, index = low.skipped, values[INDEX]
        if record is None:
            return values[OK] | stays
        if not stays:
            return tf.cond(values[OK], lambda: True, lambda: record(index))
        told = values[OK] | ~values[_BEFORE]  # by an earlier step
        return tf.cond(told, lambda: True, lambda: ~record(index))

    def shown(values: Values) -> Values:
        return {name: value for name, value in values.items() if name in low.after.element}

    return mapped(data, tried, low).filter(as_written(low, kept)).map(as_written(low, shown))


def _stand_in(tf: Any, spec: dict[str, Any]) -> Values:
    return {**{name: _empty(tf, part) for name, part in spec.items()}, OK: tf.constant(False)}


def _empty(tf: Any, part: Any) -> Any:
    """Return a value of the wanted type with as little in it as its static shape allows."""
    if isinstance(part, tf.RaggedTensorSpec):
        inner = tf.zeros([0, *(size or 0 for size in part.shape[part.ragged_rank + 1 :])], part.dtype)
        splits = [tf.zeros([1], part.row_splits_dtype) for _ in range(part.ragged_rank)]
        return tf.RaggedTensor.from_nested_row_splits(inner, splits)
    return tf.ensure_shape(tf.zeros([size or 0 for size in part.shape], part.dtype), part.shape)
