"""`ragged_batch`."""

from __future__ import annotations

from typing import Any

import pytest

from safedata.cardinality import exactly
from safedata.problem import Fault
from safedata.stages.ragged_batch import RaggedBatch
from safedata.stages.unbatch import Unbatch
from safedata.types import UNBOUNDED, Dim, Stream, Tensor


def test_types(infer: Any) -> None:
    """What varies becomes ragged and keeps its bound; what does not is stacked."""
    after = infer("ragged_batch: {size: 4, drop_remainder: true}").element
    assert str(after["numbers"]) == "int32[4, <=3] ragged"
    assert str(after["image"]) == "float32[4, 4, 3]"
    assert str(after["value"]) == "int64[4]"
    assert str(infer("ragged_batch: 20").element["image"]) == "float32[<=10, 4, 3]"


def test_refused(scope: Any, faults: Any) -> None:
    """Unbounded components, and batches of different sizes, cannot be put together."""
    with pytest.raises(Fault, match=r"nothing bounds dimension 0 of `x`: int64\[\?\]") as caught:
        RaggedBatch(size=2).infer(Stream({"x": Tensor("int64", (UNBOUNDED,))}, exactly(4)), scope)
    assert caught.value.code == "SD204"
    [fault] = faults("select: value", "batch: 4", "ragged_batch: 2")
    assert (fault.code, fault.message[:14]) == ("SD206", "`ragged_batch`")
    assert faults("select: value", "batch: {size: 2, drop_remainder: true}", "ragged_batch: 2") == []


def _types(tf: Any, element_spec: Any) -> dict[str, tuple[str, tuple[int | None, ...], int]]:
    return {
        name: (
            one.dtype.name,
            tuple(one.shape.as_list()),
            one.ragged_rank if isinstance(one, tf.RaggedTensorSpec) else 0,
        )
        for name, one in element_spec.items()
    }


@pytest.mark.tf
@pytest.mark.parametrize("count", [0, 1, 7, 8])
@pytest.mark.parametrize("drop", [True, False])
def test_batches_are_tensorflows(count: int, drop: bool, scope: Any, low: Any) -> None:
    """Types, values and number are those of `Dataset.ragged_batch`, for every place of the varying dimension."""
    import tensorflow as tf

    three = Dim.exactly(3)
    most = Dim.at_most(8)
    before = Stream(
        {
            "a": Tensor("int64", (most,)),
            "b": Tensor("int64", (most, three)),
            "c": Tensor("int64", (three, most)),
            "d": Tensor("string", (most,), Dim.at_most(2)),
            "e": Tensor("int64", (three,)),
            "f": Tensor("int64", (three, most), ragged_rank=1),
        },
        exactly(count),
    )

    def element(value: Any) -> dict[str, Any]:
        return {
            "a": tf.ensure_shape(tf.range(value), [None]),
            "b": tf.ensure_shape(tf.fill([value, 3], value), [None, 3]),
            "c": tf.ensure_shape(tf.fill([3, value], value), [3, None]),
            "d": tf.ensure_shape(tf.fill([value], "ab"), [None]),
            "e": tf.fill([3], value),
            "f": tf.ragged.range(tf.stack([value, 0, 1])),
        }

    data = tf.data.Dataset.range(count).map(element)
    stage = RaggedBatch(size=4, drop_remainder=drop)
    after = stage.infer(before, scope)
    made = stage.lower(data, low(before, after))
    assert _types(tf, made.element_spec) == {
        name: (one.dtype, one.static_shape, one.ragged_rank) for name, one in after.element.items()
    }
    plain = data.ragged_batch(4, drop)
    found = [
        {name: part.numpy().tolist() if name == "e" else part.to_list() for name, part in one.items()}
        for one in made
    ]
    assert found == [
        {name: part.numpy().tolist() if name == "e" else part.to_list() for name, part in one.items()}
        for one in plain
    ]
    assert len(found) == after.cardinality.count


@pytest.mark.tf
def test_unbatch_undoes_it(run: Any) -> None:
    """Taken apart again, the elements are as they came in, of the types that they had."""
    ran = run("ragged_batch: 3", "unbatch:")
    assert ran.data.element_spec == run().data.element_spec
    rows = [one["numbers"].tolist() for one in ran.data.as_numpy_iterator()]
    assert rows == [[1] * (number % 4) for number in range(10)]
    assert str(ran.stream.element["numbers"]) == "int32[<=3]"


@pytest.mark.tf
@pytest.mark.parametrize(
    "step", ["padded_batch: 4", "ragged_batch: 4", "shuffle: {buffer: 1, reshuffle: false}"]
)
def test_what_was_unbatched_goes_on_like_any_element(step: str, run: Any) -> None:
    """Steps behind `ragged_batch` and `unbatch` make what they make without the two."""
    apart, plain = run("ragged_batch: 3", "unbatch:", step), run(step)
    assert apart.data.element_spec == plain.data.element_spec
    texts = [[str(one["words"]) for one in ran.data] for ran in (apart, plain)]
    assert texts[0] == texts[1]


@pytest.mark.tf
def test_rows_of_several_ragged_levels_keep_the_inner_ones(scope: Any, low: Any) -> None:
    """A row of a component with two ragged dimensions is ragged in one, as TensorFlow types it."""
    import tensorflow as tf

    before = Stream({"a": Tensor("int64", (Dim.at_most(3), Dim.at_most(4)))}, exactly(4))
    data = tf.data.Dataset.range(4).map(
        lambda n: {"a": tf.ensure_shape(tf.fill([n, n + 1], n), [None, None])}
    )
    for stage in (RaggedBatch(size=2, drop_remainder=True), Unbatch()):
        after = stage.infer(before, scope)
        data, before = stage.lower(data, low(before, after)), after
    assert str(before.element["a"]) == "int64[<=3, <=4] ragged"
    assert _types(tf, data.element_spec) == {"a": ("int64", (None, None), 1)}
    assert [one["a"].to_list() for one in data] == [[[n] * (n + 1)] * n for n in range(4)]
