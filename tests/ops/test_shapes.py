"""Operations on dimensions and entries: `slice`, `gather`, `transpose`, `sort`, the reductions and others."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from safedata.lowering import Call
from safedata.types import UNBOUNDED, Dim, Tensor, ValueRange
from tests.ops.conformance import BOOLS, EXACT, LABEL, LABELS, TEXTS, VECTOR, fault, parse, run, run_batch

BOX = Tensor("float32", (Dim.exactly(2), Dim.exactly(3)))
VALUES = [[3.0, -1.0, 2.0], [5.0, 5.0, 0.5]]
ROWS = Tensor("int64", (Dim.at_most(4), Dim.at_most(5)), ragged_rank=1)


@pytest.mark.tf
def test_are_tensorflow(tf: Any) -> None:
    """Results are those of TensorFlow's own operation, of an element and of a batch."""
    x = tf.constant(VALUES)
    for text, expected in [
        ("{gather: [1, 0, 1]}", tf.gather(x, [1, 0, 1])),
        ("{gather: {indices: -1, axis: 1}}", x[:, -1]),
        ("{expand_dims: 1}", tf.expand_dims(x, 1)),
        ("transpose", tf.transpose(x)),
        ("{reverse: [0, 1]}", tf.reverse(x, [0, 1])),
        ("sort", tf.sort(x)),
        ("{sort: {direction: DESCENDING, axis: 0}}", tf.sort(x, 0, "DESCENDING")),
        ("argmax", tf.argmax(x, -1)),
        ("{clip: [0, 2.5]}", tf.clip_by_value(x, 0.0, 2.5)),
        ("{reduce_sum: 0}", tf.reduce_sum(x, 0)),
        ("reduce_mean", tf.reduce_mean(x)),
        ("{reduce_max: -1}", tf.reduce_max(x, -1)),
        ("{reduce_min: 1}", tf.reduce_min(x, 1)),
        ("{slice: {start: 1, axis: -1}}", x[:, 1:]),
    ]:
        assert run(tf, text, BOX, VALUES).tolist() == expected.numpy().tolist(), text
        assert run_batch(tf, text, BOX, [VALUES, VALUES])[1].tolist() == expected.numpy().tolist(), text


@pytest.mark.tf
@pytest.mark.parametrize("start", [None, 0, 2, 9, -1, -3])
@pytest.mark.parametrize("stop", [None, 0, 3, -1, -4])
@pytest.mark.parametrize("step", [1, 2])
def test_slices_are_pythons(tf: Any, start: int | None, stop: int | None, step: int) -> None:
    """Every slice is Python's, and its bound the largest over all lengths up to the dimension's, or above."""
    fields = {"start": start, "stop": stop, "step": step}
    text = f"{{slice: {{{', '.join(f'{name}: {value}' for name, value in fields.items() if value is not None)}}}}}"
    sizes = range(7)
    for size in sizes:
        made = parse(text).infer(Tensor("int64", (Dim.exactly(size),)))
        assert made.shape[0].static == len(range(size)[start:stop:step])
    bound = parse(text).infer(Tensor("int64", (Dim.at_most(6),))).shape[0].most
    assert bound == max(len(range(size)[start:stop:step]) for size in sizes)
    open_ended = parse(text).infer(Tensor("int64", (UNBOUNDED,))).shape[0].most
    largest = max(len(range(size)[start:stop:step]) for size in (*range(12), 100, 101))
    assert open_ended == (largest if largest < 40 else None)
    x = Tensor("int64", (Dim.at_most(6),))
    for size in (0, 1, 5):
        assert run(tf, text, x, list(range(size))).tolist() == list(range(size))[start:stop:step]


@pytest.mark.tf
def test_entries_that_are_not_there(tf: Any) -> None:
    """Where the type tells it is an error before the run, elsewhere one with its place."""
    assert fault("{gather: 3}", LABELS).code == "SD203"
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"SD404: gather needs 3 entries in dimension 0"):
        run(tf, "{gather: 2}", TEXTS, ["a", "b"])
    with pytest.raises(tf.errors.InvalidArgumentError, match="SD404: argmax needs an entry"):
        run(tf, "{argmax: 0}", VECTOR, [[0.0] * 4] * 0 or tf.zeros([0, 4]))


def test_types() -> None:
    """Dimensions come, go and change places; ranges hold what can come."""
    assert str(parse("squeeze").infer(Tensor("int8", (Dim.exactly(1), Dim.at_most(1))))) == "int8[<=1]"
    assert str(parse("{transpose: [1, 0]}").infer(VECTOR)) == "float32[4, <=5]"
    assert parse("argmax").infer(VECTOR).range == ValueRange(0, 3)
    assert parse("{clip: [1, 9]}").infer(LABEL).range == ValueRange(1, 4)
    assert parse("reduce_sum").infer(LABELS).range == ValueRange(0, 12)
    assert parse("{reduce_sum: -1}").infer(EXACT).range is None  # 3 x 255 runs over in uint8
    assert parse("reduce_max").infer(Tensor("int64", (Dim.at_most(3),), range=ValueRange(0, 4))).range is None


@pytest.mark.parametrize(
    ("text", "x", "code"),
    [
        ("{squeeze: 0}", LABELS, "SD203"),
        ("{transpose: [1, 0]}", LABELS, "SD203"),
        ("{expand_dims: 3}", LABELS, "SD203"),
        ("{reduce_mean: 0}", LABELS, "SD202"),
        ("{clip: [0.5, 1]}", LABEL, "SD205"),
        ("{multi_hot: 4}", LABELS, "SD205"),
        ("{sort: ASCENDING}", BOOLS, "SD202"),
        ("{reduce_sum: 0}", ROWS, "SD203"),
        ("{to_dense: [2]}", ROWS, "SD203"),
        ("{to_dense: {value: x}}", ROWS, "SD202"),
    ],
)
def test_faults(text: str, x: Tensor, code: str) -> None:
    """What does not fit is an error before the run."""
    assert fault(text, x).code == code


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{transpose: [0, 0]}", "`perm` names each dimension once"),
        ("{clip: [2, 1]}", "the lower end 2 is above the upper one 1"),
    ],
)
def test_fields(text: str, message: str) -> None:
    """Fields that contradict themselves are errors."""
    with pytest.raises(ValidationError, match=message):
        parse(text)


@pytest.mark.tf
def test_multi_hot_is_keras_category_encoding(tf: Any) -> None:
    """The vector has 1 at every number, however often it comes, and zeros for no numbers."""
    layer = tf.keras.layers.CategoryEncoding(5, output_mode="multi_hot")
    x = Tensor("int64", (Dim.at_most(4),))
    for value in ([0, 2, 2], [4]):
        assert run(tf, "{multi_hot: 5}", x, value).tolist() == layer(tf.constant(value)).numpy().tolist()
    assert run(tf, "{multi_hot: 5}", x, tf.zeros([0], tf.int64)).tolist() == [0] * 5


@pytest.mark.tf
@pytest.mark.parametrize("batch", [0, 1])
def test_ragged_rows(tf: Any, batch: int) -> None:
    """Rows are filled up and reduced as TensorFlow does it, in a batch too."""
    ragged = tf.ragged.constant([[3, 1], [], [2]] if not batch else [[[3, 1], []], [[2]]], dtype=tf.int64)
    x = Tensor("int64", ROWS.shape, ragged_rank=1 + batch)

    def lowered(text: str) -> Any:
        op = parse(text)
        return op.lower(ragged, Call(tf, x, op.infer(x), batch))

    assert lowered("{to_dense: {value: -1}}").numpy().tolist() == ragged.to_tensor(-1).numpy().tolist()
    wide = ragged.to_tensor(0, shape=[*(None,) * (1 + batch), 4])
    assert lowered("{to_dense: [null, 4]}").numpy().tolist() == wide.numpy().tolist()
    assert parse("{to_dense: [null, 4]}").infer(x) == Tensor("int64", (ROWS.shape[0], Dim.exactly(4)))
    sums = tf.reduce_sum(ragged, axis=1 + batch)
    found = lowered("{reduce_sum: -1}")
    assert (found.to_list() if batch else found.numpy().tolist()) == ([[4, 0], [2]] if batch else [4, 0, 2])
    assert type(found) is type(sums)
    assert parse("{reduce_sum: -1}").infer(x).ragged_rank == batch
    assert lowered("{clip: [2, 9]}").to_list() == tf.clip_by_value(ragged, 2, 9).to_list()
