"""`cast`."""

from __future__ import annotations

from typing import Any

import pytest

import safedata
from safedata.types import UINT8_RANGE, Tensor, ValueRange
from tests.ops.conformance import EXACT, FLOAT, LABEL, SIGNED, VECTOR, fault, parse, run

BYTES = Tensor("float32", EXACT.shape, range=UINT8_RANGE)


@pytest.mark.tf
def test_truncates(tf: Any) -> None:
    """Values are those of `tf.cast`: fractions are cut off towards 0."""
    values = [[-1.5, 1.5, 0.0, 3.9]]
    assert run(tf, "cast: int32", VECTOR, values).tolist() == [[-1, 1, 0, 3]]
    assert run(tf, "cast: bool", VECTOR, values).tolist() == [[True, True, False, True]]


def test_range() -> None:
    """The range and the kind stay where the values do."""
    y = parse("cast: float32").infer(EXACT)
    assert (y.range, y.kind, y.color) == (UINT8_RANGE, "image", "rgb")
    y = parse("cast: int16").infer(Tensor("float32", range=ValueRange(-3.5, 90.5)))
    assert y.range == ValueRange(-3, 90)
    assert parse("cast: bool").infer(LABEL).range is None


@pytest.mark.parametrize(
    ("text", "x", "message", "way_out"),
    [
        ("cast: uint8", SIGNED, "-1..1 do not fit into uint8", "put `{rescale: [0, 255]}` before it"),
        ("cast: int8", BYTES, "0..255 do not fit into int8", "put `{rescale: [-128, 127]}` before it"),
        ("cast: uint8", FLOAT, "0..1 as uint8 lose nearly all", "put `{rescale: [0, 255]}` before it"),
        ("cast: int32", FLOAT, "0..1 as int32 lose nearly all", "leave it out"),
    ],
)
def test_values_that_do_not_fit(text: str, x: Tensor, message: str, way_out: str) -> None:
    """Values that would wrap around or vanish are an error with the way out."""
    found = fault(text, x)
    assert (found.code, found.help) == ("SD205", way_out)
    assert message in found.message


def test_strings() -> None:
    """A string is refused, with the operation that reads its bytes."""
    found = fault("cast: int16", Tensor("string"))
    assert (found.code, found.help) == ("SD202", "write `{decode_raw: int16}` for raw bytes")


def test_a_cast_to_the_same_dtype_makes_nothing() -> None:
    """TensorFlow hands the tensor on, so a call has its batch once; one to another dtype has both."""
    batch = 16 * 2**20

    def calls(dtype: str) -> int:
        source = 'synthetic: {components: {x: "float32[1024, 1024]", y: "int64[]"}, count: 99}'
        steps = f"[{{batch: 4}}, {{map: {{x: [{{cast: {dtype}}}]}}, parallel: 1}}]"
        verdict = safedata.check(f"safedata: 1\nsource: {{{source}}}\nsteps: {steps}\n", host="64GiB")
        assert verdict.plan is not None, verdict.problems
        [found] = [one.bytes for one in verdict.plan.steps[2].holds]
        assert found is not None
        return found

    assert batch <= calls("float32") < 1.01 * batch
    assert 1.5 * batch <= calls("float16") < 1.51 * batch
