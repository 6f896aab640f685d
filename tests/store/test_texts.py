"""Texts are kept to the byte, found in any order, and what is wrong with their files is said."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from safedata.store import writer as writing
from safedata.store.entry import Column, Damage, Entry, damaged_blocks, read_entry
from safedata.store.reader import Rows
from safedata.store.writer import Writer
from tests.gathering import gathering

COLUMNS = (Column("n", "int64", ()), Column("t", "string", (2,)), Column("u", "string", ()))
VALUES = [
    np.arange(40),
    np.array([[b"x" * (one % 7), b"\0" * (one % 3)] for one in range(40)], object),
    np.array([str(one).encode() if one % 5 else b"" for one in range(40)], object),
]


def fill(writer: Writer, stop: int = 40, step: int = 8) -> None:
    """Append rows up to a number, in chunks that begin where those of any other run do."""
    at = writer.rows
    while at < stop:
        end = min(at - at % step + step, stop)
        writer.append([one[at:end] for one in VALUES])
        at = end


def stored(folder: Path) -> Entry:
    with Writer(str(folder), "key", COLUMNS) as writer:
        fill(writer)
        return writer.publish({})


@pytest.mark.tf
@pytest.mark.parametrize("scattered", [False, True])
def test_what_is_read_is_what_was_written(tmp_path: Path, tf: Any, scattered: bool) -> None:
    """Texts come back in order and in any other, empty ones and zero bytes among them, beside numbers."""
    entry = stored(tmp_path)
    rows = Rows(str(tmp_path / "key"), entry, scattered=scattered, mapped=False)
    order = np.arange(40) if not scattered else np.random.default_rng(0).permutation(40)
    data = tf.data.Dataset.from_tensor_slices(order.reshape(8, 5)).map(gathering(tf, rows, entry))
    assert data.element_spec["t"] == tf.TensorSpec((5, 2), tf.string)
    for places, row in zip(order.reshape(8, 5), data, strict=True):
        for column, values in zip(COLUMNS, VALUES, strict=True):
            assert row[column.name].numpy().tolist() == values[places].tolist()


@pytest.mark.parametrize("stop", [0, 8, 11, 24, 39])
@pytest.mark.parametrize("limit", [24, 400])
def test_a_killed_writer_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int, limit: int
) -> None:
    """Whatever was written before, the files are the same in the end, and their blocks are right."""
    monkeypatch.setattr(writing, "BLOCK_BYTES", limit)
    (tmp_path / "one").mkdir()
    whole = stored(tmp_path / "one")
    with Writer(str(tmp_path), "key", COLUMNS) as killed:
        fill(killed, stop)
    texts = tmp_path / "key.part" / "column-001.texts"
    texts.write_bytes(texts.read_bytes() + b"half a text")
    with Writer(str(tmp_path), "key", COLUMNS) as writer:
        assert writer.rows <= stop
        assert stop < 16 or writer.rows > 0
        fill(writer)
        again = writer.publish({})
    assert (again.rows, again.bytes) == (whole.rows, whole.bytes)
    assert list(damaged_blocks(str(tmp_path / "key"), again)) == []
    for file in (tmp_path / "one" / "key").glob("column-*"):
        assert (tmp_path / "key" / file.name).read_bytes() == file.read_bytes()


def test_damage_is_named(tmp_path: Path) -> None:
    """Other bytes among the texts are found by their checksum, a file that is too short by its length."""
    entry = stored(tmp_path)
    texts = tmp_path / "key" / "column-002.texts"
    kept = texts.read_bytes()
    texts.write_bytes(b"?" + kept[1:])
    [damage] = damaged_blocks(str(tmp_path / "key"), entry)
    assert damage == "column-002.texts (component `u`), in the rows 0 to 39"
    texts.write_bytes(kept[:-1])
    with pytest.raises(Damage, match=rf"column-002.texts .component `u`. has {len(kept) - 1} bytes"):
        read_entry(str(tmp_path / "key"))
    texts.unlink()
    with pytest.raises(Damage, match=r"column-002.texts .component `u`. is missing"):
        read_entry(str(tmp_path / "key"))


@pytest.mark.tf
@pytest.mark.parametrize("file", ["column-002.rows", "column-002.texts"])
@pytest.mark.parametrize("scattered", [False, True])
def test_a_file_that_ends_meanwhile(tmp_path: Path, tf: Any, file: str, scattered: bool) -> None:
    """Texts that are no longer there are an error that names the file."""
    entry = stored(tmp_path)
    rows = Rows(str(tmp_path / "key"), entry, scattered=scattered, mapped=False)
    os.truncate(tmp_path / "key" / file, 20)
    data = tf.data.Dataset.range(30, 40).batch(5).map(gathering(tf, rows, entry))
    damage = r"SD404: the cache .* is damaged: column-002.texts .component `u`.: it ends before its last"
    with pytest.raises(tf.errors.InvalidArgumentError, match=damage):
        list(data)
