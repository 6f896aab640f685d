"""Caches on disk: what cannot be kept, written or read is said, with its place."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

import safedata
from safedata.problem import DataError
from safedata.store import writer as writing
from tests.caching import Write, column, entries, spec


def test_what_cannot_be_kept(write: Write) -> None:
    """Batches of which the last is short are no rows: the problem names the component, and the way out."""
    text = "safedata: 1\nsource: {range: 9}\nsteps: [{batch: 4}, {cache: {path: x}}]\n"
    [problem] = safedata.check(write(text)).problems
    assert problem.code == "SD110"
    assert problem.message.endswith("keeps elements, or batches of one size, and `value` is int64[<=4]")
    assert problem.help == "cache before the batch, or give it `drop_remainder: true`"


@pytest.mark.tf
def test_a_damaged_cache_is_named(write: Write, tmp_path: Path) -> None:
    """A file that is too short is no cache: the error names it, and removing the folder mends it."""
    path = write(spec())
    safedata.load(path)
    [entry] = entries(tmp_path / "store")
    os.truncate(entry / "column-000.rows", 100)
    with pytest.raises(
        DataError, match=rf"SD404.*{entry.name} is damaged: column-000.rows .component `m`. has 100"
    ):
        safedata.load(path)


@pytest.mark.tf
def test_a_folder_that_cannot_be_written(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing can be written the error says so, with its place."""
    real = os.makedirs

    def refused(path: str | Path, *args: Any, **given: Any) -> None:
        if tmp_path / "store" in (Path(path), *Path(path).parents):  # what the system says to all but root
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        real(path, *args, **given)

    monkeypatch.setattr(os, "makedirs", refused)
    with pytest.raises(DataError, match=r"SD408.*cannot write the cache .*permission denied"):
        safedata.load(write(spec()))


@pytest.mark.tf
def test_a_path_that_is_a_file(write: Write, tmp_path: Path) -> None:
    """A path that is no folder is one clear error."""
    (tmp_path / "store").write_text("", encoding="utf-8")
    with pytest.raises(DataError, match=r"SD408.*cannot write the cache"):
        safedata.load(write(spec()))


@pytest.mark.tf
@pytest.mark.parametrize("text", ["x\n1\n2\n4\n", None])
def test_data_that_changes_meanwhile(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    """What was read while the files changed, or went away, is not kept under the key of the old ones."""
    table = tmp_path / "t.csv"
    table.write_text("x\n1\n2\n3\n", encoding="utf-8")
    path = write("safedata: 1\nsource: {csv: {path: t.csv}}\nsteps: [{cache: {path: store}}]\n")
    append = writing.Writer.append

    def changing(self: Any, values: Any) -> None:
        append(self, values)
        if text is None:
            table.unlink(missing_ok=True)
        else:
            table.write_text(text, encoding="utf-8")

    monkeypatch.setattr(writing.Writer, "append", changing)
    with pytest.raises(DataError, match=r"SD404.*the data changed while it was written"):
        safedata.load(path)
    assert entries(tmp_path / "store") == []
    monkeypatch.undo()
    table.write_text("x\n1\n2\n4\n", encoding="utf-8")
    assert column(safedata.load(path), "x") == [1, 2, 4]
