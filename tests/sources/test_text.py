"""`text`: lines, their bounds and places."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from safedata.problem import Fault
from safedata.scope import Scope
from safedata.sources.lines import _lines
from safedata.sources.lines.text import Encoding, Text
from tests.sources.records import look, run, types


def open_text(folder: Path, *parts: bytes, on_error: Any = "fail", **fields: Any) -> Any:
    for number, part in enumerate(parts):
        data = gzip.compress(part) if fields.get("compression") == "gzip" else part
        (folder / f"{number}.txt").write_bytes(data)
    return look(Text, folder, on_error, **{"path": "*.txt", **fields})


def test_every_line_bounds_and_is_counted(tmp_path: Path) -> None:
    """A check reads all lines of small files: the longest is the bound, and each has its place."""
    found = open_text(tmp_path, b"head\nab\n\nabcd", b"head\nx\n", skip_lines=1)
    assert str(types(found)) == "text: string[<=4B]"
    assert str(types(found).cardinality) == "exactly 4"
    assert types(found).weakest == "measured"
    places = [found.root.describe(number).rpartition("/")[2] for number in range(4)]
    assert places == ["0.txt line 2", "0.txt line 3", "0.txt line 4", "1.txt line 2"]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text("ab\n\r é", max_size=12), min_size=1, max_size=3), st.integers(0, 2), st.booleans())
@pytest.mark.tf
def test_lines_are_tensorflows(tf: Any, tmp_path: Path, texts: list[str], skip: int, gz: bool) -> None:
    """Any line ends, and files that are empty, give the lines of `TextLineDataset`, each within its bound."""
    for old in tmp_path.iterdir():
        old.unlink()
    compression = "gzip" if gz else "none"
    parts = [text.encode() for text in texts]
    found, code = None, None
    try:
        found = open_text(tmp_path, *parts, skip_lines=skip, compression=compression)
    except Fault as fault:
        code = fault.code
    files = tf.data.Dataset.from_tensor_slices([str(path) for path in sorted(tmp_path.iterdir())])
    kind = "GZIP" if gz else ""
    plain = files.flat_map(lambda path: tf.data.TextLineDataset(path, kind).skip(skip))
    expected = list(plain.as_numpy_iterator())
    assert code == (None if expected else "SD403")
    if found is not None:
        assert [row["text"] for row in run(tf, found)] == expected


@pytest.mark.tf
@pytest.mark.parametrize("encoding", get_args(Encoding))
def test_encodings_are_pythons(tf: Any, tmp_path: Path, encoding: str) -> None:
    """Lines of every encoding become the UTF-8 that Python makes of them, inside the bound; a byte alone is U+FFFD."""
    every = "abc é ü ß œ € Ж я № ł ő 日本語 中文 \uff71"
    lines = [word for word in every.split() if word == word.encode(encoding, "ignore").decode(encoding)]
    assert len(lines) > 1
    found = open_text(tmp_path, "\n".join(lines).encode(encoding) + b"\n", encoding=encoding)
    assert [row["text"].decode() for row in run(tf, found)] == lines
    longest = max(len(line.encode(encoding)) for line in lines)
    assert types(found).element["text"].length.most == longest * (2 if encoding == "iso-8859-1" else 3)
    broken = open_text(tmp_path, b"\xff\n", encoding="utf-8")
    assert [row["text"].decode() for row in run(tf, broken)] == ["\ufffd"]


def test_large_files_are_sampled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit the first lines are read; what is declared is a bound, and the count may be."""
    monkeypatch.setattr(_lines, "WHOLE", 40)
    monkeypatch.setattr("safedata.sources.lines.text.WHOLE", 40)
    monkeypatch.setattr(_lines, "CHUNK", 16)
    sampled = open_text(tmp_path, b"abc\n" * 20, b"abcd\n" * 20)
    assert str(types(sampled)) == "text: string[<=4B]"
    assert types(sampled).weakest == "sampled"
    assert types(sampled).cardinality.kind == "unknown"
    assert sampled.declare == "max_bytes: 4 B"
    assert sampled.notes[0].endswith("lines were read, the first ones of each file")
    declared = open_text(tmp_path, max_bytes="10 B", count=40)
    assert (str(types(declared)), types(declared).weakest) == ("text: string[<=10B]", "declared")
    assert str(types(declared).cardinality) == "exactly 40"


def test_measured_lines_are_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `safedata measure` keeps of a file gives the lines that reading it gives."""
    monkeypatch.setattr("safedata.sources.lines.text.WHOLE", 40)
    open_text(tmp_path, b"abc\n\nabcde\n" * 20, skip_lines=1)
    source = Text.model_validate({"path": "*.txt", "skip_lines": 1})
    [work] = source.to_measure(Scope(str(tmp_path)))
    read: list[int] = []
    value = work.read(work.files[0].path, read.append)
    work.check(value)
    assert value == {"count": 59, "longest": 5, "runs": [[2, 59]], "lengths": [(0, 20), (3, 19), (5, 20)]}
    assert sum(read) == work.files[0].size
    assert work.damaged({"a": value}) == (0, [])


@pytest.mark.parametrize(
    ("parts", "fields", "code", "message"),
    [
        ([b""], {}, "SD403", "the files have no lines"),
        ([b"a\n"], {"skip_lines": 1}, "SD403", "the files have no lines"),
        ([b"a\nabcdef\n"], {"max_bytes": "3 B"}, "SD404", "has a line of 6 bytes, over the 3"),
        ([b"a\n"], {"count": 2}, "SD404", "`count` says 2 lines, and the files have 1"),
    ],
)
def test_refused(tmp_path: Path, parts: list[bytes], fields: dict[str, Any], code: str, message: str) -> None:
    """Files without lines, lines that are too long, and a wrong count are refused."""
    with pytest.raises(Fault, match=message) as caught:
        open_text(tmp_path, *parts, **fields)
    assert caught.value.code == code


def test_damaged_compression(tmp_path: Path) -> None:
    """A compressed file that is cut off, or none, is named."""
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"line\n" * 1000)[:-9])
    with pytest.raises(Fault, match=r"a\.gz` is damaged: .*ends too early"):
        look(Text, tmp_path, path="a.gz", compression="gzip")
    (tmp_path / "b.gz").write_bytes(b"line\n")
    with pytest.raises(Fault, match=r"b\.gz` is damaged: "):
        look(Text, tmp_path, path="b.gz", compression="gzip")


@pytest.mark.tf
def test_long_lines_are_left_out(tf: Any, tmp_path: Path) -> None:
    """Under `on_error: skip` a line that is too long is left out and its index is recorded."""
    found = open_text(tmp_path, b"a\nabcdef\nb\n", max_bytes="3 B", on_error="skip")
    assert "left out" in found.notes[0]
    skipped: list[int] = []
    rows = run(tf, found, "skip", skipped)
    assert [row["text"] for row in rows] == [b"a", b"b"]
    assert skipped == [1]
