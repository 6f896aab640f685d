"""`tfrecord` under `on_error: skip`: of a damaged file everything comes that was not damaged, in order."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import safedata
from safedata.sources._stream import Budget
from safedata.sources.tfrecord import _recovery
from safedata.sources.tfrecord._framing import Scan, scan
from safedata.sources.tfrecord._recovery import CHUNK, Search
from tests.sources.records import run
from tests.sources.test_tfrecord import example, framed, open_records

COUNT = 12
SIZES = [example(a=[number], t=[number] * (number * 7 % 90)) for number in range(COUNT)]
STARTS = [sum(len(one) + 16 for one in SIZES[:number]) for number in range(COUNT + 1)]
Edit = tuple[int, int, bytes]
"""A place, how many bytes are taken away there, and what is put there."""


def damaged(*edits: Edit) -> bytes:
    data = framed(*SIZES)
    for start, taken, put in sorted(edits, reverse=True):
        data = data[:start] + put + data[start + taken :]
    return data


def flip(place: int) -> Edit:
    return place, 1, bytes([framed(*SIZES)[place] ^ 0x10])


def untouched(*edits: Edit) -> list[int]:
    """The numbers of the records that no edit has a byte of; what is put between two records is in neither."""

    def hit(number: int, start: int, taken: int) -> bool:
        first, last = STARTS[number], STARTS[number + 1]
        return start < last and start + taken > first if taken else first < start < last

    return [n for n in range(COUNT) if not any(hit(n, start, taken) for start, taken, _ in edits)]


EDITS = st.tuples(st.integers(0, STARTS[-1] - 1), st.integers(0, 60), st.binary(max_size=40))
CASES: dict[str, list[Edit]] = {
    "a bit of the data": [flip(STARTS[3] + 14)],
    "a bit of the data's checksum": [flip(STARTS[4] - 2)],
    "a bit of a length": [flip(STARTS[3])],
    "a bit of a length's checksum": [flip(STARTS[3] + 9)],
    "a bit of the first length": [flip(0)],
    "a bit of the last record": [flip(STARTS[COUNT] - 1)],
    "two records in a row": [flip(STARTS[3] + 14), flip(STARTS[4] + 14)],
    "a record, and the length behind it": [flip(STARTS[3] + 14), flip(STARTS[4] + 1)],
    "a length, and the data behind it": [flip(STARTS[3] + 1), flip(STARTS[4] + 14)],
    "a tail that is cut off": [(STARTS[COUNT] - 5, 5, b"")],
    "a header that is cut off": [(STARTS[COUNT - 1] + 7, STARTS[COUNT] - STARTS[COUNT - 1] - 7, b"")],
    "garbage between records": [(STARTS[5], 0, b"garbage \xff\0\0\0\0\0\0\0\0" * 9)],
    "garbage in front": [(0, 0, b"\x01\0\0\0\0\0\0\0garbage")],
    "garbage behind": [(STARTS[COUNT], 0, b"g")],
    "zeros between records": [(STARTS[5], 0, bytes(1000))],
    "zeros in place of records": [(STARTS[4] + 3, 150, bytes(150))],
    "bytes put into the data": [(STARTS[3] + 15, 0, b"abc")],
    "bytes missing in the data": [(STARTS[3] + 14, 3, b"")],
    "bytes missing over two records": [(STARTS[5] - 9, 20, b"")],
}


def read(tf: Any, folder: Path, **fields: Any) -> tuple[list[int], list[int], Any]:
    """Return which records came, which elements were left out, and what the check found."""
    found = open_records(folder, "skip", **fields)
    skipped: list[int] = []
    rows = run(tf, found, "skip", skipped)
    root = found.root
    assert len(rows) + len(skipped) == root.places.count
    return [int(row["a"]) for row in rows], skipped, found


def walk(path: Path) -> list[int]:
    """Return the records that a walk over headers and checksums finds."""
    found: list[int] = []
    with path.open("rb") as file:
        search = Search(file.fileno(), path.stat().st_size)
        position = 0
        while position < search.size:
            if search.sound(position):
                end = search.end(position)
                assert end is not None
                found.append(SIZES.index(path.read_bytes()[position + 12 : end - 4]))
                position = end
            else:
                position = search.behind(position)
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_walk_finds_what_is_undamaged(tmp_path: Path, name: str) -> None:
    """Each record that the damage has no byte of is found, in order, and none that it has."""
    path = tmp_path / "a.tfrecord"
    path.write_bytes(damaged(*CASES[name]))
    assert walk(path) == untouched(*CASES[name])


@pytest.mark.tf
def test_exactly_the_undamaged_records_come(tf: Any, tmp_path: Path) -> None:
    """The same records come out of the graph, file by file; what is lost is recorded as one element."""
    expected: list[int] = []
    for number, edits in enumerate(CASES.values()):
        (tmp_path / f"{number:02}.tfrecord").write_bytes(damaged(*edits))
        expected += untouched(*edits)
    came, skipped, _ = read(tf, tmp_path)
    assert came == expected
    assert len(skipped) >= len(CASES)


@pytest.mark.tf
@pytest.mark.parametrize("name", ["a bit of the data", "a bit of a length", "garbage between records"])
def test_files_in_turn_recover_too(tf: Any, tmp_path: Path, name: str) -> None:
    """With `interleave` a damaged file's records are the same, in turn with another file's."""
    (tmp_path / "a.tfrecord").write_bytes(damaged(*CASES[name]))
    (tmp_path / "b.tfrecord").write_bytes(framed(*SIZES))
    text = (
        f"safedata: 1\nsource:\n  tfrecord: {{path: '{tmp_path}/*.tfrecord', features: {{a: int64}}, interleave: 2}}\n"
        "runtime: {on_error: skip}\n"
    )
    came = [int(row["a"]) for row in safedata.load(text)]
    assert sorted(came) == sorted([*untouched(*CASES[name]), *range(COUNT)])


@settings(max_examples=150, deadline=None)
@given(st.lists(EDITS, max_size=3))
def test_a_walk_over_any_damage(tmp_path_factory: pytest.TempPathFactory, edits: list[Edit]) -> None:
    """Edits anywhere: exactly the records are found that have all their bytes; a check gives up nothing behind."""
    path = tmp_path_factory.mktemp("t") / "a.tfrecord"
    edits = apart(edits)
    path.write_bytes(damaged(*edits))
    assert walk(path) == untouched(*edits)
    found = headers(path, -1)
    assert found.damage is None
    ends = [loss.end for loss in found.losses.values()]
    assert ends == sorted(ends)


@pytest.mark.slow
@pytest.mark.tf
@settings(max_examples=25, deadline=None)
@given(st.lists(EDITS, max_size=3))
def test_whatever_the_damage(tf: Any, tmp_path_factory: pytest.TempPathFactory, edits: list[Edit]) -> None:
    """Edits anywhere: exactly the records that have all their bytes come out of the graph."""
    folder = tmp_path_factory.mktemp("t")
    edits = apart(edits)
    (folder / "a.tfrecord").write_bytes(damaged(*edits))
    (folder / "b.tfrecord").write_bytes(framed(SIZES[0]))  # so that there is a record
    came, _, _ = read(tf, folder)
    assert came[:-1] == untouched(*edits)


def apart(edits: list[Edit]) -> list[Edit]:
    """Return edits that do not meet, each without what it leaves as it was at its ends."""
    kept: list[Edit] = []
    whole = framed(*SIZES)
    for start, taken, put in sorted(edits):
        if kept and start <= kept[-1][0] + kept[-1][1]:
            continue
        old = whole[start : start + taken]
        while put and old and put[0] == old[0]:
            start, put, old = start + 1, put[1:], old[1:]
        while put and old and put[-1] == old[-1]:
            put, old = put[:-1], old[:-1]
        if put or old:
            kept.append((start, len(old), put))
    return kept


@pytest.mark.tf
@pytest.mark.parametrize("name", ["a bit of the data", "a bit of a length"])
def test_a_compressed_file_gives_what_comes_before(tf: Any, tmp_path: Path, name: str) -> None:
    """Of a gzip file whose content is damaged the records before the damage come; what follows is counted or noted."""
    (tmp_path / "a.tfrecord").write_bytes(gzip.compress(damaged(*CASES[name])))
    came, skipped, found = read(tf, tmp_path, compression="gzip")
    assert came == [0, 1, 2]
    assert skipped or "what follows in that file is left out" in found.notes[0]


@pytest.mark.tf
@pytest.mark.parametrize("cut", [0.3, 0.9])
def test_a_gzip_stream_that_ends_early(tf: Any, tmp_path: Path, cut: float) -> None:
    """What could be decompressed comes, from the first record on and in order; nothing else does."""
    noise = random.Random(1)
    records = [example(a=[n], s=[noise.randbytes(3000)]) for n in range(20)]
    whole = gzip.compress(framed(*records))
    (tmp_path / "a.tfrecord").write_bytes(whole[: int(len(whole) * cut)])
    came, _, found = read(tf, tmp_path, compression="gzip")
    assert came == list(range(len(came)))
    assert abs(len(came) - 20 * cut) <= 2
    assert "ends too early" in found.notes[0]


@pytest.mark.tf
def test_what_is_lost_is_said(tf: Any, tmp_path: Path) -> None:
    """Check and report name file, first and last byte, and how many bytes are lost, for headers and for data."""
    path = tmp_path / "a.tfrecord"
    path.write_bytes(damaged(flip(STARTS[2] + 1), flip(STARTS[6] + 14)))
    spec = tmp_path / "s.yaml"
    spec.write_text(
        "safedata: 1\nsource: {tfrecord: {path: a.tfrecord, features: {a: int64}}}\nruntime: {on_error: quarantine}\n"
    )
    size = STARTS[3] - STARTS[2]
    said = (
        f"bytes {STARTS[2]} to {STARTS[3]}, {size} bytes, are lost: has a wrong checksum in front of record 2"
    )
    assert said in open_records(tmp_path, "skip").notes[0]
    assert len(list(safedata.load(spec))) == COUNT - 2
    first, second = map(json.loads, (tmp_path / "s.quarantine.jsonl").read_text().splitlines())
    assert (first["file"], first["byte"], first["bytes"]) == (str(path), STARTS[2], size)
    assert said in first["reason"]
    assert (second["record"], second["byte"]) == (6, STARTS[6])
    assert f"bytes {STARTS[6]} to {STARTS[7]}" in second["reason"]
    assert "the checksum of the data is wrong" in second["reason"]


@pytest.mark.tf
def test_a_file_that_was_whole_at_the_check(tf: Any, tmp_path: Path) -> None:
    """Damage that came after the check is passed over too; no record changes its number."""
    path = tmp_path / "a.tfrecord"
    path.write_bytes(framed(*SIZES))
    found = open_records(tmp_path, "skip")
    path.write_bytes(damaged(flip(STARTS[2] + 1), (STARTS[-1] - 5, 5, b"")))
    skipped: list[int] = []
    assert [int(row["a"]) for row in run(tf, found, "skip", skipped)] == untouched(
        flip(STARTS[2] + 1), (STARTS[-1] - 5, 5, b"")
    )
    assert skipped == [2, COUNT - 1]


def headers(path: Path, recover: int) -> Scan:
    return scan(str(path), "none", Budget(None, None), recover=recover)


def test_a_search_sees_over_its_chunks(tmp_path: Path) -> None:
    """A header is found wherever it stands against the pieces that a file is read in."""
    path = tmp_path / "a.tfrecord"
    for extra in (-13, -12, -11, -1, 0, 1):
        path.write_bytes(b"\xff" * (CHUNK + extra) + framed(b"x" * 40, b"y"))
        found = headers(path, -1)
        assert list(found.lengths) == [0, 40, 1]
        assert found.losses[0][:2] == (0, CHUNK + extra)


def test_zeros_are_passed_over_quickly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block of zeros costs no checksum for each of its bytes."""
    calls: list[int] = []

    def masked(data: bytes) -> int:
        calls.append(len(data))
        return 0

    monkeypatch.setattr(_recovery, "masked", masked)
    path = tmp_path / "a"
    path.write_bytes(bytes(3_000_000) + b"\x01")
    with path.open("rb") as file:
        assert Search(file.fileno(), 3_000_001).next(0) == 3_000_001
    assert len(calls) < 300


def test_the_search_of_a_check_is_bounded(tmp_path: Path) -> None:
    """Where more would have to be summed than allowed, the rest is lost and the damage stands."""
    path = tmp_path / "a.tfrecord"
    path.write_bytes(b"\xff" * 50 + framed(b"x" * 5000, b"y"))
    assert headers(path, 6000).records == 2
    found = headers(path, 4000)
    assert (found.records, found.losses) == (0, {})
    assert found.damage is not None
    assert "wrong checksum in front of record 0, byte 0" in found.damage.message
