"""`matmul`."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import safedata
from safedata.problem import DataError
from safedata.types import Dim, Tensor, ValueRange
from tests.ops.conformance import EXACT, VECTOR, fault, parse, run

TURN = "{matmul: [[1, -2], [0.5, 0], [0, 3], [0, 0]]}"


@pytest.mark.tf
@pytest.mark.parametrize("dtype", ["uint8", "int64", "float16", "float32", "float64"])
def test_is_numpys_product(tf: Any, dtype: str) -> None:
    """Each vector of the last dimension becomes its product with the matrix; floats keep their dtype."""
    np: Any = importlib.import_module("numpy")

    x = np.arange(24).reshape(2, 3, 4).astype(dtype)
    made = run(tf, TURN, Tensor(dtype, tuple(Dim.exactly(size) for size in x.shape)), x)
    np.testing.assert_array_equal(made, x.astype("float64") @ [[1, -2], [0.5, 0], [0, 3], [0, 0]])
    assert made.dtype == (dtype if dtype.startswith("float") else "float32")


def test_type() -> None:
    """The last dimension is the matrix's own, and values lie within the sums that the range allows."""
    y = parse("{matmul: [[1, -1], [1, 0], [1, 2]]}").infer(EXACT)
    assert (str(y), y.range, y.kind, y.color) == ("float32[50, 61, 2]", ValueRange(-255, 765), "image", None)
    assert str(parse(TURN).infer(VECTOR)) == "float32[<=5, 2]"


def test_what_does_not_fit() -> None:
    """The last dimension is exactly as long as the matrix has rows, and all of these are of one length."""
    found = fault(TURN, EXACT)
    assert (found.code, found.message) == (
        "SD203",
        "`matmul` with a matrix [4, 2] takes [..., 4], not uint8[50, 61, 3]",
    )
    assert fault(TURN, Tensor("float32", (Dim.at_most(4),))).code == "SD203"
    with pytest.raises(ValidationError, match="the rows of `matrix` have 1 to 2 numbers"):
        parse("{matmul: [[1, 2], [3]]}")
    with pytest.raises(ValidationError, match="give one of `matrix` and `path`"):
        parse("{matmul: {}}")


SPEC = """safedata: 1
source: {synthetic: {components: {x: "float32[300]"}, count: 3, vary: true}}
steps:
  - map: {y: [{from: x}, {matmul: {path: m.npy}}]}
  - batch: 3
  - map: {z: [{from: x}, {matmul: {path: m.npy}}]}
output: [x, y, z]
"""


@pytest.mark.tf
def test_a_matrix_from_a_file(tf: Any, tmp_path: Path) -> None:
    """A matrix of any size comes from a `.npy` file, for an element and for a batch, and is counted."""
    np: Any = importlib.import_module("numpy")

    matrix = np.random.default_rng(0).normal(size=(300, 200))
    np.save(tmp_path / "m.npy", matrix)
    verdict = safedata.check(SPEC, folder=tmp_path, host="8GiB")
    assert verdict.plan is not None
    holds = [
        hold for step in verdict.plan.steps for hold in step.holds if hold.why == "the table of `matmul`"
    ]
    assert [hold.bytes for hold in holds] == [3 * 8 * 300 * 200] * 2
    [(x, y, z)] = safedata.load(SPEC, folder=tmp_path, host="8GiB").as_numpy_iterator()
    np.testing.assert_allclose(y, x @ matrix.astype("float32"), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(z, y, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("shape", "dtype", "cut", "message"),
    [
        ((4,), "float32", 0, r"`m.npy` has float32\[4\], not a matrix of numbers"),
        ((2, 2), "complex64", 0, "not a matrix of numbers"),
        ((2, 2), "float32", 1, r"`m.npy` has 143 bytes, and a matrix \[2, 2\] of float32 takes 144"),
        ((2, 2), "float32", 140, "`m.npy` is not a .npy array"),
        ((2, 2), "float32", 144, "`m.npy` is not a .npy array"),
    ],
)
def test_files_that_are_no_matrix(
    tmp_path: Path, shape: tuple[int, ...], dtype: str, cut: int, message: str
) -> None:
    """Another array, and a file that is cut off, is SD423 at the path; a file that is not there is SD421."""
    np: Any = importlib.import_module("numpy")

    with pytest.raises(DataError, match=r"`m[.]npy` does not exist"):
        safedata.load(SPEC, folder=tmp_path)
    np.save(tmp_path / "m.npy", np.zeros(shape, dtype))
    data = (tmp_path / "m.npy").read_bytes()
    (tmp_path / "m.npy").write_bytes(data[: len(data) - cut])
    with pytest.raises(DataError, match=message) as caught:
        safedata.load(SPEC, folder=tmp_path)
    assert {one.code for one in caught.value.problems} == {"SD423"}
    span = caught.value.problems[0].span
    assert span is not None
    assert span.line == 4
