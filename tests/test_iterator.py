"""The shorter `next` of a loaded dataset's iterators gives what TensorFlow's own does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import safedata
from safedata.internal.iterator import iterating

pytestmark = pytest.mark.tf

SPEC = """
safedata: 1
source: {synthetic: {count: 6, components: {b: 'float32[3]', a: 'int64[]'}}}
steps:
  - batch: 4
"""


def plain(tf: Any, dataset: Any) -> Any:
    """Return the same dataset with TensorFlow's own class."""
    return tf.data.experimental.from_variant(tf.data.experimental.to_variant(dataset), dataset.element_spec)


@pytest.mark.parametrize("output", ["", "output: [b, a]", "output: [a]", "output: {y: b, x: a}"])
def test_the_same_elements(tf: Any, output: str) -> None:
    """Elements of every structure are the same, in the same containers, in the same order of names."""
    dataset = safedata.load(f"{SPEC}{output}\n")
    ours, theirs = list(dataset), list(plain(tf, dataset))
    assert len(ours) == len(theirs) == 2
    for one, two in zip(ours, theirs, strict=True):
        assert type(one) is type(two)
        assert not isinstance(one, dict) or list(one) == list(two)
        tf.nest.assert_same_structure(one, two)
        for left, right in zip(tf.nest.flatten(one), tf.nest.flatten(two), strict=True):
            np.testing.assert_array_equal(left, right)


def test_a_variable_structure_is_left_alone(tf: Any) -> None:
    """Elements that are no plain tensors come as TensorFlow makes them."""
    rows = tf.data.Dataset.range(1, 3)
    dataset = iterating(
        tf, rows.map(lambda count: tf.RaggedTensor.from_row_lengths(tf.range(count), [count]))
    )
    assert [type(row) for row in dataset] == [tf.RaggedTensor] * 2


def test_it_is_an_iterator_like_any_other(tf: Any, tmp_path: Path) -> None:
    """It can be handed to a graph and kept in a checkpoint, and it ends, and stays ended."""
    iterator = iter(safedata.load(SPEC))
    assert isinstance(iterator, tf.data.Iterator)

    following = tf.function(lambda one: next(one)["a"])
    checkpoint = tf.train.Checkpoint(iterator=iterator)
    saved = checkpoint.save(str(tmp_path / "state"))
    first = following(iterator).numpy().tolist()
    checkpoint.restore(saved)
    assert next(iterator)["a"].numpy().tolist() == first
    assert following(iterator).shape == (2,)
    for _ in range(2):
        with pytest.raises(StopIteration):
            next(iterator)


def test_an_error_is_tensorflows(tf: Any) -> None:
    """What fails in the pipeline is raised as TensorFlow raises it, and the iterator goes on behind it."""

    def inverse(one: Any) -> Any:
        return tf.debugging.check_numerics(1.0 / tf.cast(one, "float32"), "bad")

    iterator = iter(iterating(tf, tf.data.Dataset.range(3).map(inverse)))
    with pytest.raises(tf.errors.InvalidArgumentError, match="bad : Tensor had Inf"):
        next(iterator)
    assert [float(one) for one in iterator] == [1.0, 0.5]
