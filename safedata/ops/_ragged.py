"""Operations on each value, of dense and of ragged components."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def each(tf: Any, x: Any, function: Callable[[Any], Any]) -> Any:
    """Return `function(x)`, of the values alone where `x` is ragged: its rows stay as they are."""
    if isinstance(x, tf.RaggedTensor):
        return x.with_flat_values(function(x.flat_values))
    return function(x)
