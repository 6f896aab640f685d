"""`decode_npy`."""

from __future__ import annotations

import importlib
import io
from typing import Any, get_args

import pytest

from safedata.ops._fields import NpyDtype
from safedata.problem import Fault
from safedata.types import Dim, Tensor
from tests.ops.conformance import fault, parse, run, run_batch

FILE = Tensor("string", length=Dim.at_most(400))


def saved(array: Any, version: Any = None) -> bytes:
    """Return an array as NumPy writes it."""
    np: Any = importlib.import_module("numpy")

    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array), version, allow_pickle=False)
    return file.getvalue()


@pytest.mark.tf
@pytest.mark.parametrize("dtype", get_args(NpyDtype))
def test_arrays_are_numpys(tf: Any, dtype: str) -> None:
    """An array of every dtype, of any rank and version of the format, is the one that was saved."""
    np: Any = importlib.import_module("numpy")

    array = np.arange(12).reshape(4, 3).astype(dtype)
    given = [("[4, 3]", array, None), ("[null, 3]", array, (2, 0)), ("[4, null]", array, (3, 0))]
    given += [("[null]", array[0], None), ("[3]", array[1], (1, 0)), ("[]", array[2, 1], None)]
    given += [("[null, 3]", array[:0], None)]
    for shape, one, version in given:
        made = run(tf, f"{{decode_npy: {{dtype: {dtype}, shape: {shape}}}}}", FILE, saved(one, version))
        np.testing.assert_array_equal(made, one)
        assert made.dtype == dtype


def test_type() -> None:
    """A size that varies is bounded by the bytes of the file, behind the shortest header."""
    assert str(parse("decode_npy: {dtype: float32, shape: [null, 2]}").infer(FILE)) == "float32[<=42, 2]"
    assert str(parse("decode_npy: {dtype: int64, shape: []}").infer(FILE)) == "int64[]"
    found = fault("decode_npy: {dtype: int64, shape: [50]}", FILE)
    assert (found.code, found.message) == (
        "SD203",
        "a file with such an array has 460 bytes or more, and this string has <=400",
    )
    with pytest.raises(ValueError, match="one size of `shape` may be `null`"):
        parse("decode_npy: {dtype: int64, shape: [null, null]}")


@pytest.mark.tf
def test_what_is_no_such_array(tf: Any) -> None:
    """Other bytes, another dtype, shape or order, and a file that is cut off or has more, are SD404."""
    np: Any = importlib.import_module("numpy")

    array = np.arange(6, dtype="int16").reshape(2, 3)
    good = saved(array)
    not_a_file = [b"", b"\x93NUM", b"x" * 100, b"\x93NUMPY\x01\0\xff\xff", good[:6] + b"\x09" + good[7:]]
    not_a_file.append(good[:6] + b"\2\0" + (1 << 17).to_bytes(4, "little") + b" " * (1 << 17))
    others = [
        array.astype("int32"),
        array.astype(">i2"),
        array.T,
        np.asfortranarray(array),
        array[:, :2],
        array[0],
    ]
    for data, message in [
        *((one, "these bytes are no .npy file") for one in not_a_file),
        *((saved(one), r"this is no int16\[\?, 3\], little-endian and row by row") for one in others),
        (good[:-1], r"int16\[\?, 3\] has other bytes than"),
        (good + b"x", r"int16\[\?, 3\] has other bytes than"),
    ]:
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"SD404: decode_npy: {message}"):
            run(tf, "{decode_npy: {dtype: int16, shape: [null, 3]}}", FILE, data)


@pytest.mark.tf
def test_batches(tf: Any) -> None:
    """Files of a batch give the arrays that they give one by one: stacked, or ragged rows."""
    np: Any = importlib.import_module("numpy")

    arrays = [np.arange(3 * rows, dtype="int16").reshape(rows, 3) for rows in (2, 0, 1)]
    files = [saved(one, version) for one, version in zip(arrays, (None, (2, 0), (3, 0)), strict=True)]
    made = run_batch(tf, "{decode_npy: {dtype: int16, shape: [null, 3]}}", FILE, files)
    assert [row.tolist() for row in made] == [one.tolist() for one in arrays]
    alike = [np.full((2, 2), place, "float32") for place in range(3)]
    stacked = run_batch(tf, "{decode_npy: {dtype: float32, shape: [2, 2]}}", FILE, list(map(saved, alike)))
    np.testing.assert_array_equal(stacked, np.stack(alike))
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"(?s)this is no float32\[2, 2\], little-endian.*<i2"
    ):
        run_batch(tf, "{decode_npy: {dtype: float32, shape: [2, 2]}}", FILE, [saved(alike[0]), files[0]])
    with pytest.raises(Fault, match="makes arrays that differ in dimension 1, which no batch can hold"):
        parse("{decode_npy: {dtype: int16, shape: [3, null]}}").check_batch(FILE)
