"""`reshape`."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from safedata.types import UNBOUNDED, Dim, Tensor
from tests.ops.conformance import EXACT, VECTOR, fault, parse, run


@pytest.mark.parametrize(
    ("shape", "x", "expected"),
    [
        ("[61, 50, 3]", EXACT, "uint8[61, 50, 3]"),
        ("[-1]", EXACT, "uint8[9150]"),
        ("[3, -1]", EXACT, "uint8[3, 3050]"),
        ("[-1, 2]", VECTOR, "float32[<=10, 2]"),
        ("[2, -1, 2]", VECTOR, "float32[2, <=5, 2]"),
        ("[-1, 3]", VECTOR, "float32[<=6, 3]"),
        ("[-1, 4]", Tensor("int64", (UNBOUNDED, Dim.exactly(8))), "int64[?, 4]"),
        ("[]", Tensor("int64", (Dim.exactly(1),)), "int64[]"),
    ],
)
def test_type(shape: str, x: Tensor, expected: str) -> None:
    """Dimensions are worked out, and bounded where the component's are."""
    assert str(parse(f"reshape: {shape}").infer(x)) == expected


@pytest.mark.parametrize(
    ("shape", "x", "message"),
    [
        ("[7]", EXACT, r"9150 values of uint8\[50, 61, 3\] do not fit into \[7\]"),
        ("[-1, 7]", EXACT, r"do not fit into \[-1, 7\]"),
        ("[5, 4]", VECTOR, "exactly 20 values"),
    ],
)
def test_faults(shape: str, x: Tensor, message: str) -> None:
    """What is not known to fit is an error with the reason."""
    found = fault(f"reshape: {shape}", x)
    assert found.code == "SD203"
    with pytest.raises(type(found), match=message):
        raise found


@pytest.mark.tf
def test_is_row_major(tf: Any) -> None:
    """Values keep their order."""
    assert run(tf, "reshape: [2, -1]", VECTOR, [[1, 2, 3, 4]]).tolist() == [[1, 2], [3, 4]]


@pytest.mark.tf
def test_parts_of_what_varies(tf: Any) -> None:
    """What the type leaves open is divided at run time, and an error where that cannot be done."""
    assert run(tf, "reshape: [-1, 2]", VECTOR, [1, 2, 3, 4]).tolist() == [[1, 2], [3, 4]]
    assert [parse(f"reshape: [-1, {size}]").on_gpu(VECTOR) for size in (2, 3)] == [True, False]
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"SD404: reshape takes values in parts of 3; got.*4"
    ):
        run(tf, "reshape: [-1, 3]", VECTOR, [1, 2, 3, 4])


def test_evidence_is_kept() -> None:
    """A dimension rests on what the old ones rested on."""
    x = Tensor("uint8", (Dim.at_most(4, "sampled"), Dim.exactly(3)))
    assert parse("reshape: [-1]").infer(x).evidence == "sampled"


@pytest.mark.parametrize("shape", ["[-1, -1]", "[0, 3]", "[-2]"])
def test_fields(shape: str) -> None:
    """One size may be open, all others are at least 1."""
    with pytest.raises(ValidationError, match=r"only one dimension can be -1|greater than 0"):
        parse(f"reshape: {shape}")
