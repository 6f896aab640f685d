"""`ensure_shape`, `parse_tensor`, `random_chunk`, and depths that nobody writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

import safedata
from safedata.ops._fields import RawDtype
from safedata.types import Dim, Tensor, ValueRange
from tests.ops import conformance
from tests.ops.conformance import fault, parse, run, run_batch, run_each

LABEL = Tensor("int64", range=ValueRange(0, 4))
TEXT = Tensor("string", length=Dim.at_most(400))
ROWS = Tensor("int64", (Dim.at_most(9), Dim.exactly(2)))


@pytest.mark.parametrize(
    ("text", "x", "code", "message"),
    [
        ("{ensure_shape: [3]}", ROWS, "SD203", "has 1 size for the 2 dimensions"),
        ("{ensure_shape: [10, null]}", ROWS, "SD203", "dimension 0 of .* is never 10"),
        ("{ensure_shape: [null, 1]}", ROWS, "SD203", "dimension 1 of .* is never 1"),
        ("{parse_tensor: {dtype: int8, shape: [400]}}", ROWS, "SD202", "takes string"),
        (
            "{parse_tensor: {dtype: int8, shape: []}}",
            Tensor("string", (Dim(3),)),
            "SD203",
            "takes one string",
        ),
        ("{parse_tensor: {dtype: int8, shape: [2]}}", conformance.DIGITS, "SD203", "takes one string"),
        (
            "{parse_tensor: {dtype: int8, shape: [2]}}",
            Tensor("string", length=Dim.at_most(7)),
            "SD203",
            "8 bytes or more",
        ),
        ("{random_chunk: 3}", LABEL, "SD203", "needs a dimension"),
        ("one_hot", Tensor("int64"), "SD204", "nothing says how many classes `one_hot` has"),
        ("multi_hot", ROWS, "SD204", "how many classes `multi_hot` has"),
        ("{one_hot: 4}", LABEL, "SD205", "has no place for class numbers of 0..4"),
        ("multi_hot", LABEL, "SD203", "takes several numbers"),
    ],
)
def test_refused(text: str, x: Tensor, code: str, message: str) -> None:
    """What an operation cannot take is an error before the run, with a way out."""
    import re

    found = fault(text, x)
    assert found.code == code
    assert re.search(message, found.message)


@pytest.mark.tf
def test_ensure_shape_changes_nothing(tf: Any) -> None:
    """An element of the named size comes out as it is, with an exact type; another size is an error."""
    import numpy as np

    value = np.arange(6).reshape(3, 2)
    op = parse("{ensure_shape: [3, null]}")
    assert str(op.infer(ROWS)) == "int64[3, 2]"
    assert op.infer(ROWS).shape[0].evidence == "declared"
    np.testing.assert_array_equal(run(tf, op, ROWS, value), tf.ensure_shape(value, [3, None]).numpy())
    np.testing.assert_array_equal(run_batch(tf, op, ROWS, [value, value]), [value, value])
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"SD404: ensure_shape: dimensions must be \[3, any\]"
    ):
        run(tf, op, ROWS, value[:2])


@pytest.mark.tf
@pytest.mark.parametrize("dtype", get_args(RawDtype))
@pytest.mark.parametrize("shape", [[], [1], [3], [2, 130], [1, 1, 5]])
def test_parse_tensor_is_tensorflow_s(tf: Any, dtype: str, shape: list[int]) -> None:
    """What `tf.io.serialize_tensor` writes of any dtype and shape is read as `tf.io.parse_tensor` reads it."""
    import numpy as np

    drawn = np.random.default_rng(len(shape)).integers(0, 2, shape)
    value = tf.cast(tf.constant(drawn), dtype)
    written = tf.io.serialize_tensor(value).numpy()
    x = Tensor("string", length=Dim.at_most(len(written)))
    found = run(tf, f"{{parse_tensor: {{dtype: {dtype}, shape: {shape}}}}}", x, written)
    assert found.dtype == value.numpy().dtype
    np.testing.assert_array_equal(found, tf.io.parse_tensor(written, dtype).numpy())


@pytest.mark.tf
def test_parse_tensor_of_another_writer(tf: Any) -> None:
    """A message with its values in a field of their own, as `tf.make_tensor_proto` writes small ones, is read too."""
    written = tf.make_tensor_proto(7, "int32").SerializeToString()
    assert run(tf, "{parse_tensor: {dtype: int32, shape: []}}", TEXT, written) == 7


@pytest.mark.tf
def test_parse_tensor_finds_other_tensors(tf: Any) -> None:
    """Another dtype, another shape, a string cut off or with a tail, and no tensor at all are errors with a name."""
    whole = tf.io.serialize_tensor(tf.zeros([2, 3], tf.int16)).numpy()
    others = [tf.io.serialize_tensor(tf.zeros(shape, dtype)).numpy() for shape, dtype in
              (([2, 3], tf.int32), ([3, 2], tf.int16), ([2, 30000], tf.int16), ([6], tf.int16))]  # fmt: skip
    for damaged in (*others, whole[:-1], whole + b"\0", whole[:9], b"", b"no tensor"):
        with pytest.raises(
            tf.errors.InvalidArgumentError, match=r"SD404: parse_tensor: this is no int16\[2, 3\]"
        ):
            run(tf, "{parse_tensor: {dtype: int16, shape: [2, 3]}}", TEXT, damaged)


@pytest.mark.tf
def test_random_chunk_is_a_stretch(tf: Any) -> None:
    """Every start comes about as often, an element has one chunk alone and in any batch, short ones stay."""
    import numpy as np

    x = Tensor("int64", (Dim.at_most(10),))
    value = np.arange(10)
    found = np.stack(run_each(tf, "{random_chunk: 7}", x, [value] * 400))
    np.testing.assert_array_equal(found - found[:, :1], [np.arange(7)] * 400)
    counts = np.bincount(found[:, 0], minlength=4)
    assert len(counts) == 4
    assert counts.min() > 60
    np.testing.assert_array_equal(run_batch(tf, "{random_chunk: 7}", x, [value] * 400), found)
    np.testing.assert_array_equal(run(tf, "{random_chunk: 7}", x, value[:5]), value[:5])
    again = np.stack(run_each(tf, "{random_chunk: 7}", x, [value] * 400, epoch=1))
    assert (again != found).any()


@pytest.mark.tf
def test_linked_sequences_keep_one_stretch() -> None:
    """Two sequences of one length that are linked are cut at the same places."""
    spec = """\
safedata: 1
source: {range: 20}
steps:
  - map: {a: "= range(9) + value * 0", b: "= range(9) * 10"}
  - map: {"a, b": [{random_chunk: 4}]}
"""
    rows = list(safedata.load(spec, host="8GiB").as_numpy_iterator())
    assert all((row["a"] * 10 == row["b"]).all() and len(row["a"]) == 4 for row in rows)
    assert len({int(row["a"][0]) for row in rows}) > 2


@pytest.mark.tf
def test_a_depth_from_the_type(tf: Any) -> None:
    """Without a depth there is a place for each number that the type knows of, as for `tf.one_hot` with that depth."""
    import numpy as np

    np.testing.assert_array_equal(run(tf, "one_hot", LABEL, 3), tf.one_hot(3, 5).numpy())
    several = Tensor("int64", (Dim.exactly(2),), range=ValueRange(0, 4))
    np.testing.assert_array_equal(run(tf, "multi_hot", several, [1, 4]), [0, 1, 0, 0, 1])


SPEC = """\
safedata: 1
artifacts: {cities: cities.txt}
source: {csv: {path: rows.csv}}
steps:
  - map: {hot: [{from: city}, {vocab_lookup: {artifact: cities}}, %s], city: [{substr: {len: 1}}]}
"""


@pytest.mark.tf
@pytest.mark.parametrize(
    ("entry", "depth"),
    [
        ("{one_hot: {artifact: cities}}", 4),
        ("one_hot", 4),
        ("{one_hot: {artifact: cities, num_oov_indices: 3}}", 6),
    ],
)
def test_a_depth_from_an_artifact(tmp_path: Path, entry: str, depth: int) -> None:
    """With the artifact of `vocab_lookup` there is a place for each number that it gives."""
    (tmp_path / "cities.txt").write_text("oslo\nrome\nbonn\n", encoding="utf-8")
    (tmp_path / "rows.csv").write_text("city\nrome\nparis\nbonn\n", encoding="utf-8")
    spec = tmp_path / "s.yaml"
    spec.write_text(SPEC % entry, encoding="utf-8")
    rows = list(safedata.load(spec, host="8GiB").as_numpy_iterator())
    assert [row["hot"].argmax() for row in rows] == [2, 0, 3]
    assert {row["hot"].shape for row in rows} == {(depth,)}


@pytest.mark.parametrize(
    ("entry", "code", "message"),
    [
        ("{one_hot: {artifact: cities, depth: 4}}", "SD105", "`artifact` gives `depth`"),
        ("{one_hot: {num_oov_indices: 4}}", "SD105", "stands beside `artifact`"),
        ("{one_hot: {artifact: cites}}", "SD424", "no artifact `cites`"),
        ("{one_hot: {artifact: cities, num_oov_indices: 0}}", "SD205", "`one_hot: 3` has no place"),
        ("{one_hot: {artifact: cities, num_oov_indices: -1}}", "SD105", "num_oov_indices"),
    ],
)
def test_a_depth_that_does_not_fit(tmp_path: Path, entry: str, code: str, message: str) -> None:
    """A depth that an artifact cannot give, or that is too small, is one error."""
    (tmp_path / "cities.txt").write_text("oslo\nrome\nbonn\n", encoding="utf-8")
    (tmp_path / "rows.csv").write_text("city\nrome\n", encoding="utf-8")
    spec = tmp_path / "s.yaml"
    spec.write_text(SPEC % entry, encoding="utf-8")
    found = [problem for problem in safedata.check(spec, host="8GiB").problems if problem.severity == "error"]
    assert [problem.code for problem in found] == [code]
    assert message in found[0].message
