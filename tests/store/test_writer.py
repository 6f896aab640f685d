"""What is written is what is read, whatever happens in between."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from safedata.store.entry import MANIFEST, Column, Damage, damaged_blocks, file_name, read_entry
from safedata.store.writer import Writer

COLUMNS = (
    Column("image", "uint8", (40, 40, 3)),
    Column("label", "int64", ()),
    Column("none", "float32", (0,)),
)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten rows in a block."""
    monkeypatch.setattr("safedata.store.writer.BLOCK_BYTES", 10 * (4800 + 8))


def rows(first: int, last: int) -> list[Any]:
    """Return the rows of an entry whose content follows from their numbers."""
    numbers = np.arange(first, last)
    images = (numbers[:, None, None, None] + np.arange(4800).reshape(40, 40, 3)).astype("uint8")
    return [images, numbers.astype("int64"), np.zeros((last - first, 0), "float32")]


def write(root: Path, upto: int, step: int = 7) -> None:
    with Writer(str(root), "key", COLUMNS) as writer:
        while writer.rows < upto:
            writer.append(rows(writer.rows, min(writer.rows + step, upto)))
        writer.publish({"spec": "a test"})


def read(root: Path) -> list[Any]:
    entry = read_entry(str(root / "key"))
    assert entry is not None
    assert list(damaged_blocks(str(root / "key"), entry)) == []
    return [
        np.fromfile(root / "key" / file_name(number), column.dtype).reshape(entry.rows, *column.shape)
        for number, column in enumerate(entry.columns)
    ]


@pytest.mark.parametrize("upto", [1, 9, 10, 11, 40, 73])
def test_what_was_written_is_read(tmp_path: Path, upto: int) -> None:
    """Rows come back as they were, however they fall into blocks; nothing else is left in the store."""
    write(tmp_path, upto)
    for found, wanted in zip(read(tmp_path), rows(0, upto), strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert sorted(os.listdir(tmp_path)) == ["key"]
    assert sorted(os.listdir(tmp_path / "key")) == [
        "column-000.rows",
        "column-001.rows",
        "column-002.rows",
        MANIFEST,
    ]


def test_a_new_writer_goes_on(tmp_path: Path) -> None:
    """Finished blocks stay; the rows of an unfinished one are written again."""
    with Writer(str(tmp_path), "key", COLUMNS) as writer:
        writer.append(rows(0, 34))
    with Writer(str(tmp_path), "key", COLUMNS) as writer:
        assert writer.rows == 30
    write(tmp_path, 50)
    np.testing.assert_array_equal(read(tmp_path)[0], rows(0, 50)[0])


def test_a_damaged_block_is_written_again(tmp_path: Path) -> None:
    """Of what an earlier writer left only blocks whose bytes are right are kept."""
    with Writer(str(tmp_path), "key", COLUMNS) as writer:
        writer.append(rows(0, 30))
    flip(tmp_path / "key.part" / file_name(0), 15 * 4800)
    with Writer(str(tmp_path), "key", COLUMNS) as writer:
        assert writer.rows == 10


@pytest.mark.parametrize("columns", [COLUMNS[:2], (COLUMNS[0], Column("label", "int32", ()), COLUMNS[2])])
def test_other_columns_start_anew(tmp_path: Path, columns: tuple[Column, ...]) -> None:
    """What was left of other components is not taken for these."""
    with Writer(str(tmp_path), "key", COLUMNS) as writer:
        writer.append(rows(0, 30))
    with Writer(str(tmp_path), "key", columns) as writer:
        assert writer.rows == 0


@pytest.mark.parametrize("first_ends", [True, False])
def test_two_writers_at_once(tmp_path: Path, first_ends: bool) -> None:
    """Where two believe that they hold the lock, what the faster one publishes is whole, and the other one's too."""
    with Writer(str(tmp_path), "key", COLUMNS) as one:
        one.append(rows(0, 34))
        with Writer(str(tmp_path), "key", COLUMNS) as two:
            one.append(rows(34, 50))
            two.append(rows(two.rows, 45))
            faster, slower = (one, two) if first_ends else (two, one)
            faster.append(rows(faster.rows, 50))
            faster.publish({"by": "the faster"})
            for found, wanted in zip(read(tmp_path), rows(0, 50), strict=True):
                np.testing.assert_array_equal(found, wanted)
            slower.append(rows(slower.rows, 50))
            with pytest.raises(FileNotFoundError, match=r"key\.part"):
                slower.publish({"by": "the slower"})
    assert os.listdir(tmp_path) == ["key"]
    for found, wanted in zip(read(tmp_path), rows(0, 50), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_a_flipped_bit_is_named(tmp_path: Path) -> None:
    """A reader of everything names the file, the component and the rows."""
    write(tmp_path, 40)
    flip(tmp_path / "key" / file_name(0), 25 * 4800 + 17)
    entry = read_entry(str(tmp_path / "key"))
    assert entry is not None
    assert list(damaged_blocks(str(tmp_path / "key"), entry)) == [
        "column-000.rows (component `image`), in the rows 20 to 29"
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda folder: os.truncate(folder / file_name(1), 100),
            r"column-001.rows \(component `label`\) has 100 bytes; 320",
        ),
        (lambda folder: (folder / file_name(1)).unlink(), "is missing"),
        (lambda folder: (folder / MANIFEST).write_text("{"), "manifest.json cannot be read"),
        (lambda folder: (folder / MANIFEST).write_bytes(b"\xff\xfe"), "not UTF-8"),
        (lambda folder: (folder / MANIFEST).write_text("[1]"), "manifest.json cannot be read"),
    ],
)
def test_damage_is_seen_at_once(tmp_path: Path, change: Any, said: str) -> None:
    """A missing or shorter file, or a manifest that says nothing, is found without reading the rows."""
    write(tmp_path, 40)
    change(tmp_path / "key")
    with pytest.raises(Damage, match=said):
        read_entry(str(tmp_path / "key"))


def test_nothing_is_there(tmp_path: Path) -> None:
    """A folder without an entry, and no folder, are no damage."""
    assert read_entry(str(tmp_path / "key")) is None
    (tmp_path / "key").mkdir()
    assert read_entry(str(tmp_path / "key")) is None


def flip(path: Path, place: int) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 4]))


CHILD = """
import sys
sys.path[:0] = [{here!r}, {root!r}]
import safedata.store.writer as module
module.BLOCK_BYTES = 10 * (4800 + 8)
from test_writer import write
from pathlib import Path
print("ready", flush=True)
write(Path(sys.argv[1]), 3000, 3)
"""


def child(folder: Path) -> subprocess.Popen[str]:
    here = Path(__file__).parent
    code = CHILD.format(here=str(here), root=str(here.parents[1]))
    return subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True)


SEEDS = (*range(4), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(4, 44)))
"""Each stands for nine writers, eight of them killed: 32 kills for every change, 352 in all."""


@pytest.mark.parametrize("seed", SEEDS)
def test_kills(tmp_path: Path, seed: int) -> None:
    """Killed again and again at any moment, writers end with all rows as they must be; a reader sees all or nothing."""
    kills, draws = 0, random.Random(seed)
    while read_entry(str(tmp_path / "key")) is None:
        with child(tmp_path) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(draws.random() * 0.03)
            if kills < 8:
                process.send_signal(signal.SIGKILL)
        kills += 1
    for found, wanted in zip(read(tmp_path), rows(0, 3000), strict=True):
        np.testing.assert_array_equal(found, wanted)
