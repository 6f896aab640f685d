"""What the samples' elements draw, so that results can be held against TensorFlow's and Keras' own."""

from __future__ import annotations

from typing import Any

from safedata import draws
from tests.ops.conformance import SEED


def drawn(tf: Any, count: int, index: int = 0, low: float = 0.0, high: float = 1.0) -> Any:
    """Return the `count` draws of an operation for the element with this index in the first epoch, as a NumPy array."""

    def draw(epoch: Any, index: Any) -> Any:
        return draws.uniform(tf, SEED, epoch, index, count) * (high - low) + low

    graph = tf.function(draw, autograph=False)
    return graph(tf.constant(0, tf.int64), tf.constant(index, tf.int64)).numpy()
