"""`read_file`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import safedata
from safedata.problem import DataError
from safedata.types import Dim, Encoded, Tensor
from tests.ops.conformance import fault, parse
from tests.ops.files import fault_in

TEXT = "{read_file: {root: files, max_bytes: 100 B}}"
SPEC = """\
safedata: 1
runtime: {on_error: MODE}
source:
  csv: {path: table.csv, columns: {file: "string[<=99B]"}}
steps:
  - map: {data: [{from: file}, {read_file: {root: files, max_bytes: 100 B}}]}
output: [data]
"""


def table(folder: Path, *paths: str) -> Path:
    """Write a table of paths, and beside it a folder with files, links, a pipe and what is too large."""
    files = folder / "files"
    (files / "sub").mkdir(parents=True)
    (folder / "secret.txt").write_text("secret")
    (files / "a.txt").write_text("a")
    (files / "sub/b.txt").write_text("b" * 100)
    (files / "large.bin").write_bytes(bytes(101))
    (files / "inside").symlink_to("sub/b.txt")
    (files / "outside").symlink_to("../secret.txt")
    (files / "up").symlink_to("..")
    os.mkfifo(files / "pipe")
    (folder / "table.csv").write_text("file\n" + "".join(f"{path}\n" for path in paths))
    return folder


def test_type() -> None:
    """The bytes are at most as many as are declared; what is no path is refused before anything runs."""
    path = Tensor("string", length=Dim.at_most(9))
    assert str(parse(TEXT).infer(path)) == "string[<=100B]"
    assert fault(TEXT, Tensor("int64")).code == "SD202"
    assert "takes one path" in fault(TEXT, Tensor("string", (Dim.exactly(2),), Dim.at_most(9))).message
    image = Tensor("string", length=Dim.at_most(9), encoded=Encoded())
    assert "no path" in fault(TEXT, image).message


def test_the_folder_must_be_there(tmp_path: Path) -> None:
    """A folder that is not there, or is a file, is a problem of the spec."""
    assert fault_in(tmp_path, TEXT).code == "SD421"
    (tmp_path / "files").write_text("")
    assert fault_in(tmp_path, TEXT).code == "SD421"


@pytest.mark.tf
def test_files_below_the_folder_are_read(tf: Any, tmp_path: Path) -> None:
    """Paths in the folder, and links that stay in it, give the files' bytes."""
    text = SPEC.replace("MODE", "fail")
    found = safedata.load(text, folder=table(tmp_path, "a.txt", "sub/b.txt", "./sub//b.txt", "inside"))
    assert [one.numpy() for (one,) in found] == [b"a", b"b" * 100, b"b" * 100, b"b" * 100]


@pytest.mark.tf
@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("../secret.txt", "SD414: read_file: a path out of files; got"),
        ("sub/../a.txt", "SD414"),
        ("outside", "SD414"),
        ("up/secret.txt", "SD414"),
        ("/etc/hostname", "SD414"),
        ("nothing.txt", "SD404: read_file: no file in files to read; got"),
        ("sub", "SD404"),
        ("pipe", "SD404"),
        ("large.bin", "SD501: read_file: a file of more than 100 bytes; got"),
    ],
)
def test_nothing_else_is_read(tf: Any, tmp_path: Path, path: str, said: str) -> None:
    """A path that leads out of the folder, to no file or to a large one ends the run with its row."""
    folder = table(tmp_path, "a.txt", path)
    with pytest.raises(tf.errors.InvalidArgumentError, match=said) as caught:
        list(safedata.load(SPEC.replace("MODE", "fail"), folder=folder))
    assert "table.csv" in str(caught.value)
    with pytest.raises(DataError) as told:
        safedata.profile(SPEC.replace("MODE", "fail"), folder=folder)
    assert told.value.problems[0].code == said[:5]
    assert not told.value.problems[0].message.startswith("SD")
    [(only,)] = list(safedata.load(SPEC.replace("MODE", "skip"), folder=folder))
    assert only.numpy() == b"a"


@pytest.mark.tf
def test_a_cache_follows_the_files(tf: Any, tmp_path: Path) -> None:
    """A cache on disk behind it is made anew when a file below the folder has changed."""
    folder = table(tmp_path, "a.txt")
    text = SPEC.replace("MODE", "fail").replace("output:", "  - cache: {path: made}\noutput:")
    assert [one.numpy() for (one,) in safedata.load(text, folder=folder)] == [b"a"]
    (folder / "files/a.txt").write_text("changed")
    assert [one.numpy() for (one,) in safedata.load(text, folder=folder)] == [b"changed"]
