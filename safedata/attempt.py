"""Under `on_error: skip`: runs a map so that an element that fails is recorded and left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from safedata.lowering import INDEX, OK, Lowering, Values, as_written, mapped

_BEFORE: Final = "#ok before"
"""Whether an element was readable before this step, while it is looked at."""
_WHY: Final = "#why"
"""What TensorFlow said of an element that failed, where somebody wants to know; empty of one that did not."""


class Explained:
    """Records an element that is left out together with the reason: what `low.skipped` is where that is wanted."""

    def __init__(self, record: Callable[[Any, Any], Any]) -> None:
        self._record = record

    def __call__(self, index: Any, reason: Any = "") -> Any:
        """Return a tensor that is false once the element with this index, or those of a batch, are recorded.

        Args:
            index: int64[], or int64[batch...].
            reason: what is wrong: a scalar string, empty where nobody knows.
        """
        return self._record(index, reason)


def left_out(low: Lowering, index: Any, reason: Any) -> Any:
    """Record that an element is left out, as `low.skipped` does, with the reason where that is wanted."""
    record = low.skipped
    if record is None:
        raise ValueError("nothing is left out here")
    return record(index, reason) if isinstance(record, Explained) else record(index)


def attempt(data: Any, apply: Callable[[Values], Values], low: Lowering) -> Any:
    """Return `data.map(apply)` without the elements that `apply` fails on.

    A graph cannot catch an error, yet a dataset can leave out the element that raised one. So each element
    becomes a dataset of one, mapped with errors left out, with a stand-in behind it; whichever comes
    first is taken. A stand-in is recorded by its index and then dropped; in an input of `zip`, whose elements are
    marked as readable or not, it stays and is no longer readable.

    What TensorFlow said is lost on that way. Where it is wanted, `apply` is called again for the element that failed,
    by Python, which can catch the error.
    """
    tf, stays = low.tf, OK in low.before.element
    explain = _explaining(apply, low, data.element_spec) if isinstance(low.skipped, Explained) else None

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
        why = {} if explain is None else {_WHY: explain(made[OK], values)}
        return {**made, **before, **why, INDEX: values[INDEX]}

    def readable(values: Values) -> Any:
        return values[OK]

    def shown(values: Values) -> Values:
        return {name: value for name, value in values.items() if name in low.after.element}

    return mapped(data, tried, low).filter(as_written(low, _keeping(low, stays))).map(as_written(low, shown))


def _keeping(low: Lowering, stays: bool) -> Callable[[Values], Any]:
    """Return the function that says whether an element goes on; one that failed is recorded on the way."""
    tf = low.tf

    def kept(values: Values) -> Any:
        index, reason = values[INDEX], values.get(_WHY, "")
        if low.skipped is None:
            return values[OK] | stays
        if not stays:
            return tf.cond(values[OK], lambda: True, lambda: left_out(low, index, reason))
        told = values[OK] | ~values[_BEFORE]  # by an earlier step
        return tf.cond(told, lambda: True, lambda: ~left_out(low, index, reason))

    return kept


def _explaining(
    apply: Callable[[Values], Values], low: Lowering, spec: Values
) -> Callable[[Any, Values], Any]:
    """Return a function that makes the text, a scalar string, of what went wrong; empty for an element that is fine.

    TensorFlow keeps a Python function of a graph for as long as the process lives. So it is handed what refers to
    the graph of `apply` weakly, and the function that is returned keeps that graph.
    """
    import weakref

    tf = low.tf
    with tf.init_scope():
        traced = tf.function(as_written(low, apply), autograph=False).get_concrete_function(spec)
    graph = weakref.ref(traced)

    def said(*parts: Any) -> bytes:
        function = graph()
        if function is None:
            return b"the pipeline was let go of before the reason was looked at"
        try:
            function(*parts)
        except Exception as error:  # whatever TensorFlow, or a function of the spec, makes of it
            return _text(error)
        return b"it failed once, and did not when it was tried again"

    def why(fine: Any, values: Values, kept: Any = traced) -> Any:
        parts = tf.nest.flatten(values, expand_composites=True)
        fine = fine | ~values[OK] if OK in values else fine  # an earlier step has told
        told = tf.cond(fine, lambda: "", lambda: tf.py_function(said, parts, tf.string))
        return tf.ensure_shape(told, [])

    return why


def _text(error: Exception) -> bytes:
    # TensorFlow's message quotes the bytes of a bad record as they are; then Python cannot make text of it.
    raw = error.object if isinstance(error, UnicodeDecodeError) else str(error).encode("utf-8", "replace")
    return raw[-_LONGEST:]


_LONGEST: Final = 8000
"""Bytes of a message; what TensorFlow found stands at its end, behind the names of Python's functions."""


def _stand_in(tf: Any, spec: dict[str, Any]) -> Values:
    return {**{name: _empty(tf, part) for name, part in spec.items()}, OK: tf.constant(False)}


def _empty(tf: Any, part: Any) -> Any:
    """Return a value of the wanted type with as little in it as its static shape allows."""
    if isinstance(part, tf.RaggedTensorSpec):
        inner = tf.zeros([0, *(size or 0 for size in part.shape[part.ragged_rank + 1 :])], part.dtype)
        splits = [tf.zeros([1], part.row_splits_dtype) for _ in range(part.ragged_rank)]
        return tf.RaggedTensor.from_nested_row_splits(inner, splits)
    return tf.ensure_shape(tf.zeros([size or 0 for size in part.shape], part.dtype), part.shape)
