"""Which expressions can find values bad at run time, and what they say then."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import safedata
from safedata.expr import parse
from safedata.insist import Where
from safedata.problem import DataError
from safedata.said import worded
from safedata.types import Dim, Tensor, ValueRange

SAFE = [
    "y[0] + y[-3]", "y[n // 2]", "wide[1, 2]", "x[:n]", "x * 2", "x + x[::-1]", "x - mean(x)", "n // 2",
    "n // (n + 1)", "x // 0.5", "n ** 2", "n ** n", "gather([1, 2, 3, 4, 5, 6], n)", "gather(x, argsort(x))",
    "argmax(y)", "sort(x) + x", "boolean_mask(x, x > 0)", "concat(x, y)", "stack(x, abs(x))",
    "reshape(x, [-1])", "reshape(image, [-1, 3])", "reshape(boxes, [-1, 2, 2])", "reshape(wide, [3, 2])",
    "reshape(x, [-1, 1])", "substr(s, 0, 9)", "cumsum(x) - x", "boxes - mean(boxes, axis=0)",
    "squeeze(wide[:1], 0)", "matmul(boxes, transpose(boxes))", "boxes - max(boxes, axis=1, keepdims=true)",
    "image * image[..., :1]", "where(x > 0, x, 0)", "image[:, :, 0] > mean(image, axis=-1)", "x[:n] + x[:n]",
    "boxes[:, None, :] + boxes[None]", "segment_mean(x, range(len(x)), 8)[:8]", "x in [1.0] and x > 0",
    "expand_dims(x, 0) * x[None]", "x / (x + 3)", "one_hot(range(len(x)), 8) * x[:, None]",
    "gather(x, argsort(x)[:2])",
    "median(y) + quantile(wide, 0.1)", "where(range(len(x)) < n, x, 0)",
    "split(s, '/', 3)[0]", "scatter(y, [4, 0, n], 6)",
]  # fmt: skip
BAD = [
    ("x[0]", r"x\[0\]: there is no such position; got 0 of 0"),
    ("y[n]", r"y\[n\]: there is no such position; got 5 of 3"),
    ("y[many]", r"there is no such position; got 9 of 3"),
    ("image[0, n]", r"there is no such position; got 0 of 0"),
    ("n // (n - 5)", r"n // \(n - 5\): a division by zero, in"),
    ("many % (n - 5)", r"a division by zero"),
    ("n ** (4 - many)", r"an integer to a negative power; got -5"),
    ("gather(y, n)", r"a position that is not there, counted from 0; got 5"),
    ("x + y", r"x \+ y: these sizes must be equal, or 1; got 0 and 3"),
    ("where(x > 0, y, 1)", r"these sizes must be equal, or 1"),
    ("boolean_mask(y, x > 0)", r"these sizes must be equal; got 3 and 0"),
    ("segment_mean(y, int64(x), 4)", r"these sizes must be equal"),
    ("scatter(y, [4, n, 2], 5)", r"a position that is not among 5, counted from 0; got 5"),
    ("scatter(y, int64(x), 5)", r"these sizes must be equal"),
    ("concat(image, mask[..., None], axis=-1)", r"these sizes must be equal; got 0, 0 and 1, 1"),
    ("stack(x, y)", r"these sizes must be equal; got 0 and 3"),
    ("matmul(transpose(boxes), reshape(wide, [3, 2]))", r"these sizes must be equal; got 4 and 3"),
    ("reshape(x, [2, 2])", r"these do not fill \[2, 2\]: the values; got 0"),
    ("reshape(boxes, [-1, 3])", r"these do not fill \[-1, 3\]: the values; got 16"),
    ("squeeze(x, 0)", r"an axis of another size than 1; got 0"),
    ("argmax(x)", r"the largest of no values"),
    ("argmin(image, axis=2)", None),
    ("median(x)", r"a quantile of no values"),
    ("substr(s, n, 2)", r"a start outside of the string; got 5 of 2 bytes"),
    ("substr(s, -3, 2)", r"a start outside of the string; got -3 of 2 bytes"),
    ("to_number(s)", r"to_number\(s\): text that is no float32; got ab"),
    ('to_number(digits, "int32")', r"text that is no int32; got 99999999999"),
    ('timestamp(s, "%Y-%m")', r"text that is no date of the form %Y-%m; got ab"),
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def as_written() -> Iterator[None]:
    """Graphs run as they are built, as those of a pipeline do: else a `reshape` may come before its check."""
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})


Function = Callable[[dict[str, Any]], Any]


def traced(text: str, element: dict[str, Tensor], tf: Any, batch: int = 0, *, held: bool = True) -> Function:
    """Return an expression as a graph that knows no size; it checks what may be bad, as a map does, if `held`."""
    made = parse(text)
    lead = [None] * batch
    given = {n: tf.TensorSpec([*lead, *t.static_shape], t.dtype) for n, t in element.items()}
    guards = made.guards(element, Where(tf, "a.jsonl line 7")) if held else {}

    @tf.function(input_signature=[given], autograph=False)  # type: ignore[untyped-decorator]  # no types
    def compute(values: dict[str, Any]) -> Any:
        return made.lower(tf, values, batch, 0, guards)

    return compute  # type: ignore[no-any-return]  # no types


@pytest.mark.parametrize("text", SAFE)
def test_what_no_value_is_bad_for(text: str, element: dict[str, Tensor]) -> None:
    """Ranges, exact sizes and sizes that are one and the same say that nothing can fail."""
    assert not parse(text).fails(element)


@pytest.fixture(scope="module")
def poor(tf: Any) -> dict[str, Any]:
    """An element whose values are bad for much: empty, uneven, no numbers."""
    import numpy as np

    return {
        "image": tf.zeros([0, 0, 3], "uint8"), "mask": tf.zeros([1, 1], "uint8"), "boxes": tf.zeros([4, 4]),
        "x": tf.zeros([0]), "y": tf.zeros([3]), "wide": tf.zeros([2, 3], "int64"), "flags": tf.zeros([3], "bool"),
        "n": tf.constant(5, "int64"), "small": tf.constant(0, "int8"), "many": tf.constant(9),
        "half": tf.zeros([3], "float16"), "double": tf.constant(np.float64(0)), "flag": tf.constant(False),
        "s": tf.constant("ab"), "words": tf.constant(["a", "b"]), "digits": tf.constant("99999999999"),
    }  # fmt: skip


@pytest.mark.tf
@pytest.mark.parametrize(("text", "message"), [(text, message) for text, message in BAD if message])
def test_what_is_said_of_bad_values(
    text: str, message: str, element: dict[str, Tensor], poor: dict[str, Any], tf: Any
) -> None:
    """The code, the piece of the expression, what was found and the element's place are in the message."""
    assert parse(text).fails(element)
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        traced(text, element, tf)(poor)
    said = worded(str(caught.value))
    assert said.startswith("SD404: ")
    assert said.endswith("in a.jsonl line 7")
    assert re.search(message, said), said


def near(found: Any, wanted: Any, tf: Any) -> None:
    """Hold values against those wanted; sums of floats may be added up in another order."""
    if wanted.dtype.is_floating:
        tf.debugging.assert_near(found, wanted, rtol=1e-4, atol=1e-4)
    else:
        assert bool(tf.reduce_all(found == wanted))


@pytest.mark.tf
@pytest.mark.parametrize(
    "text", [*(text for text, _ in BAD if not re.match(r"boolean_mask|scatter", text)), *SAFE]
)
def test_a_check_changes_no_result(
    text: str, element: dict[str, Tensor], tf: Any, drawn: Callable[[int], dict[str, Any]]
) -> None:
    """What TensorFlow computes comes out, in a batch too; what it fails on is said, and nothing else is refused.

    But for a mask of another size, which TensorFlow takes for one with false at its end, and for what `scatter` would
    leave out.
    """
    plain, checked = traced(text, element, tf, held=False), traced(text, element, tf)
    batched = traced(text, element, tf, 1) if parse(text).batchable else None
    tried = 0
    for values in map(drawn, range(40)):
        try:
            wanted = plain(values)
        except tf.errors.InvalidArgumentError:
            with pytest.raises(tf.errors.InvalidArgumentError, match="SD404: "):
                checked(values)
            continue
        tried += 1
        near(checked(values), wanted, tf)
        if batched is not None:
            batch = {name: tf.stack([value, value]) for name, value in values.items()}
            near(batched(batch), tf.stack([wanted, wanted]), tf)
    assert tried


@pytest.fixture(scope="session")
def drawn(tf: Any, element: dict[str, Tensor]) -> Callable[[int], dict[str, Any]]:
    """Return an element of any sizes and values that its types allow, the smallest and largest often."""
    import numpy as np

    def size(dim: Dim, rng: Any) -> int:
        most = dim.most or 0
        return most if dim.exact else int(rng.choice([0, 1, most, rng.integers(0, most + 1)]))

    def one(tensor: Tensor, rng: Any) -> Any:
        shape = [size(dim, rng) for dim in tensor.shape]
        if tensor.dtype == "string":
            texts = ["", "7", "-12", "1.5", "ab", "2024-02", "a/b.c", "x" * (tensor.length.most or 1)]
            return tf.constant(rng.choice(texts, shape).tolist(), "string")
        spread = tensor.range or ValueRange(0, 255) if tensor.dtype != "int8" else ValueRange(-128, 127)
        if tensor.dtype.startswith("int") and tensor.range is None:
            spread = ValueRange(-9, 9)
        drawn = np.asarray(rng.uniform(spread.low, spread.high + (tensor.dtype[0] in "iu"), shape))
        return tf.cast(tf.constant(np.floor(drawn) if tensor.dtype[0] in "iu" else drawn), tensor.dtype)

    def make(seed: int) -> dict[str, Any]:
        rng = np.random.default_rng(seed)
        return {name: one(tensor, rng) for name, tensor in element.items()}

    return make


ROWS = ({"a": [3, 4], "n": 1, "s": "12"}, {"a": [], "n": 0, "s": "x"}, {"a": [5], "n": 2, "s": "2024-02"})
FAIL = [
    ("= a[0]", 2), ("= a[n]", 1), ("= gather(a, [0, 1])", 1), ("= 9 // n", 2), ("= 9 % n", 2), ("= 2 ** (n - 1)", 2),
    ("= to_number(s)", 1), ("= substr(s, 2, 1)", 2), ('= timestamp(s, "%Y-%m")', 1), ("= reshape(a, [2, 1])", 1),
    ("= stack(a, [1, 2])", 1), ("= matmul(a[None], reshape([1, 2], [2, 1]))", 1), ("= a + [1, 2]", 2),
    ("= argmax(a)", 2),    ("= squeeze(a, 0)", 1), ('[{from: "= a[0]"}, {cast: float32}]', 2),
]  # fmt: skip


def spec(folder: Path, step: str, how: str) -> str:
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    columns = 'columns: {a: "int64[<=5]", n: int64, s: "string[<=9]"}'
    return (
        f"safedata: 1\nsource: {{jsonl: {{path: {folder}/a.jsonl, {columns}}}}}\nsteps: [{step}]\n"
        f"runtime: {{on_error: {how}}}\n"
    )


@pytest.mark.tf
@pytest.mark.parametrize(("made", "count"), FAIL)
def test_an_expression_that_fails_does_as_on_error_says(made: str, count: int, tmp_path: Path) -> None:
    """Under `skip` the element is left out, under `quarantine` its place is written down, under `fail` it is said."""
    step = f"{{map: {{y: {made if made[0] == '[' else json.dumps(made)}}}}}"
    assert len(list(safedata.load(spec(tmp_path, step, "skip")))) == count
    report = tmp_path / "r.jsonl"
    text = spec(tmp_path, step, f"{{quarantine: {{report: {report}}}}}")
    assert len(list(safedata.load(text))) == count
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    assert len(lines) == len(ROWS) - count
    for line in lines:
        assert line["file"].endswith("a.jsonl")
        assert (line["line"], line["component"], line["operation"]) == (
            line["element"] + 1,
            "y",
            "expression",
        )
        assert "SD404: " in line["reason"]
    with pytest.raises(DataError, match=rf"error\[SD404\]: .* line {lines[0]['line']}") as caught:
        safedata.build(spec(tmp_path, step, "fail"))
    assert (
        caught.value.problems[0].help
        == "mend or remove it; or `runtime: {on_error: skip}` leaves bad elements out"
    )


@pytest.mark.tf
def test_a_condition_that_fails_does_as_on_error_says(tmp_path: Path) -> None:
    """An element that a `filter` cannot decide on is left out, and written down; others stay as the condition says."""
    step = '{filter: "a[0] > 3"}, {select: [n]}'
    assert [int(one["n"]) for one in safedata.load(spec(tmp_path, step, "skip"))] == [2]
    report = tmp_path / "r.jsonl"
    text = spec(tmp_path, step, f"{{quarantine: {{report: {report}}}}}")
    assert [int(one["n"]) for one in safedata.load(text)] == [2]
    [line] = [json.loads(line) for line in report.read_text().splitlines()]
    assert (line["line"], line["element"], line["step"]) == (2, 1, "filter")
    with pytest.raises(DataError, match=r"SD404.*a\[0\]: there is no such position; got 0 of 0 in .* line 2"):
        safedata.build(spec(tmp_path, step, "fail"))


@pytest.mark.tf
def test_a_batch_that_fails_is_left_out_whole(tmp_path: Path) -> None:
    """Behind `batch` an expression that fails leaves the batch out, and its message names where the batch starts."""
    steps = "{drop: [a, s]}, {batch: 2}, {map: {y: '= 9 // n'}}"
    assert [one["n"].numpy().tolist() for one in safedata.load(spec(tmp_path, steps, "skip"))] == [[2]]
    with pytest.raises(DataError, match=r"a division by zero, in a batch that starts with .* line 1"):
        safedata.build(spec(tmp_path, steps, "fail"))


SOURCE = "synthetic: {count: 9, components: {n: {type: 'int64[]', range: [0, 5]}, box: 'float32[4]'}}"


@pytest.mark.parametrize(
    ("step", "may"),
    [
        ('{map: {y: "= box[3] + box[n - 2]"}}', False),
        ('{map: {y: "= box[n]"}}', True),
        ('{filter: "box[0] > 0"}', False),
        ('{filter: "box[n] > 0"}', True),
        ('{map: {y: [{from: "= box[n - 2]"}, {cast: float64}]}}', False),
        ('{map: {y: [{from: "= box[n]"}, {cast: float64}]}}', True),
        ('{map: [{m: "= n + 1"}, {y: "= n // m"}]}', False),
    ],
)
def test_only_what_can_fail_costs_an_index(step: str, may: bool) -> None:
    """A step is fallible where the types that enter it leave a bad value open, and only there."""
    verdict = safedata.check(f"safedata: 1\nsource: {{{SOURCE}}}\nsteps: [{step}]\n", host="64GiB")
    assert verdict.problems == ()
    assert verdict.plan is not None
    assert any(getattr(one.node, "fallible", False) for one in verdict.plan.steps) == may


@pytest.mark.parametrize(("made", "codes"), [("box[n - 2]", []), ("box[n]", ["SD224"])])
def test_inputs_of_zip_are_marked_where_they_may_fail(made: str, codes: list[str]) -> None:
    """A `filter` in an input of `zip` is in the way of elements left out, and of no expression that is sound."""
    one = f"{{source: {{{SOURCE}}}, steps: [{{map: {{y: '= {made}'}}}}, {{filter: n > 2}}]}}"
    text = f"safedata: 1\nsource: {{zip: {{one: {one}, two: {{range: 9}}}}}}\nruntime: {{on_error: skip}}\n"
    assert [problem.code for problem in safedata.check(text, host="64GiB").problems] == codes


def test_no_gpu_tells_of_bad_values() -> None:
    """What may fail is refused in a map on a GPU, where a division by zero gives a number."""
    maps = "{map: {y: '= 9 // n', z: '= 9 // (n + 1)', x: [{from: '= n % n'}, {cast: float32}]}, device: gpu}"
    verdict = safedata.check(
        f"safedata: 1\nsource: {{{SOURCE}}}\nsteps: [{maps}]\n", host="64GiB", gpu="8GiB"
    )
    found = [(one.code, one.message) for one in verdict.problems if one.code == "SD211"]
    assert found == [
        ("SD211", "values may be bad for `9 // n`, and no GPU tells of them"),
        ("SD211", "values may be bad for `n % n`, and no GPU tells of them"),
    ]
