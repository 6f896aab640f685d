"""Runs a source over records, ragged components and left-out elements included."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from safedata.internal.keys import Identify
from safedata.lowering import INDEX, Lowering
from safedata.problem import Fault
from safedata.scope import Scope
from safedata.sources.base import Inspected, Source
from safedata.stages.base import ElementNode, Node
from safedata.types import Stream

Row = dict[str, Any]


def look(source: type[Source], folder: Path, on_error: Any = "fail", **fields: Any) -> Inspected:
    return source.model_validate(fields).inspect(Scope(str(folder), on_error=on_error))


def types(inspected: Inspected, on_error: Any = "fail") -> Stream:
    scope = Scope("", on_error=on_error)
    stream = inspected.root.infer(scope)
    for node in inspected.then:
        stream = node.infer(stream, scope)
    return stream


def outcome(check: Callable[[], Stream]) -> str | None:
    """Return the code of the fault that a check ends in, None where it gives types; other errors go on."""
    try:
        assert check().element
    except Fault as fault:
        return fault.code
    return None


def run(tf: Any, inspected: Inspected, on_error: Any = "fail", skipped: list[int] | None = None) -> list[Row]:
    """Return all elements, each held against the inferred type, and the dataset against `element_spec`."""
    scope = Scope("", on_error=on_error)
    root, stream = inspected.root, inspected.root.infer(scope)

    def record(index: Any) -> Any:
        def note(number: Any) -> bool:
            assert skipped is not None
            skipped.append(int(number))
            return False

        return tf.ensure_shape(tf.numpy_function(note, [index], tf.bool), [])

    low = Lowering(
        tf,
        stream,
        stream,
        0,
        2,
        origin=lambda index: root.origin(tf, index),
        skipped=None if skipped is None else record,
    )
    data = root.lower(low)
    nodes: list[Node | ElementNode] = [Identify(), *inspected.then]
    for node in nodes:
        before, stream = stream, node.infer(stream, scope)
        data = node.lower(data, replace(low, before=before, after=stream))
    assert data.element_spec == {name: _spec(tf, one) for name, one in stream.element.items()}
    rows = [dict(row) for row in data]
    if skipped is None and stream.cardinality.count is not None:
        assert len(rows) == stream.cardinality.count
    for row in rows:
        index = int(row.pop(INDEX))
        where = root.origin(tf, tf.constant(index, tf.int64)).numpy().decode()
        assert root.describe(index).startswith(where)
        for name in row:
            row[name] = _held(row[name], stream.element[name])
    return rows


def _spec(tf: Any, tensor: Any) -> Any:
    if tensor.ragged_rank:
        return tf.RaggedTensorSpec(tensor.static_shape, tensor.dtype, tensor.ragged_rank)
    return tf.TensorSpec(tensor.static_shape, tensor.dtype)


def _held(value: Any, tensor: Any) -> Any:
    if tensor.ragged_rank:
        rows = value.to_list()
        assert len(rows) <= tensor.shape[0].most
        assert max(map(len, rows), default=0) <= tensor.shape[1].most
        return rows
    for size, dim in zip(value.shape, tensor.shape, strict=True):
        assert size == dim.most or (not dim.exact and size <= dim.most)
    made = value.numpy()
    if tensor.dtype == "string":
        flat = [made] if not tensor.shape else made.reshape(-1).tolist()
        assert all(len(one) <= tensor.length.most for one in flat)
    elif tensor.range is not None and made.size:
        assert tensor.range.low <= made.min()
        assert made.max() <= tensor.range.high
    return made
