"""The static types of expressions."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from safedata.expr import FUNCTIONS, parse
from safedata.problem import Fault
from safedata.types import BROKEN, DTYPE_BYTES, UNBOUNDED, Dim, Tensor, ValueRange

Element = dict[str, Tensor]
UNTOLD = ["prod(image)", "log1p(x)", "bitwise_and(n, many)", "bitwise_or(n - 1, 3)", "left_shift(image, n)"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("n", "int64[]"),
        ("1", "int64[]"),
        ("0.5", "float32[]"),
        ("true", "bool[]"),
        ("'é'", "string[2B]"),
        ("image + 1", "int32[<=6, <=5, 3]"),
        ("image + 0.5", "float32[<=6, <=5, 3]"),
        ("image / 2", "float32[<=6, <=5, 3]"),
        ("minimum(image, 7)", "uint8[<=6, <=5, 3]"),
        ("minimum(image, 700)", "int32[<=6, <=5, 3]"),
        ("many + n", "int64[]"),
        ("many + 3_000_000_000", "int64[]"),
        ("small + half", "float16[3]"),
        ("half + bfloat16(n)", "float32[3]"),
        ("double * many", "float64[]"),
        ("n / n", "float32[]"),
        ("flag + flag", "int32[]"),
        ("sum(flags)", "int64[]"),
        ("image[1:]", "uint8[<=5, <=5, 3]"),
        ("x[:3]", "float32[<=3]"),
        ("x[-3:]", "float32[<=3]"),
        ("x[-5:3]", "float32[<=3]"),
        ("x[::2]", "float32[<=4]"),
        ("y[::-2]", "float32[2]"),
        ("x[:n]", "float32[<=5]"),
        ("x[n:]", "float32[<=8]"),
        ("x[many:many + 2]", "float32[<=2]"),
        ("x[many + 0:2 + many]", "float32[<=8]"),
        ("x[clip(many, 2, 4):clip(many, 3, 6):2]", "float32[<=2]"),
        ("image[..., None, 0]", "uint8[<=6, <=5, 1]"),
        ("mean(image, axis=[0, 1], keepdims=true)", "float32[1, 1, 3]"),
        ("concat(x, y)", "float32[<=11]"),
        ("stack(y, half, axis=1)", "float32[3, 2]"),
        ("reshape(image, [-1, 3])", "uint8[<=30, 3]"),
        ("shape(image)", "int64[3]"),
        ("s + 'abc'", "string[<=43B]"),
        ("s if flag else 'a'", "string[<=40B]"),
        ("substr(s, 0, n)", "string[<=5B]"),
        ("as_string(many)", "string[<=11B]"),
        ("words + s", "string[<=52B][2]"),
        ("transpose(image)", "uint8[3, <=5, <=6]"),
        ("transpose(image, [-1, 0, 1])", "uint8[3, <=6, <=5]"),
        ("argmin(boxes, axis=0)", "int64[4]"),
        ("prod(image)", "int64[]"),
        ("prod(half)", "float16[]"),
        ("var(image, axis=0)", "float32[<=5, 3]"),
        ("meshgrid(x, half)", "float32[3, <=8, 2]"),
        ("bitwise_or(image, 256)", "int32[<=6, <=5, 3]"),
        ("left_shift(small, 7)", "int8[]"),
        ("strip(words)", "string[<=12B][2]"),
    ],
)
def test_types(text: str, shown: str, element: Element) -> None:
    """The dtype and the bounds of a result follow from those of the components."""
    assert str(parse(text).infer(element)) == shown


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("image", 0, 255),
        ("image / 255", 0, 1),
        ("image / 127.5 - 1", -1, 1),
        ("1 - image / 255", 0, 1),
        ("-image", -255, 0),
        ("(image - 128) ** 2", 0, 128**2),
        ("abs(image - 128)", 0, 128),
        ("clip(many, 0, 9)", 0, 9),
        ("minimum(n, 3)", 0, 3),
        ("n % 3", 0, 2),
        ("n % -3", -2, 0),
        ("x % 3", 0, 3),
        ("n // 2", 0, 2),
        ("len(x)", 0, 8),
        ("shape(image)[-1]", 3, 3),
        ("mean(x)", -2, 2),
        ("sum(y > 0)", 0, 3),
        ("argmax(y)", 0, 2),
        ("n if flag else -1", -1, 5),
        ("uint8(x * 0 + 7)", 7, 7),
        ("sqrt(image * image)", 0, 255),
        ("argmin(y)", 0, 2),
        ("prod(half)", 0, 64),
        ("prod(x)", -256, 256),
        ("prod(half[:n])", 0, 64),
        ("prod(half / 8)", 0, 0.125),
        ("prod(half[:n] / 8)", 0, 1),
        ("var(image)", 0, 127.5**2),
        ("log1p(n)", 0, math.log(6)),
        ("tanh(n * 0)", 0, 0),
        ("sigmoid(n * 0)", 0.5, 0.5),
        ("bitwise_and(n, image)", 0, 5),
        ("bitwise_or(n, 8)", 0, 15),
        ("bitwise_xor(n, n)", 0, 7),
        ("invert(n)", -6, -1),
        ("invert(image)", 0, 255),
        ("left_shift(1, n)", 1, 32),
        ("right_shift(image, 4)", 0, 15),
        ("right_shift(n - 5, 1)", -3, 0),
        ("meshgrid(x, [3])", -2, 3),
        ("transpose(image)", 0, 255),
    ],
)
def test_ranges(text: str, low: float, high: float, element: Element) -> None:
    """A value range follows by interval arithmetic."""
    assert parse(text).infer(element).range == ValueRange(low, high)


@pytest.mark.parametrize(
    "text", ["y", "1 / x", "sqrt(x)", "uint8(x)", "max(x)", "exp(image * 9)", "n / (n - 1)", "y + 1", *UNTOLD]
)
def test_ranges_that_cannot_be_told(text: str, element: Element) -> None:
    """Where nothing bounds the values, no range is claimed."""
    assert parse(text).infer(element).range is None


@pytest.mark.parametrize(
    ("text", "code", "piece", "message"),
    [
        ("1 + imgae", "SD201", "imgae", "no component `imgae`"),
        ("n + s", "SD208", "s", "`\\+` takes two numbers or two strings"),
        ("n == s", "SD208", "s", "takes two numbers or two strings"),
        ("s < s", "SD208", "s < s", "takes numbers"),
        ("n and flag", "SD208", "n", "`and` takes truth values"),
        ("not n", "SD208", "n", "takes truth values"),
        ("1 if n else 2", "SD208", "n", "the condition is `int64`"),
        ("flag + (n + x * s)", "SD208", "s", "takes numbers"),
        ("n / 0", "SD208", "0", "a division by zero"),
        ("n ** -1", "SD208", "-1", "negative power"),
        ("is_nan(n)", "SD208", "n", "takes floats"),
        ("sqrt(s)", "SD208", "sqrt(s)", "takes numbers"),
        ("cast(s, 'float32')", "SD208", "s", "makes no `float32` of `string`"),
        ("len(s)", "SD208", "s", "takes a value with dimensions"),
        ("x[y]", "SD208", "y", "one position is needed"),
        ("x[0.5]", "SD208", "0.5", "an integer is needed"),
        ("x[:y]", "SD208", "y", "an integer is needed"),
        ("big + 1", "SD208", "big", "not `uint64` and `int64`"),
        ("rag + y", "SD208", "y", "is ragged"),
        ("rag + rag[0]", "SD208", "rag[0]", "is ragged"),
        ("sum(rag)", "SD208", "sum(rag)", "is ragged"),
        ("rag * [1, 2]", "SD208", "[1, 2]", "is ragged"),
        ("substr(s, 0, 2, 'UTF8')", "SD208", None, "counts in BYTE or UTF8_CHAR, not in `UTF8`"),
        ("y + half[:2]", "SD203", "y + half[:2]", "do not broadcast: 3 and 2"),
        ("y[3]", "SD203", "3", "no position 3"),
        ("y[0, 0]", "SD203", "y[0, 0]", "1 dimensions, not 2"),
        ("s[0:2]", "SD203", "s[0:2]", "0 dimensions"),
        ("sum(y, axis=1)", "SD203", "sum(y, axis=1)", "no axis 1"),
        ("argmax(image)", "SD203", "argmax(image)", "needs an axis"),
        ("concat(y, image)", "SD203", "image", "1 and 3 dimensions"),
        ("argmin(image)", "SD203", "argmin(image)", "`argmin` of `uint8.*` needs an axis"),
        ("transpose(image, [0, 1])", "SD203", None, "`perm` of `transpose` has every axis"),
        ("transpose(image, [0, 1, 1])", "SD203", None, "`perm` of `transpose` has every axis"),
        ("transpose(image, [0, 1, 3])", "SD203", None, "`perm` of `transpose` has every axis"),
        ("meshgrid(image, y)", "SD203", "image", "takes two vectors"),
        ("meshgrid(y, words)", "SD208", "words", "takes two vectors of numbers"),
        ("bitwise_and(n, 0.5)", "SD208", None, "`bitwise_and` takes integers"),
        ("invert(flag)", "SD208", "flag", "`invert` takes integers"),
        ("left_shift(x, 1)", "SD208", "x", "`left_shift` takes integers"),
        ("left_shift(small, n * 2)", "SD205", "n * 2", "shifts int8 by 0..10"),
        ("right_shift(n, -1)", "SD205", "-1", "shifts int64 by -1..-1"),
        ("right_shift(n, many)", "SD205", "many", "by an unknown number of places"),
        ("strip(n)", "SD208", "n", "takes a string"),
        ("stack(y, half[:2])", "SD203", "half[:2]", "cannot join"),
        ("reshape(y, [2, -1])", "SD203", "reshape(y, [2, -1])", "do not fill"),
        ("squeeze(y, 0)", "SD203", "squeeze(y, 0)", "not 1"),
        ("gather(y, [3])", "SD203", "[3]", "is not among"),
        ("x[None, None, None, None, None, None, None]", "SD203", None, "8 dimensions, more than 7"),
        ("free", "SD204", "free", "nothing bounds dimension 0"),
        ("lower(text)", "SD204", "lower(text)", "nothing bounds the bytes"),
        ("(image * image) * (image * image)", "SD205", None, "more than `int32` holds"),
    ],
)
def test_what_does_not_fit(text: str, code: str, piece: str | None, message: str, element: Element) -> None:
    """A wrong expression is one fault at the smallest piece that shows it."""
    more = {
        "free": Tensor("float32", (UNBOUNDED,)),
        "text": Tensor("string"),
        "big": Tensor("uint64"),
        "rag": Tensor("int64", (Dim.at_most(3),), ragged_rank=1),
    }
    with pytest.raises(Fault, match=message) as caught:
        parse(text).infer({**element, **more})
    assert caught.value.code == code
    if piece is not None:
        assert text[slice(*(caught.value.within or ()))] == piece


def test_slices_bound_what_nothing_else_does() -> None:
    """A slice with known ends bounds a dimension that has no bound of its own."""
    free = {"x": Tensor("float32", (UNBOUNDED,)), "n": Tensor("int64")}
    for text in ("x[:10]", "x[-10:]", "x[n:n + 10]", "x[:clip(n, 0, 10)]"):
        assert parse(text).infer(free).shape[0].most == 10
    assert parse("len(x) > 3").infer(free) == Tensor("bool")


def test_slice_bounds_hold_for_every_size() -> None:
    """No size up to the bound gives a longer slice than the type says, and some size gives it."""
    ends = [None, *range(-4, 5)]
    for most in range(6):
        for start in ends:
            for stop in ends:
                for step in (1, 2, -1, -3):
                    piece = f"x[{'' if start is None else start}:{'' if stop is None else stop}:{step}]"
                    said = parse(piece).infer({"x": Tensor("int64", (Dim.at_most(most),))}).shape[0].most
                    assert said == max(len(range(n)[start:stop:step]) for n in range(most + 1)), piece


def test_broken_components_break_the_result(element: Element) -> None:
    """Behind a reported problem nothing more is said, but a name that is not there still is."""
    broken = {**element, "x": BROKEN}
    assert parse("x + s").infer(broken).broken
    assert parse("x + s").workspace(broken) is None
    with pytest.raises(Fault, match="no component `z`"):
        parse("x + z").infer(broken)


def test_hidden_components_are_not_offered() -> None:
    """The help for an unknown name lists what the user knows of."""
    with pytest.raises(Fault, match="no component") as caught:
        parse("zz").infer({"#index": Tensor("int64"), "label": Tensor("int64")})
    assert caught.value.help == "components: `label`"


def test_kind_and_evidence_follow(element: Element) -> None:
    """An image stays one under arithmetic with scalars; evidence of a bound is passed on."""
    assert parse("image / 255").infer(element).kind == "image"
    assert parse("image / 255").infer(element).color == "rgb"
    assert parse("image[:2, ::-1]").infer(element).color == "rgb"
    assert parse("image[..., ::-1]").infer(element).color is None
    assert parse("image[0]").infer(element).kind is None
    assert parse("mask == 1").infer(element).kind == "mask"
    assert parse("image > 9").infer(element).kind is None
    assert parse("boxes * 2").infer(element).kind == "boxes"
    sampled = {"x": Tensor("float32", (Dim.at_most(9, "sampled"),))}
    assert parse("x + 1").infer(sampled).evidence == "sampled"
    assert parse("x[:20]").infer(sampled).evidence == "sampled"
    assert parse("x[:5]").infer(sampled).evidence == "exact"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("image", 0),
        ("image[1:]", 0),
        ("float32(image)", 0),
        ("image / 255", 0),
        ("float32(image) * 2 + 1", 0),
        ("float32(image) ** 2 + float32(image)", 2 * 4 * 90),
        ("exp(x * 2) + abs(x * 2)", 3 * 32),
        ("exp(x * 2) + abs(x * 3)", 32),
        ("sum(exp(x * 2)) + sum(abs(x * 2))", 4 * 32 - 4),
        ("sum(exp(x * 2)) + sum(abs(x * 3))", 2 * (32 + 4) - 4),
        ("reshape(reshape(x * 2, [-1, 1]), [-1]) + 1", 0),
        ("sum((x * 2)[1:]) + sum(x * 2 + 1)", 32 + 28 + 2 * 32 - 4),
        ("sum(float64(x * 2)) + sum(x * 2 + 1)", 32 + 64 + 2 * 32 - 8),
        ("sum(reshape(x * 2, [-1]) + 1) + sum(reshape(x * 2, [-1]) + 2)", 4 * 32 - 4),
        ("reshape(x, [-1])", 0),
        ("x + y[0]", 4),
        ("x[1:] + x[:-1]", 7 * 4 * 2),
        ("sum(y)", 0),
        ("sum(float32(image), axis=[0, 2])", 2 * 4 * 90),
        ("sum(boxes, axis=[0, 1])", 0),
        ("image[n]", 90 + 128),
        ("concat(y, [1, 2])", 2 * 4),
    ],
)
def test_workspace(text: str, count: int, element: Element) -> None:
    """Intermediates and casts are counted, once where an operation writes over the only value that it alone needs.

    Components, views, literals and the result are not.
    """
    assert parse(text).workspace(element) == count


def test_unbounded_intermediates_have_no_workspace() -> None:
    """Unknown bytes are None."""
    assert parse("sum(x * 2)").workspace({"x": Tensor("float32", (UNBOUNDED,))}) is None


def test_more_elements_never_need_less(element: Element) -> None:
    """The workspace grows with the bounds of the components."""
    larger = {
        n: replace(t, shape=tuple(d if d.exact else d.scaled(2) for d in t.shape)) for n, t in element.items()
    }
    for function in FUNCTIONS.values():
        expression = parse(f"({function.example}) == ({function.example})")
        assert (expression.workspace(element) or 0) <= (expression.workspace(larger) or 0), function.name


def test_the_reference_has_every_function() -> None:
    """Each function and dtype stands in the reference with its example and line; no row of a table is cut off."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "expressions.md").read_text(encoding="utf-8")
    bars = [line.replace("\\|", "").count("|") for line in page.splitlines()]
    assert all(one == two for one, two in pairwise(bars) if one and two)
    for function in FUNCTIONS.values():
        assert f"`{function.example}`" in page.replace("\\|", "|"), function.name
        assert function.doc in page, function.name
    assert all(f"`{dtype}`" in page for dtype in DTYPE_BYTES)
