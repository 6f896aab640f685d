"""`window`."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from safedata.cardinality import at_most, exactly
from safedata.stages.window import Window
from safedata.types import UNBOUNDED, Dim, Stream, Tensor


@pytest.mark.parametrize(
    ("step", "image", "cardinality"),
    [
        ("window: 4", "float32[<=4, 4, 3]", "exactly 3"),
        ("window: {size: 4, shift: 1}", "float32[<=4, 4, 3]", "exactly 10"),
        ("window: {size: 4, shift: 1, drop_remainder: true}", "float32[4, 4, 3]", "exactly 7"),
        ("window: {size: 4, shift: 1, stride: 3, drop_remainder: true}", "float32[4, 4, 3]", "exactly 1"),
        ("window: {size: 8, stride: 3}", "float32[<=4, 4, 3]", "exactly 2"),
        ("window: {size: 2, shift: 5, drop_remainder: true}", "float32[2, 4, 3]", "exactly 2"),
        ("window: {size: 11, drop_remainder: true}", "float32[11, 4, 3]", "exactly 0"),
    ],
)
def test_shapes(step: str, image: str, cardinality: str, infer: Any) -> None:
    """The new dimension is exact only without short windows, and never over what the elements can fill."""
    after = infer("select: image", step)
    assert str(after.element["image"]) == image
    assert str(after.cardinality) == cardinality
    assert after.batch_dims == 0


def test_uneven_elements(faults: Any) -> None:
    """Elements of different shapes cannot be stacked, and each such component is reported."""
    found = faults("window: 2")
    assert [fault.code for fault in found] == ["SD206", "SD206"]
    assert found[0].message.startswith("`window` stacks elements of one shape, and `numbers` is int32[<=3]")


def test_only_the_span_is_held(scope: Any) -> None:
    """A window holds what it reaches over, stride included, and no more than there is; unknown stays unknown."""
    before = Stream({"x": Tensor("uint8", (Dim.exactly(1_000_000),))}, exactly(100))
    stage = Window(size=5, shift=1, stride=3)
    held, made = stage.holds(before, stage.infer(before, scope), scope)
    assert 13_000_000 <= (held.bytes or 0) <= 13_200_000
    assert 5_000_000 <= (made.bytes or 0) <= 5_100_000
    few = Stream(before.element, at_most(4))
    assert 4_000_000 <= (next(stage.holds(few, stage.infer(few, scope), scope)).bytes or 0) <= 4_100_000
    unbounded = Stream({"x": Tensor("string", (), UNBOUNDED)}, exactly(100))
    assert next(stage.holds(unbounded, stage.infer(unbounded, scope), scope)).bytes is None


@pytest.mark.tf
@pytest.mark.parametrize("drop", [True, False])
@pytest.mark.parametrize("count", [0, 1, 4, 9])
def test_windows_are_tensorflows(count: int, drop: bool, run: Any) -> None:
    """Every size, shift and stride gives the windows of plain `tf.data`, and as many as the type says."""
    import tensorflow as tf

    for size, shift, stride in itertools.product((1, 2, 5), (1, 2, 6), (1, 3)):
        step = (
            f"window: {{size: {size}, shift: {shift}, stride: {stride}, drop_remainder: {str(drop).lower()}}}"
        )
        ran = run("select: value", step, count=count)
        plain = tf.data.Dataset.range(count).window(size, shift, stride, drop).flat_map(lambda w: w.batch(99))
        assert ran.values == [window.tolist() for window in plain.as_numpy_iterator()]
        assert len(ran.values) == ran.stream.cardinality.count == ran.data.cardinality().numpy()


@pytest.mark.tf
def test_a_window_is_an_element(run: Any) -> None:
    """A map sees a whole window, which has the index of its first neighbour; so do windows in batches."""
    split = "map: {x: '= value[:-1]', y: '= value[-1]'}"
    for steps in ([split], ["batch: 2", split]):
        ran = run("select: value", "window: {size: 3, shift: 2, drop_remainder: true}", *steps)
        windows = list(ran.data.as_numpy_iterator())
        numbers = [
            [*x, y]
            for one in windows
            for x, y in zip(one["x"].reshape(-1, 2), one["y"].reshape(-1), strict=True)
        ]
        assert numbers == [[0, 1, 2], [2, 3, 4], [4, 5, 6], [6, 7, 8]]
        assert [key for one in windows for key in one["#index"].reshape(-1)] == [0, 2, 4, 6]


@pytest.mark.tf
def test_batches_in_windows(run: Any) -> None:
    """In a window of batches every row keeps its own index, and a map sees single elements still."""
    ran = run(
        "select: value", "batch: {size: 2, drop_remainder: true}", "window: 2", "map: {value: '= value + 1'}"
    )
    assert ran.values == [[[1, 2], [3, 4]], [[5, 6], [7, 8]], [[9, 10]]]
    assert ran.stream.batch_dims == 2


@pytest.mark.tf
def test_endless(run: Any) -> None:
    """An endless stream has endless windows."""
    ran = run("select: value", "repeat:", "window: {size: 3, shift: 20}", "take: 2")
    assert ran.values == [[0, 1, 2], [0, 1, 2]]
