"""Caches on disk that know their data by its bytes: what makes another key, and how often a file is read for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import safedata
from safedata.memory import DISK
from safedata.phases import contents, phases
from tests.caching import Write, column, entries

SPEC = """
safedata: 1
source: {csv: {path: "data/*.csv", columns: {x: int64}}}
steps: [{cache: {path: store, verify: VERIFY}}]
"""
OLD = 10**18
"""A time long ago, in nanoseconds."""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep digests in a folder of the test's own, and forget what this process knows."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    contents.content_digest.cache_clear()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read for their bytes."""
    names: list[str] = []
    real = contents._read

    def noting(path: str) -> str:
        names.append(os.path.basename(path))
        return real(path)

    monkeypatch.setattr(contents, "_read", noting)
    return names


def fill(folder: Path, time: int = OLD, **files: str) -> None:
    (folder / "data").mkdir(exist_ok=True)
    for name, text in files.items():
        path = folder / "data" / f"{name}.csv"
        path.write_text(text, encoding="utf-8")
        os.utime(path, ns=(time, time))


def key(path: Path) -> str:
    plan = safedata.check(path).plan
    assert plan is not None
    [shelf] = [one.writes for one in phases(plan, here=False) if one.writes is not None]
    return shelf.key


def test_bytes_make_the_key(write: Write, tmp_path: Path) -> None:
    """Other times make another key only where files are told by them; other bytes, names or files always do."""
    content, times = (write(SPEC.replace("VERIFY", how), f"{how}.yaml") for how in ("content", "times"))
    fill(tmp_path, a="x\n1\n", b="x\n2\n")
    first = key(content), key(times)
    fill(tmp_path, OLD + 10**12, a="x\n1\n")
    assert key(content) == first[0]
    assert key(times) != first[1]
    found = {first[0]}
    for number, change in enumerate([{"a": "x\n3\n"}, {"b": "x\n22\n"}, {"c": "x\n2\n"}], 1):
        fill(tmp_path, OLD + number, **change)
        found.add(key(content))
    os.rename(tmp_path / "data" / "c.csv", tmp_path / "data" / "d.csv")
    found.add(key(content))
    assert len(found) == 5


def test_a_file_is_read_once(write: Write, tmp_path: Path, read: list[str]) -> None:
    """Digests outlive the process: only files of another size or time are read again."""
    path = write(SPEC.replace("VERIFY", "content"))
    fill(tmp_path, a="x\n1\n", b="x\n2\n")
    first = key(path)
    assert sorted(read) == ["a.csv", "b.csv"]
    key(path)
    contents.content_digest.cache_clear()
    assert key(path) == first
    assert len(read) == 2
    fill(tmp_path, OLD + 1, b="x\n2\n")
    assert key(path) == first
    assert read[2:] == ["b.csv"]


def test_what_was_just_written_is_read_again(write: Write, tmp_path: Path, read: list[str]) -> None:
    """A file that may change without its time changing is not kept, and digests that are damaged are made again."""
    path = write(SPEC.replace("VERIFY", "content"))
    fill(tmp_path, a="x\n1\n")
    os.utime(tmp_path / "data" / "a.csv")
    first = key(path)
    contents.content_digest.cache_clear()
    assert (key(path), read) == (first, ["a.csv", "a.csv"])
    fill(tmp_path, a="x\n1\n")
    key(path)
    [kept] = (tmp_path / "cache" / "safedata" / "measured").iterdir()
    kept.write_bytes(kept.read_bytes()[:-3])
    contents.content_digest.cache_clear()
    assert key(path) == first
    assert len(read) == 4


@pytest.mark.tf
def test_a_copy_uses_the_same_entry(write: Write, tmp_path: Path) -> None:
    """Data that was copied, with other times, is not made again."""
    path = write(SPEC.replace("VERIFY", "content"))
    fill(tmp_path, a="x\n1\n2\n")
    assert column(safedata.load(path), "x") == [1, 2]
    [entry] = entries(tmp_path / "store")
    fill(tmp_path, OLD + 10**12, a="x\n1\n2\n")
    assert safedata.check(path).places[DISK].bytes == 0
    assert column(safedata.load(path), "x") == [1, 2]
    assert entries(tmp_path / "store") == [entry]


def test_only_on_disk(write: Write) -> None:
    """A cache in memory is made anew in every run, so it has nothing to verify."""
    [problem] = safedata.check(
        write("safedata: 1\nsource: {range: 3}\nsteps: [{cache: {verify: content}}]\n")
    ).problems
    assert problem.code == "SD105"
    assert "`verify` is for a cache on disk" in problem.message + str(problem.help)


def test_a_file_that_cannot_be_read(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose bytes cannot be read is a problem of the source, with a way out."""
    fill(tmp_path, a="x\n1\n")

    def refused(path: str) -> str:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(contents, "_read", refused)
    [problem] = safedata.check(write(SPEC.replace("VERIFY", "content"))).problems
    assert problem.span is not None
    assert (problem.code, problem.span.line) == ("SD404", 3)
    assert problem.message.endswith("a.csv for its content: permission denied")


def test_no_files(write: Write) -> None:
    """A source without files has the same key either way."""
    text = "safedata: 1\nsource: {range: 3}\nsteps: [{cache: {path: store, verify: VERIFY}}]\n"
    keys = {key(write(text.replace("VERIFY", how))) for how in ("content", "times")}
    assert len(keys) == 1
