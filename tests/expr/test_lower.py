"""What `infer` says of an expression against what TensorFlow gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from safedata.expr import FUNCTIONS, parse
from safedata.problem import Fault
from safedata.types import Tensor

pytestmark = pytest.mark.tf
Sample = Callable[[int], dict[str, Any]]

LINES = (Path(__file__).parent / "expressions.txt").read_text(encoding="utf-8").splitlines()
RAGGED_EXAMPLES = ("boolean_mask", "split")
"""Functions whose example gives each element another shape."""
EXAMPLES = [
    function.example
    for name, function in FUNCTIONS.items()
    if name not in RAGGED_EXAMPLES and not function.draws
]
EXPRESSIONS = list(dict.fromkeys([*LINES, *EXAMPLES]))
RAGGED = [
    "range(n)",
    'split(s, "/", 3)',
    "boolean_mask(x, x > 0)",
    "boolean_mask(boxes, boxes[:, 0] > 0.5)",
    "x[:n]",
    "x[n:n + 2]",
    "image[n // 3:, 1:]",
    "x[:clip(n, 0, 3)] * 2",
    "x[n::-1]",
    "concat(x[:n], y)",
]


def agrees(result: Any, said: Tensor) -> None:
    """Hold a tensor against its static type."""
    assert result.dtype.name == said.dtype
    assert len(result.shape) == said.rank
    for size, dim in zip(result.shape, said.shape, strict=True):
        assert dim.most is None or size <= dim.most
        assert not dim.exact or size == dim.most
    values = result.numpy().ravel().tolist() if said.rank else [result.numpy()]
    if said.dtype == "string":
        lengths = [len(value) for value in values]
        assert all(n <= (said.length.most or 0) for n in lengths)
        assert not said.length.exact or set(lengths) <= {said.length.most}
    elif said.range is not None:
        slack = 1e-2 if said.dtype in ("float16", "bfloat16") else 1e-5
        near = slack * max(1.0, abs(said.range.low), abs(said.range.high))
        assert all(said.range.low - near <= value <= said.range.high + near for value in values)


@pytest.mark.parametrize("text", [*EXPRESSIONS, *RAGGED])
def test_type_is_that_of_the_tensor(text: str, element: dict[str, Tensor], sample: Sample, tf: Any) -> None:
    """The type that `infer` gives is the tensor's: dtype, sizes, values and string lengths."""
    expression = parse(text)
    said = expression.infer(element)
    for seed in range(7):
        agrees(expression.lower(tf, sample(seed)), said)


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_batch_is_the_map_over_its_elements(text: str, sample: Sample, tf: Any) -> None:
    """A batch, and a batch of batches, gives what the elements give one by one."""
    expression = parse(text)
    assert expression.batchable
    elements = [sample(seed) for seed in range(6)]
    alone = tf.stack([expression.lower(tf, one) for one in elements])
    batch = {name: tf.stack([one[name] for one in elements]) for name in elements[0]}
    twice = {name: tf.reshape(value, [2, 3, *value.shape[1:]]) for name, value in batch.items()}
    for found in (
        expression.lower(tf, batch, 1),
        tf.reshape(expression.lower(tf, twice, 2), alone.shape),
    ):
        assert found.dtype == alone.dtype
        assert found.shape == alone.shape
        if found.dtype.is_floating:
            tf.debugging.assert_near(
                *(tf.cast(one, tf.float64) for one in (found, alone)), rtol=1e-3, atol=1e-3
            )
        else:
            assert bool(tf.reduce_all(found == alone))


@pytest.mark.parametrize("batch_dims", [0, 1])
def test_graph_of_unknown_sizes(batch_dims: int, element: dict[str, Tensor], sample: Sample, tf: Any) -> None:
    """In a graph that knows no size, the dtype is the same, and the shape fits the static one."""
    lead = [None] * batch_dims
    given = {n: tf.TensorSpec([*lead, *t.static_shape], t.dtype) for n, t in element.items()}
    every = [parse(text) for text in EXPRESSIONS]

    @tf.function(input_signature=[given])  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def compute(values: dict[str, Any]) -> list[Any]:
        return [one.lower(tf, values, batch_dims) for one in every]

    values = sample(1)
    if batch_dims:
        values = {name: tf.stack([value, value]) for name, value in values.items()}
    traced = compute.get_concrete_function().structured_outputs
    for one, result, known in zip(every, compute(values), traced, strict=True):
        said = one.infer(element)
        assert result.dtype.name == said.dtype, one.text
        assert tf.TensorShape([*lead, *said.static_shape]).is_compatible_with(known.shape), one.text


@pytest.mark.parametrize("text", RAGGED)
def test_elements_of_different_shapes_make_no_batch(text: str, sample: Sample, tf: Any) -> None:
    """A slice with bounds from a component is refused behind `batch`."""
    expression = parse(text)
    assert not expression.batchable
    batch = {name: value[None] for name, value in sample(0).items()}
    with pytest.raises(Fault, match="differ in shape within a batch"):
        expression.lower(tf, batch, 1)


def test_empty_batch(sample: Sample, tf: Any) -> None:
    """A batch of no elements gives a result of no elements."""
    batch = {name: value[None][:0] for name, value in sample(0).items()}
    for text in ("image / 255", "len(x)", "reshape(x, [2, -1])", "sum(x[:n])", "n in [1]"):
        assert parse(text).lower(tf, batch, 1).shape[0] == 0


def test_path_functions_are_those_of_pathlib(tf: Any) -> None:
    """Name, stem, suffix and parent are pathlib's for every ordinary path."""
    for text in (
        "a/b/c.tar.gz",
        "c.jpg",
        "/c",
        "/",
        "a",
        ".hidden",
        "a/.b.c",
        "a/b.",
        "x y/ü.png",
        "a/b/",
        "..a",
    ):
        path = PurePosixPath(text)
        wanted = {"name": path.name, "stem": path.stem, "parent": str(path.parent)}
        wanted["suffix"] = "" if text.endswith(".") else path.suffix
        wanted["stem"] = path.name if text.endswith(".") else path.stem
        for part, value in wanted.items():
            found = parse(f"path_{part}(p)").lower(tf, {"p": tf.constant(text)}).numpy().decode()
            assert found == value, (part, text)


def test_bytes_that_are_no_text_match_by_their_ends(tf: Any) -> None:
    """`starts_with` and `ends_with` look at the ends alone, whatever bytes lie between."""
    values = {"s": tf.constant(b"a+b\xff\n\x00.c")}
    assert parse('starts_with(s, "a+b") and ends_with(s, ".c")').lower(tf, values)
    assert not parse('starts_with(s, "aab") or ends_with(s, "xc")').lower(tf, values)


def test_small_integers_do_not_wrap(tf: Any) -> None:
    """Arithmetic on 8 and 16 bits gives what the numbers give."""
    values = {"a": tf.constant(200, tf.uint8), "b": tf.constant(-128, tf.int8)}
    for text, number in (("a + a", 400), ("a * a", 40_000), ("100 - a", -100), ("-b", 128), ("abs(b)", 128)):
        assert parse(text).lower(tf, values).numpy() == number


TRUTHS = ("flag", "n > 1")


def well_typed() -> st.SearchStrategy[str]:
    """Return expressions on numbers of shapes that broadcast, put together from smaller ones."""
    leaf = st.sampled_from(
        [
            "n",
            "many",
            "small",
            "double",
            "x",
            "x[0]",
            "image[0, 0, 0]",
            "2",
            "0.5",
            "len(x)",
            "true",
            "half[0]",
        ]
    )

    def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        pair = st.tuples(inner, inner)
        return st.one_of(
            st.builds(lambda p, op: f"({p[0]} {op} {p[1]})", pair, st.sampled_from(["+", "-", "*", "/"])),
            st.builds(lambda p, op: f"({p[0]} {op} {p[1]})", pair, st.sampled_from(["<", "==", ">="])),
            st.builds(lambda p, f: f"{f}({p[0]}, {p[1]})", pair, st.sampled_from(["minimum", "maximum"])),
            st.builds(lambda p, c: f"({p[0]} if {c} else {p[1]})", pair, st.sampled_from(TRUTHS)),
            st.builds(
                lambda x, f: f"{f}({x})", inner, st.sampled_from(["abs", "-", "sin", "sum", "mean", "round"])
            ),
            st.builds(
                lambda x, d: f"{d}({x})", inner, st.sampled_from(["float32", "bool", "int64", "float16"])
            ),
        )

    return st.recursive(leaf, larger, max_leaves=6)


def fault_code(text: str, element: dict[str, Tensor]) -> str | None:
    try:
        parse(text).infer(element)
    except Fault as fault:
        return fault.code
    return None


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=well_typed(), seed=st.integers(0, 5))
def test_generated_expressions_have_the_type_they_get(
    text: str, seed: int, element: dict[str, Tensor], sample: Sample, tf: Any
) -> None:
    """Whatever is taken as well typed has TensorFlow's type, alone and in a batch."""
    code = fault_code(text, element)
    if code is not None:
        assert code in ("SD120", "SD205", "SD208")  # a division by 0, an overflow, truth values as numbers
        return
    expression = parse(text)
    said = expression.infer(element)
    values = sample(seed)
    alone = expression.lower(tf, values)
    assert alone.dtype.name == said.dtype
    if bool(tf.reduce_all(tf.math.is_finite(tf.cast(alone, tf.float64)))):
        agrees(alone, said)
    batch = {name: tf.stack([value, value]) for name, value in values.items()}
    assert expression.lower(tf, batch, 1).shape == (2, *alone.shape)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_quantiles_are_numpys(tf: Any, dtype: str) -> None:
    """Quantiles over any axes, alone and in a batch, are those of NumPy; one NaN makes its own result NaN."""
    import numpy as np

    draw = np.random.default_rng(1)
    x = draw.normal(size=(2, 3, 1, 4)) * 50
    x[:, 1, 0, 2] = x[:, 1, 0, 1]
    given = x.astype(dtype)
    if dtype != "int32":
        given[0, 2, 0, 3] = np.nan
    for axis, q in [(None, 0.0), ((0, 2), 0.3), (1, 1.0), (-1, 0.5), ((-3, -1), 0.77)]:
        for keepdims in (False, True):
            named = "" if axis is None else f", axis={list(axis) if isinstance(axis, tuple) else axis}"
            expression = parse(f"quantile(x, {q}{named}, keepdims={keepdims})")
            found = expression.lower(tf, {"x": tf.constant(given)}, 1)
            for one, result in zip(given, found, strict=True):
                wanted = np.quantile(one.astype("float64"), q, axis, keepdims=keepdims)
                np.testing.assert_allclose(result, wanted, rtol=1e-5)
                np.testing.assert_allclose(expression.lower(tf, {"x": tf.constant(one)}), wanted, rtol=1e-5)
    np.testing.assert_allclose(
        parse("median(x)").lower(tf, {"x": tf.constant(given[1])}), np.median(given[1]), 1e-5
    )
    assert parse("median(x)").lower(tf, {"x": tf.constant([1.0, np.inf, np.inf])}).numpy() == np.inf


def test_values_are_tensorflows(sample: Sample, tf: Any) -> None:
    """Functions give what TensorFlow's of that name, or what they are said to be, give."""
    one = sample(2)
    wide, image, x = one["wide"], one["image"], one["x"]
    grid = tf.meshgrid(wide[0], tf.constant([7, 8], tf.int64))
    for text, expected in [
        ("transpose(image, [2, 0, 1])", tf.transpose(image, [2, 0, 1])),
        ("argmin(wide, axis=1)", tf.argmin(wide, 1)),
        ("prod(wide, axis=0)", wide[0] * wide[1]),
        ("var(x)", tf.reduce_mean((x - tf.reduce_mean(x)) ** 2)),
        ("log1p(abs(x))", tf.math.log1p(abs(x))),
        ("atan2(y, [1.0, -1.0, 0.0])", tf.atan2(one["y"], tf.constant([1.0, -1.0, 0.0]))),
        ("is_finite(y / [1.0, 0.0, 2.0])", tf.constant([True, False, True])),
        ("tanh(x)", tf.tanh(x)),
        ("sigmoid(x)", 1 / (1 + tf.exp(-x))),
        ("strip(' \t' + words)", one["words"]),
        ("bitwise_xor(image, 255)", 255 - image),
        ("invert(image)", 255 - image),
        ("left_shift(wide, 2)", wide * 4),
        ("right_shift(wide, 1)", wide // 2),
        ("bitwise_and(wide, 1)", wide % 2),
        ("bitwise_or(image, 1)", image + (1 - image % 2)),
        ("meshgrid(wide[0], [7, 8])[..., 0]", grid[0]),
        ("meshgrid(wide[0], [7, 8])[..., 1]", grid[1]),
        (
            "matmul(wide, [[1, 2], [3, 4], [5, 6]])",
            tf.matmul(wide, tf.constant([[1, 2], [3, 4], [5, 6]], tf.int64)),
        ),
        ("scatter(y, [4, 0, 4], 5)", tf.scatter_nd([[4], [0], [4]], one["y"], [5])),
        ("scatter(wide, [2, 0], 3)", tf.stack([wide[1], wide[0] * 0, wide[0]])),
        ("[[n, 1], [2, n]]", tf.stack([[one["n"], 1], [2, one["n"]]])),
        ("substr('hello', 1, -1)", tf.constant("")),
    ]:
        found = parse(text).lower(tf, one)
        assert found.dtype == expected.dtype, text
        if found.dtype.is_floating:
            tf.debugging.assert_near(found, expected, rtol=1e-5, atol=1e-6, message=text)
        else:
            assert bool(tf.reduce_all(found == expected)), text
