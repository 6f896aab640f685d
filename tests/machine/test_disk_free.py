from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from safedata.machine.disk import disk_free
from safedata.memory import GIB


def statvfs(monkeypatch: pytest.MonkeyPatch, flag: int = 0) -> None:
    answer = SimpleNamespace(
        f_bavail=GIB // 4096, f_bfree=GIB // 2048, f_frsize=4096, f_bsize=65536, f_flag=flag
    )
    monkeypatch.setattr(os, "statvfs", lambda _path: answer)


def test_what_ordinary_users_may_write_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks kept for root are not free, and blocks are counted in fragments."""
    statvfs(monkeypatch)
    free = disk_free(str(tmp_path), root=str(tmp_path))
    assert (free.bytes, free.notes) == (GIB, (f"1.00 GiB free on the file system of `{tmp_path}`",))


def test_a_path_to_come_is_asked_of_its_parent(tmp_path: Path) -> None:
    """The nearest existing parent answers for a path that does not exist, and the note says so."""
    path = tmp_path / "a" / "b"
    free = disk_free(str(path), root=str(tmp_path))
    assert free.bytes
    assert f"`{path}` does not exist yet; its nearest parent is `{tmp_path}`" in free.notes


def test_a_read_only_file_system_has_nothing_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be written to a read-only file system, whatever it has free."""
    statvfs(monkeypatch, os.ST_RDONLY)
    assert disk_free(str(tmp_path)).bytes == 0
    assert "is on a read-only file system" in disk_free(str(tmp_path)).notes[0]


def test_a_disk_that_does_not_answer_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the file system is a note and None, never 0."""

    def fail(_path: str) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "statvfs", fail)
    free = disk_free(str(tmp_path))
    assert free.bytes is None
    assert free.notes == (f"the free space of `{tmp_path}` cannot be read: Input/output error",)


def test_remote_paths_are_on_no_disk() -> None:
    """A bucket is unknown here."""
    free = disk_free("gs://bucket/cache")
    assert free.bytes is None
    assert "`gs://bucket/cache` is on no disk of this machine" in free.notes


def test_a_disk_in_memory_is_said(tmp_path: Path) -> None:
    """The innermost mount decides whether the file system is host memory."""
    proc = tmp_path / "proc" / "self"
    proc.mkdir(parents=True)
    lines = f"27 1 254:0 / / rw - ext4 /dev/vda rw\n28 27 0:9 / {tmp_path} rw - tmpfs tmpfs rw\n"
    (proc / "mountinfo").write_text(lines)
    notes = disk_free(str(tmp_path), root=str(tmp_path)).notes
    assert f"`{tmp_path}` is a tmpfs: what is written there is taken from host memory" in notes
    (proc / "mountinfo").write_text(lines.replace("tmpfs", "xfs"))
    assert len(disk_free(str(tmp_path), root=str(tmp_path)).notes) == 1
