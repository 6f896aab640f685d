"""Files give back the rows that were written, in any order, and none of their pages are resident."""

from __future__ import annotations

import os
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from safedata.machine.files import read_table
from safedata.memory import MIB
from safedata.store.entry import Column, read_entry
from safedata.store.reader import Rows
from safedata.store.writer import Writer
from tests.gathering import gathering

pytestmark = pytest.mark.tf

DTYPES = (
    "bool",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "float16",
    "int32",
    "uint32",
    "float32",
    "int64",
    "uint64",
    "float64",
)


def stored(folder: Path, arrays: dict[str, Any]) -> Any:
    columns = [Column(name, str(array.dtype), array.shape[1:]) for name, array in arrays.items()]
    with Writer(str(folder), "key", columns) as writer:
        writer.append(list(arrays.values()))
        writer.publish({})
    entry = read_entry(str(folder / "key"))
    assert entry is not None
    return entry


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (3,), (2, 5), (0,)])
@pytest.mark.parametrize("mapped", [False, True])
def test_every_dtype(tmp_path: Path, tf: Any, dtype: str, shape: tuple[int, ...], mapped: bool) -> None:
    """Rows of every dtype come back in any order, read or mapped, and stay as they are while others are read."""
    values = np.random.default_rng(0).integers(0, 2 if dtype == "bool" else 100, (20, *shape)).astype(dtype)
    entry = stored(tmp_path, {"x": values})
    rows = Rows(str(tmp_path / "key"), entry, scattered=True, mapped=mapped)
    order = np.random.default_rng(1).permutation(20).reshape(4, 5)
    found = tf.data.Dataset.from_tensor_slices(order).map(gathering(tf, rows, entry))
    for places, row in zip(order, list(found), strict=True):
        assert row["x"].dtype.name == dtype
        np.testing.assert_array_equal(row["x"], values[places])


@pytest.mark.parametrize("scattered", [False, True])
def test_no_memory_of_its_own(tmp_path: Path, tf: Any, scattered: bool) -> None:
    """A file of 128 MiB that is read twice adds less than 24 MiB to what is resident, whatever the order."""
    with Writer(str(tmp_path), "key", [Column("x", "uint8", (1 << 20,))]) as writer:
        for number in range(128):
            writer.append([np.full((1, 1 << 20), number, "uint8")])
        writer.publish({})
    entry = read_entry(str(tmp_path / "key"))
    assert entry is not None
    rows = Rows(str(tmp_path / "key"), entry, scattered=scattered, mapped=False)
    data = tf.data.Dataset.range(128).batch(4).map(gathering(tf, rows, entry))
    options = tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = False
    options.autotune.enabled = False
    data = data.with_options(options)
    before = resident_bytes()
    for _ in range(2):
        assert sum(int(batch["x"][:, 0].numpy().astype("int64").sum()) for batch in data) == 127 * 64
    assert resident_bytes() - before < 24 * MIB


def resident_bytes() -> int:
    return (read_table("/", "/proc/self/status") or {})["VmRSS"]


def test_buffers_are_used_again(tmp_path: Path, tf: Any) -> None:
    """While nobody keeps what was read, the same few buffers serve a whole file; what is kept has its own."""
    entry = stored(tmp_path, {"x": np.arange(64 * 65_536, dtype="int64").reshape(64, 65_536)})
    rows = Rows(str(tmp_path / "key"), entry, scattered=False, mapped=False)
    data = tf.data.Dataset.range(64).batch(1).map(gathering(tf, rows, entry))
    places = [int(batch["x"]._numpy().ctypes.data) for batch in data]
    assert len(set(places)) <= 6
    kept = list(data)
    assert len({int(batch["x"]._numpy().ctypes.data) for batch in kept}) == 64
    assert [int(batch["x"][0, 0]) for batch in kept] == list(range(0, 64 * 65_536, 65_536))


@pytest.mark.parametrize("scattered", [False, True])
def test_a_file_that_ends_meanwhile(tmp_path: Path, tf: Any, scattered: bool) -> None:
    """Rows that are no longer there are an error that names the file, not rows of something else."""
    entry = stored(tmp_path, {"x": np.arange(1000, dtype="int64")})
    rows = Rows(str(tmp_path / "key"), entry, scattered=scattered, mapped=False)
    os.truncate(tmp_path / "key" / "column-000.rows", 4004)
    data = iter(tf.data.Dataset.range(495, 505).batch(5).map(gathering(tf, rows, entry)))
    assert next(data)["x"].numpy().tolist() == [495, 496, 497, 498, 499]
    damage = r"SD404: the cache .* is damaged: column-000.rows .component `x`.: it ends before its last row"
    with pytest.raises(tf.errors.InvalidArgumentError, match=damage):
        next(data)


@pytest.mark.parametrize("rows", [1, 3, 100])
def test_small_reads_are_tensors_of_their_own(tmp_path: Path, tf: Any, rows: int) -> None:
    """Of few bytes nothing is kept beside the tensor: the array that they were read to is gone."""
    entry = stored(tmp_path, {"x": np.arange(1000, dtype="int16")})
    reader = Rows(str(tmp_path / "key"), entry, scattered=True, mapped=False)
    read, arrays = reader._files[0].read, list[Any]()

    def noting(places: Any) -> Any:
        found = read(places)
        arrays.append(weakref.ref(found.base))
        return found

    reader._files[0].read = noting  # type: ignore[method-assign]  # to see what becomes of its result
    data = tf.data.Dataset.range(300).batch(rows).map(gathering(tf, reader, entry))
    kept = list(data)
    assert arrays
    assert not any(one() is not None for one in arrays)
    assert [int(one) for batch in kept for one in batch["x"]] == list(range(300))


def test_a_row_is_a_copy(tmp_path: Path, tf: Any) -> None:
    """What is read stays as it was when the reader is gone and the file is, too."""
    entry = stored(tmp_path, {"x": np.arange(1000, dtype="int64")})
    rows = Rows(str(tmp_path / "key"), entry, scattered=True, mapped=False)
    [found] = tf.data.Dataset.from_tensors([1, 999, 5]).map(gathering(tf, rows, entry))
    del rows
    (tmp_path / "key" / "column-000.rows").unlink()
    assert found["x"].numpy().tolist() == [1, 999, 5]
