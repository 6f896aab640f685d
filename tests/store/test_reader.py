"""The mapped files give back the rows that were written, in any order, and take no memory of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from safedata.machine.files import read_table
from safedata.memory import MIB
from safedata.store.entry import Column, read_entry
from safedata.store.reader import Rows
from safedata.store.writer import Writer

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
def test_every_dtype(tmp_path: Path, tf: Any, dtype: str, shape: tuple[int, ...]) -> None:
    """Rows of every dtype come back, in an order of the reader's own."""
    values = np.random.default_rng(0).integers(0, 2 if dtype == "bool" else 100, (20, *shape)).astype(dtype)
    entry = stored(tmp_path, {"x": values})
    rows = Rows(tf, str(tmp_path / "key"), entry)
    order = np.random.default_rng(1).permutation(20).reshape(4, 5)
    found = tf.data.Dataset.from_tensor_slices(order).map(lambda places: rows.gather(places))
    for places, row in zip(order, found, strict=True):
        assert row["x"].dtype.name == dtype
        np.testing.assert_array_equal(row["x"], values[places])


def test_no_memory_of_its_own(tmp_path: Path, tf: Any) -> None:
    """A file of 256 MiB that is read through adds less than 64 MiB to what the process has for itself."""
    with Writer(str(tmp_path), "key", [Column("x", "uint8", (1 << 20,))]) as writer:
        for number in range(256):
            writer.append([np.full((1, 1 << 20), number, "uint8")])
        writer.publish({})
    entry = read_entry(str(tmp_path / "key"))
    assert entry is not None
    rows = Rows(tf, str(tmp_path / "key"), entry)
    data = tf.data.Dataset.range(256).batch(8).map(lambda places: rows.gather(places))
    options = tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = (
        False  # its rewriting copies what a map captures
    )
    options.autotune.enabled = False
    data = data.with_options(options)
    before = (read_table("/", "/proc/self/status") or {})["RssAnon"]
    assert sum(int(tf.reduce_sum(tf.cast(batch["x"][:, 0], tf.int64))) for batch in data) == 255 * 128
    assert (read_table("/", "/proc/self/status") or {})["RssAnon"] - before < 64 * MIB


def test_a_row_is_a_copy(tmp_path: Path, tf: Any) -> None:
    """What is read stays as it was when the mapping is gone and the file is, too."""
    entry = stored(tmp_path, {"x": np.arange(1000, dtype="int64")})
    rows = Rows(tf, str(tmp_path / "key"), entry)
    found = rows.gather(tf.constant([1, 999, 5]))["x"]
    del rows
    (tmp_path / "key" / "column-000.rows").unlink()
    assert found.numpy().tolist() == [1, 999, 5]
