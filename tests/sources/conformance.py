"""Runs a source's graph and holds every element against the types that were inferred for it."""

from __future__ import annotations

from typing import Any

import numpy as np

from safedata.internal.keys import Identify
from safedata.lowering import INDEX, Lowering
from safedata.scope import Scope
from safedata.sources.base import Inspected
from safedata.types import Stream, Tensor

Row = dict[str, Any]


def run(tf: Any, inspected: Inspected, scope: Scope) -> list[Row]:
    """Return all elements, after checking them and the dataset's own type."""
    root = inspected.root
    stream = root.infer(scope)
    low = Lowering(tf, stream, stream, 0, origin=lambda index: root.origin(tf, index))
    data = root.lower(low)
    check_spec(tf, data, stream)
    for node in (Identify(), *inspected.then):
        before, stream = stream, node.infer(stream, scope)
        data = node.lower(data, Lowering(tf, before, stream, 0, parallel=2, origin=low.origin))
        check_spec(tf, data, stream)
    rows = list(data.as_numpy_iterator())
    assert len(rows) == stream.cardinality.count
    for number, row in enumerate(rows):
        assert row.pop(INDEX) == number
        where = root.origin(tf, tf.constant(number, tf.int64)).numpy().decode()
        assert where == root.describe(number)
        for name, value in row.items():
            check_value(name, value, stream.element[name])
    return rows


def check_spec(tf: Any, data: Any, stream: Stream) -> None:
    promised = {name: tf.TensorSpec(one.static_shape, one.dtype) for name, one in stream.element.items()}
    assert data.element_spec == promised
    assert list(data.element_spec) == list(promised)


def check_value(name: str, value: Any, tensor: Tensor) -> None:
    if tensor.dtype == "string":
        assert tensor.length.most is not None
        texts = [value] if isinstance(value, bytes) else value.ravel()
        assert max(map(len, texts), default=0) <= tensor.length.most, name
    elif tensor.range is not None:
        values = np.asarray(value)
        assert ((tensor.range.low <= values) & (values <= tensor.range.high)).all(), name
