"""`parse_example` and `parse_sequence_example`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import safedata
from safedata.lowering import Call
from safedata.problem import DataError, Fault, SpecError
from safedata.types import Dim, Tensor
from tests.ops.conformance import example, parse, steps
from tests.ops.joint import fault, numbers, read, run, traced
from tests.proc import ONLY_LINUX

RECORD = Tensor("string", length=Dim.at_most(100, "measured"))
FIELDS = "{label: {dtype: int64, default: -1}, box: 'float32[2]', tokens: 'int64[<=8]', WORDS}".replace(
    "WORDS", "words: {dtype: string, kind: variable}"
)
TEXT = f"{{parse_example: {{features: {FIELDS}}}}}"
ROWS: list[dict[str, Any]] = [
    {"label": [3], "box": [0.5, 1.5], "tokens": [1, 2, 3], "words": [b"a", b"bc"]},
    {"box": [2.5, 3.5]},
    {"label": [0], "box": [0.5, 0.5], "tokens": [9]},
]


def test_types() -> None:
    """Declared bounds are those declared; others are what the bytes of a record have room for."""
    types = read(TEXT).infer_all((RECORD,))
    assert [str(one) for one in types] == ["int64[]", "float32[2]", "int64[<=8]", "string[<=100B][<=50]"]
    assert types[2].evidence == "declared"
    assert types[3].evidence == "measured"


@pytest.mark.tf
def test_records_are_what_was_written(tf: Any) -> None:
    """A record's features are those that it has, defaults where it has none, and empty where they vary."""
    for row in ROWS:
        label, box, tokens, words = run(tf, TEXT, [RECORD], [example(**row)])
        assert label == row.get("label", [-1])[0]
        assert box.tolist() == row["box"]
        assert tokens.tolist() == row.get("tokens", [])
        assert words.tolist() == row.get("words", [])


@pytest.mark.tf
def test_a_batch_is_its_records(tf: Any, tmp_path: Path) -> None:
    """Behind `batch` fixed features are stacked and the others are ragged rows, of the types that a check gives."""
    with tf.io.TFRecordWriter(str(tmp_path / "x.tfrecord")) as file:
        for row in ROWS:
            file.write(example(whole=[example(**row)]))
    spec = f"""safedata: 1
source: {{tfrecord: {{path: x.tfrecord, features: {{whole: string}}}}}}
steps:
  - batch: 2
  - map: {{"label, box, tokens, words": [{{from: whole}}, {{parse_example: {{features: {FIELDS}}}}}]}}
  - map: {{padded: [{{from: tokens}}, to_dense]}}
output: {{label: label, box: box, tokens: tokens, words: words, padded: padded}}
"""
    with safedata.open(spec, folder=tmp_path) as pipeline:
        data = pipeline.dataset
        assert str(data.element_spec["tokens"]) == (
            "RaggedTensorSpec(TensorShape([None, None]), tf.int64, 1, tf.int64)"
        )
        first, last = list(data)
    assert first["label"].numpy().tolist() == [3, -1]
    assert first["box"].numpy().tolist() == [[0.5, 1.5], [2.5, 3.5]]
    assert first["tokens"].to_list() == [[1, 2, 3], []]
    assert first["padded"].numpy().tolist() == [[1, 2, 3], [0, 0, 0]]
    assert first["words"].to_list() == [[b"a", b"bc"], []]
    assert (last["tokens"].to_list(), last["words"].to_list()) == ([[9]], [[]])


@pytest.mark.tf
@pytest.mark.parametrize("batched", [False, True])
def test_sequences(tf: Any, batched: bool) -> None:
    """Steps are rows of their shape, in a record and in a batch, none where a record has no such sequence."""
    text = (
        "{parse_sequence_example: {features: {x: {dtype: float32, kind: sequence, shape: [2]}, id: "
        "{dtype: int64, default: 7}, y: {dtype: int64, kind: sequence, max: 3}}}}"
    )
    lists: list[dict[str, Any]] = [{"x": [[0.5, 1.5], [2.5, 3.5]], "y": [[1], [2], [3]]}, {"y": [[4]]}]
    assert [str(one) for one in read(text).infer_all((RECORD,))] == [
        "float32[<=50, 2]",
        "int64[]",
        "int64[<=3]",
    ]
    records = [steps(**one) for one in lists]
    if batched:
        op = read(text)
        found = op.lower_all((tf.constant(records),), Call(tf, RECORD, RECORD, 1), (RECORD,))
        rows = list(
            zip(*(one.to_list() if hasattr(one, "to_list") else one.numpy() for one in found), strict=True)
        )
    else:
        rows = [tuple(one.tolist() for one in run(tf, text, [RECORD], [one])) for one in records]
    assert rows == [
        ([[0.5, 1.5], [2.5, 3.5]], 7, [1, 2, 3]),
        ([], 7, [4]),
    ]


def words(tf: Any, *rows: list[str]) -> bytes:
    """Return a sequence example whose step `w` has these words; a step without any has no list, as some writers do."""
    lists = [tf.train.BytesList(value=[one.encode() for one in row]) for row in rows]
    made = [tf.train.Feature(bytes_list=one) if one.value else tf.train.Feature() for one in lists]
    found = tf.train.FeatureLists(feature_list={"w": tf.train.FeatureList(feature=made)})
    return bytes(tf.train.SequenceExample(feature_lists=found).SerializeToString())


RAGGED = "{parse_sequence_example: {features: {w: {dtype: string, kind: ragged_sequence, MOST}}}}"
TEXTS: list[list[list[str]]] = [[["a", "bc"], [], ["d"]], [[]], []]


@pytest.mark.tf
def test_ragged_sequences(tf: Any) -> None:
    """Steps with numbers of values of their own are a row each, as `RaggedFeature` reads them, within their bounds."""
    op = read(RAGGED.replace("MOST", "max_rows: 3, max: 2"))
    assert [str(one) for one in op.infer_all((RECORD,))] == ["string[<=100B][<=3, <=2]"]
    assert str(read(RAGGED.replace(", MOST", "")).infer_all((RECORD,))[0]) == "string[<=100B][<=50, <=50]"
    spec = {"w": tf.io.RaggedFeature(tf.string, row_splits_dtype=tf.int64)}
    for rows in TEXTS:
        record = words(tf, *rows)
        [made] = op.lower_all((tf.constant(record),), Call(tf, RECORD, RECORD, 0), (RECORD,))
        assert made.to_list() == tf.io.parse_single_sequence_example(record, None, spec)[1]["w"].to_list()
        assert made.to_list() == [[one.encode() for one in row] for row in rows]
    for rows, what in (([["a"]] * 4, "rows must be at most 3"), ([["a"] * 3], "a row must be at most 2")):
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"SD501: w: {what}"):
            op.lower_all((tf.constant(words(tf, *rows)),), Call(tf, RECORD, RECORD, 0), (RECORD,))


@pytest.mark.tf
def test_ragged_sequences_of_a_source(tf: Any, tmp_path: Path) -> None:
    """A source finds the most steps and the most values of one; padded they are a batch, and behind it refused."""
    with tf.io.TFRecordWriter(str(tmp_path / "x.tfrecord")) as file:
        for rows in TEXTS:
            file.write(words(tf, *rows))
    spec = """safedata: 1
source: {tfrecord: {path: x.tfrecord, features: {w: {dtype: string, kind: ragged_sequence}}}}
steps: [{map: {w: [to_dense]}}, {padded_batch: 3}]
"""
    with safedata.open(spec, folder=tmp_path) as pipeline:
        assert pipeline.verdict.plan is not None
        assert str(pipeline.verdict.plan.steps[-1].after.element["w"]) == "string[<=2B][<=3, <=3, <=2]"
        [only] = pipeline.dataset
        assert only["w"].numpy().tolist() == [
            [[b"a", b"bc"], [b"", b""], [b"d", b""]],
            *[[[b"", b""]] * 3] * 2,
        ]
    step = RAGGED.replace(", MOST", "").replace("w:", "r:")
    late = f"""safedata: 1
source: {{synthetic: {{count: 2, components: {{whole: "string[<=90]"}}}}}}
steps: [{{batch: 2}}, {{map: {{r: [{{from: whole}}, {step}]}}}}]
"""
    [problem] = safedata.check(late, host="64GiB").problems
    assert (
        problem.message == "the rows of `r` differ in length in each record, and this is a batch of records"
    )


@pytest.mark.tf
def test_what_is_too_much(tf: Any) -> None:
    """More values than declared are SD501 with the feature's name, in a record and in a batch."""
    text = "{parse_example: {features: {tokens: 'int64[<=2]'}}}"
    record = example(tokens=[1, 2, 3])
    with pytest.raises(tf.errors.InvalidArgumentError, match="SD501: tokens: dimensions must be"):
        run(tf, text, [RECORD], [record])
    with pytest.raises(tf.errors.InvalidArgumentError, match="SD501: tokens: a row must be at most 2"):
        read(text).lower_all((tf.constant([b"", record]),), Call(tf, RECORD, RECORD, 1), (RECORD,))


@pytest.mark.tf
@pytest.mark.parametrize("record", [b"\xff\xfe\x80garbage\xe9", example(a=[1])[:-3], b"hello"])
def test_a_record_that_is_none(tf: Any, tmp_path: Path, record: bytes) -> None:
    """Bytes that are no example are an error that can be read, and under `on_error: skip` they are left out."""
    with pytest.raises(tf.errors.InvalidArgumentError, match="SD404: a record that is no example"):
        run(tf, "{parse_example: {features: {a: int64}}}", [RECORD], [record])
    with pytest.raises(tf.errors.DataLossError, match=r"skipping|consume|ReadValue"):
        run(tf, "{parse_sequence_example: {features: {a: int64}}}", [RECORD], [record])
    with tf.io.TFRecordWriter(str(tmp_path / "x.tfrecord")) as file:
        for one in (example(a=[1]), record, example(b=[1]), example(a=[2])):
            file.write(example(whole=[one]))
    spec = """safedata: 1
runtime: {on_error: skip}
source: {tfrecord: {path: x.tfrecord, features: {whole: string}}}
steps: [{map: {a: [{from: whole}, {parse_example: {features: {a: int64}}}]}}]
output: [a]
"""
    assert [int(a) for (a,) in safedata.load(spec, folder=tmp_path)] == [1, 2]


@pytest.mark.tf
def test_two_batch_dimensions(tf: Any) -> None:
    """Fixed features of batches of batches are stacked as these are; a fixed shape is known to the graph."""
    op = "{parse_example: {features: {box: 'float32[2]'}}}"
    records = [[example(box=[0.5, 1.5]), example(box=[2.5, 3.5])]]
    made = traced(tf, op, [RECORD], (1, None))([tf.constant(records)], tf.constant([[0, 1]], tf.int64))
    assert made[0].numpy().tolist() == [[[0.5, 1.5], [2.5, 3.5]]]


@pytest.mark.parametrize(
    ("fields", "code", "message"),
    [
        ("{a: {dtype: int64, kind: sequence}}", "SD105", "an example has no steps, and `a` is a sequence"),
        ("{a: int64, b: {dtype: float32, key: a}}", "SD105", "`a` and `b` read the same feature `a`"),
        ("{a: {dtype: int64, max: 3}}", "SD103", "a fixed feature of int64 takes no `max`"),
        ("{a: {dtype: int64, default: x}}", "SD105", "the `default` of a feature of int64 is not `x`"),
    ],
)
def test_fields_that_do_not_fit(fields: str, code: str, message: str) -> None:
    """Features that no example has, or that read the same, and defaults that do not fit, are refused."""
    with pytest.raises(Fault, match=message) as caught:
        parse(f"{{parse_example: {{features: {fields}}}}}")
    assert caught.value.code == code


def test_what_it_takes() -> None:
    """It takes one string; without a bound on its bytes every feature that varies needs its own."""
    assert fault(TEXT, numbers(2)).code == "SD203"
    assert fault(TEXT, RECORD, RECORD).code == "SD216"
    assert fault(TEXT, Tensor("int64")).code == "SD202"
    found = fault("{parse_example: {features: {a: {dtype: int64, kind: variable}}}}", Tensor("string"))
    assert (found.code, found.at) == ("SD204", ("features", "a"))


def test_places(tmp_path: Path) -> None:
    """A fault of one feature points at it, and ragged features of a record are refused behind `batch`."""
    (tmp_path / "x.txt").write_text("a\n")
    spec = """safedata: 1
source: {text: x.txt}
steps:
  - batch: 2
  - map:
      r: [{from: text}, {parse_example: {features: {a: {dtype: int64, kind: ragged, row_lengths: n}}}}]
      b: [{from: text}, {parse_example: {features: {a: {dtype: int64, default: x}}}}]
"""
    with pytest.raises(SpecError) as caught:
        safedata.load(spec, folder=tmp_path)
    [wrong] = [one for one in caught.value.problems if one.code == "SD105"]
    assert wrong.span is not None
    assert wrong.span.line == 7
    fixed = spec.replace("default: x", "default: 1")
    with pytest.raises(SpecError, match="the rows of `a` differ in length in each record"):
        safedata.load(fixed, folder=tmp_path)


def ints(count: int) -> bytes:
    """Return an example with so many int64 values."""
    values = bytes(count)
    inner = b"\x0a" + varint(len(values)) + values
    feature = b"\x1a" + varint(len(inner)) + inner
    entry = b"\x0a\x01a\x12" + varint(len(feature)) + feature
    entries = b"\x0a" + varint(len(entry)) + entry
    return b"\x0a" + varint(len(entries)) + entries


def varint(number: int) -> bytes:
    """Return a number of the protobuf wire format."""
    found = b""
    while number > 127:
        found += bytes([number & 127 | 128])
        number >>= 7
    return found + bytes([number])


@pytest.mark.slow
@pytest.mark.tf
@ONLY_LINUX
@pytest.mark.parametrize("count", [1, 40])
def test_measured_is_below_the_bound(peak: Any, count: int) -> None:
    """What a batch of records with many values takes is bounded, and by no more than twice as much."""
    values, large = 100_000, ints(100_000)
    op = read(f"{{parse_example: {{features: {{a: 'int64[<={values}]'}}}}}}")
    x = Tensor("string", length=Dim.at_most(len(large)))
    ys = op.infer_all((x,))
    used = peak(
        f"{{parse_example: {{features: {{a: 'int64[<={values}]'}}}}}}", x, [[ints(3)] * 2, [large] * count]
    )
    bound = (op.batch_workspace_all((x,), ys, count) or 0) + count * (ys[0].bytes or 0)
    assert used < bound + 256 * 1024
    assert count == 1 or bound < 2 * used


SHORT = "{label: int64, box: 'float32[2]'}"
STEPS = "{label: int64, box: {dtype: float32, kind: sequence, max: 9}}"
WRONG = [
    ("parse_example", SHORT, {"box": [0.5, 1.0]}, "label .* is required but could not be found"),
    ("parse_example", SHORT, {"label": [1], "box": [0.5]}, "Key: box.*Values size: 1 but output shape"),
    (
        "parse_example",
        SHORT,
        {"label": [b"x"], "box": [0.5, 1.0]},
        "Key: label.*string but expected type: int64",
    ),
    ("parse_sequence_example", STEPS, {}, "`label` must have 1 values and has 0"),
    (
        "parse_sequence_example",
        STEPS,
        {"label": [0.5]},
        "label.*expected type: int64|label.*Expected type: int64",
    ),
]


@pytest.mark.tf
@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize(("name", "fields", "row", "message"), WRONG)
def test_a_record_without_what_is_declared(
    tf: Any, tmp_path: Path, name: str, fields: str, row: dict[str, Any], message: str, batched: bool
) -> None:
    """A feature that is missing, has other values or another dtype fails with a code and the record's place."""
    bad = example(**row)
    if name == "parse_sequence_example":  # a context has the bytes of an example's features
        bad = tf.train.SequenceExample(context=tf.train.Example.FromString(bad).features).SerializeToString()
    with tf.io.TFRecordWriter(str(tmp_path / "x.tfrecord")) as file:
        file.write(example(whole=[bad]))
    spec = f"""safedata: 1
source: {{tfrecord: {{path: x.tfrecord, features: {{whole: string}}}}}}
steps:
  {"- batch: 1" if batched else ""}
  - map: {{"label, box": [{{from: whole}}, {{{name}: {{features: {fields}}}}}]}}
"""
    with pytest.raises(DataError, match=rf"error\[SD404\].*({message}).*x.tfrecord record 0") as caught:
        safedata.build(spec, folder=tmp_path)
    assert caught.value.problems[0].code == "SD404"


def test_names_in_another_order(tmp_path: Path) -> None:
    """Features go by their place, so a chain that names them in another order is an error."""
    text = """safedata: 1
source: {synthetic: {count: 2, components: {whole: "string[<=90]"}}}
steps: [{map: {"box, label": [{from: whole}, {parse_example: {features: {label: int64, box: float32}}}]}}]
"""
    [problem] = safedata.check(text, host="64GiB").problems
    assert problem.code == "SD216"
    assert problem.message == (
        "`parse_example` makes label, box in this order, and `box, label` gives `box` to another one"
    )
    assert problem.help == "name them in its order: `label, box: [...]`"
    other = text.replace("box, label", "bounds, class")
    assert safedata.check(other, host="64GiB").problems == ()
