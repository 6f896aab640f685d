"""Compressed rows are those that were written, in any order; what is wrong with their files is said."""

from __future__ import annotations

import importlib.util
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from safedata.store import writer as writing
from safedata.store.codec import HEADER, BrokenFrame, Codec
from safedata.store.entry import Column, Damage, Entry, Frames, damaged_blocks, read_entry
from safedata.store.frames import FRAME_BESIDE, FrameWriter
from safedata.store.reader import Rows, StoredDataError

CODECS = [
    "zlib",
    pytest.param(
        "zstd",
        marks=pytest.mark.skipif(importlib.util.find_spec("zstandard") is None, reason="no zstandard"),
    ),
]
COLUMNS = (
    Column("image", "uint8", (20, 20, 3)),
    Column("label", "int64", ()),
    Column("none", "float32", (0,)),
    Column("text", "string", (2,)),
    Column("half", "float16", (3,)),
    Column("right", "bool", ()),
)
FRAMES = Frames("zlib", 7)
COUNT = 100


def rows(first: int, last: int) -> list[Any]:
    """Return rows whose content follows from their numbers: some that compress well, some that do not."""
    numbers = np.arange(first, last)
    images: Any = np.zeros((len(numbers), 20, 20, 3), "uint8")
    texts: Any = np.empty((len(numbers), 2), object)
    for at, number in enumerate(numbers):
        if number % 2:
            images[at] = np.random.default_rng(number).integers(0, 256, (20, 20, 3))
        texts[at] = b"x" * (number % 50), b"\0" * (number % 3)
    half = np.repeat(numbers[:, None], 3, 1).astype("float16")
    return [images, numbers, np.zeros((len(numbers), 0), "float32"), texts, half, numbers % 3 == 0]


def fill(writer: FrameWriter, stop: int = COUNT, step: int = 9) -> None:
    while writer.rows < stop:
        writer.append(rows(writer.rows, min(writer.rows + step, stop)))


def stored(folder: Path, frames: Frames = FRAMES, stop: int = COUNT, step: int = 9) -> Entry:
    folder.mkdir(exist_ok=True)
    with FrameWriter(str(folder), "key", COLUMNS, frames) as writer:
        fill(writer, stop, step)
        return writer.publish({"by": "a test"})


def same(found: list[Any], wanted: list[Any]) -> None:
    for one, two in zip(found, wanted, strict=True):
        assert one.dtype == two.dtype
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("each", [1, 7, 64, 1000])
def test_what_is_read_is_what_was_written(tmp_path: Path, codec: str, each: int) -> None:
    """Rows of every kind come back in order and in any other, however they fall into frames."""
    entry = stored(tmp_path, Frames(codec, each))
    assert read_entry(str(tmp_path / "key")) == entry
    assert entry.rows == COUNT
    for first, stop in [(0, COUNT), (6, 8), (99, 100), (13, 40), (50, 50)]:
        in_order = Rows(str(tmp_path / "key"), entry, scattered=False, mapped=False)
        same(in_order.read(np.arange(first, stop)), rows(first, stop))
    order = np.random.default_rng(1).permutation(COUNT)[:60]
    anywhere = Rows(str(tmp_path / "key"), entry, scattered=True, mapped=False)
    same(anywhere.read(order), [one[order] for one in rows(0, COUNT)])


@pytest.mark.parametrize("codec", CODECS)
def test_small_entries_are_kept(tmp_path: Path, codec: str) -> None:
    """Where all rows are kept they are decompressed once, and then come without the files."""
    numbers = [Column("x", "int32", (5,)), Column("none", "int8", (0,))]
    values = [np.arange(500, dtype="int32").reshape(100, 5), np.zeros((100, 0), "int8")]
    with FrameWriter(str(tmp_path), "key", numbers, Frames(codec, 8)) as writer:
        writer.append(values)
        entry = writer.publish({})
    kept = Rows(str(tmp_path / "key"), entry, scattered=True, mapped=True)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(100)[:40]
        same(kept.read(order), [one[order] for one in values])
        for file in (tmp_path / "key").glob("column-*"):
            file.write_bytes(b"")


@pytest.mark.parametrize("size", [0, 1, 5, 4096])
@pytest.mark.parametrize("codec", CODECS)
def test_a_frame_takes_no_more_than_its_bytes_and_a_header(codec: str, size: int) -> None:
    """What the codec would only make larger is kept as it is."""
    frames = Codec(codec)
    for data in (np.random.default_rng(0).bytes(size), bytes(size)):
        packed = frames.packed(data)
        assert len(packed) <= size + HEADER.size
        assert bytes(frames.unpacked(packed, size)) == bytes(frames.unpacked(packed, None)) == data
    with pytest.raises(BrokenFrame, match=f"{size} bytes in place of {size + 1}"):
        frames.unpacked(packed, size + 1)


def test_random_bytes_fill_the_bound(tmp_path: Path) -> None:
    """Incompressible rows take their bytes, and for each frame a header and where it ends; never more."""
    values = np.random.default_rng(0).integers(0, 256, (100, 50), "uint8")
    with FrameWriter(str(tmp_path), "key", [Column("x", "uint8", (50,))], FRAMES) as writer:
        writer.append([values])
        entry = writer.publish({})
    assert entry.bytes == values.nbytes + 15 * FRAME_BESIDE


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("stop", [0, 6, 7, 35, 99, 100])
@pytest.mark.parametrize("limit", [300, 9000, 1 << 20])
def test_a_killed_writer_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codec: str, stop: int, limit: int
) -> None:
    """Whatever was written before, and in whatever pieces, the files are the same in the end."""
    monkeypatch.setattr(writing, "BLOCK_BYTES", limit)
    monkeypatch.setattr("safedata.store.frames.FRAME_BYTES", 100)
    frames = Frames(codec, 7)
    whole = stored(tmp_path / "one", frames)
    with FrameWriter(str(tmp_path), "key", COLUMNS, frames) as killed:
        fill(killed, stop, 4)
        if killed._rest:  # it ended just before the last file was renamed
            killed._compress(killed._rest, len(killed._rest[0]))
    with (tmp_path / "key.part" / "column-000.texts").open("ab") as heap:
        heap.write(b"half a frame")
    again = stored(tmp_path, frames, step=13)
    with FrameWriter(str(tmp_path), "later", COLUMNS, frames) as writer:
        assert writer.rows == 0
    assert again == whole
    for file in (tmp_path / "one" / "key").glob("column-*"):
        assert (tmp_path / "key" / file.name).read_bytes() == file.read_bytes()


def test_finished_blocks_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later writer has the rows of finished blocks, and none of those that were compressed in another way."""
    monkeypatch.setattr(writing, "BLOCK_BYTES", 300)
    with FrameWriter(str(tmp_path), "key", COLUMNS, FRAMES) as killed:
        fill(killed, 40)
        assert (killed.rows, killed.outlasting) == (40, 35)
    with FrameWriter(str(tmp_path), "key", COLUMNS, FRAMES) as writer:
        assert (writer.rows, writer.outlasting) == (35, 35)
    with FrameWriter(str(tmp_path), "key", COLUMNS, Frames("zlib", 6)) as writer:
        assert writer.rows == 0


@pytest.mark.parametrize("place", [0, 3, HEADER.size + 1])
def test_a_flipped_bit_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int) -> None:
    """Both who checks all rows and who reads some names the file, the component and the rows."""
    monkeypatch.setattr(writing, "BLOCK_BYTES", 300)
    entry = stored(tmp_path)
    folder = tmp_path / "key"
    ends = np.frombuffer((folder / "column-003.rows").read_bytes(), "<i8")
    data = bytearray((folder / "column-003.texts").read_bytes())
    data[int(ends[1]) + place] ^= 4
    (folder / "column-003.texts").write_bytes(data)
    assert list(damaged_blocks(str(folder), entry)) == [
        "column-003.texts (component `text`), in the rows 14 to 20"
    ]
    found = Rows(str(folder), entry, scattered=False, mapped=False)
    same(found.read(np.arange(14)), rows(0, 14))
    said = r"is damaged: column-003.texts \(component `text`\): in the rows 14 to 20: a checksum differs"
    with pytest.raises(StoredDataError, match=said):
        found.read(np.arange(10, 15))


@pytest.mark.parametrize(
    ("was", "now"),
    [('"zlib"', '"lzma"'), ('"rows": 7', '"rows": 0'), (f'"rows": {COUNT}', f'"rows": {COUNT + 7}')],
)
def test_a_manifest_that_cannot_be(tmp_path: Path, was: str, now: str) -> None:
    """A codec that nobody knows, frames without rows, and another number of rows are damage."""
    stored(tmp_path)
    manifest = tmp_path / "key" / "manifest.json"
    text = manifest.read_text()
    assert was in text
    manifest.write_text(text.replace(was, now))
    with pytest.raises(Damage, match=r"manifest.json cannot be read"):
        read_entry(str(tmp_path / "key"))


CHILD = """
import sys
sys.path[:0] = [{root!r}]
import safedata.store.writer as module
module.BLOCK_BYTES = 4000
from tests.store.test_frames import stored
from pathlib import Path
print("ready", flush=True)
stored(Path(sys.argv[1]), stop=2000)
"""


def test_kills(tmp_path: Path) -> None:
    """Killed again and again at any moment, writers end with all rows as they must be; a reader sees all or nothing."""
    kills, draws = 0, np.random.default_rng(0)
    root = str(Path(__file__).parents[2])
    while (entry := read_entry(str(tmp_path / "key"))) is None:
        with subprocess.Popen(
            [sys.executable, "-c", CHILD.format(root=root), str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(draws.random() * 0.05)
            if kills < 6:
                process.send_signal(signal.SIGKILL)
        kills += 1
    assert list(damaged_blocks(str(tmp_path / "key"), entry)) == []
    found = Rows(str(tmp_path / "key"), entry, scattered=False, mapped=False)
    same(found.read(np.arange(2000)), rows(0, 2000))
