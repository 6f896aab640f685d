"""`files`: patterns, order, faults, and the graph."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from safedata.problem import Fault
from safedata.scope import Scope
from safedata.sources.base import Inspected
from safedata.sources.files.files import Files
from safedata.types import Dim, Encoded
from tests.sources.conformance import run
from tests.sources.test_headers import encode

PNG = encode("PNG", (4, 3))


def fill(root: Path, *names: str, data: bytes = b"some") -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)


def look(root: Path, path: Any) -> Inspected:
    return Files.model_validate({"path": path}).inspect(Scope(str(root)))


def listed(root: Path, path: Any) -> list[str]:
    return [os.path.relpath(one, root) for one in look(root, path).files]


def fault(root: Path, path: Any) -> Fault:
    with pytest.raises(Fault, match="`") as caught:
        look(root, path)
    return caught.value


@pytest.mark.tf
def test_elements_are_the_files(tf: Any, specs: Path) -> None:
    """Every element has the bytes and the path of its file, within its types."""
    scope = Scope(str(specs), cpus=2)
    rows = run(tf, Files(path="data/**/c*.jpg").inspect(scope), scope)
    paths = sorted((specs / "data/photos").glob("c*/*.jpg"))
    assert rows == [{"data": path.read_bytes(), "path": str(path).encode()} for path in paths]
    assert list(rows[0]) == ["data", "path"]


@pytest.mark.tf
def test_empty_files_and_odd_names_are_data_too(tf: Any, tmp_path: Path) -> None:
    """An empty file is an element; a name need not be UTF-8."""
    fill(tmp_path, "a.bin", data=b"")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xff.bin")).write_bytes(b"x")
    found = Files(path="*.bin").inspect(Scope(str(tmp_path)))
    stream = found.root.infer(Scope(""))
    assert stream.element["path"].length.most == len(os.fsencode(tmp_path)) + 7
    root = found.root.lower(_low(tf, stream))
    assert [row["path"].split(b"/")[-1] for row in root.as_numpy_iterator()] == [b"a.bin", b"b\xff.bin"]
    fill(tmp_path, "c/a.bin", data=b"")
    assert run(tf, look(tmp_path, "c/a.bin"), Scope(""))[0]["data"] == b""


def _low(tf: Any, stream: Any) -> Any:
    from safedata.lowering import Lowering

    return Lowering(tf, stream, stream, 0)


def test_patterns_name_files_once_in_order(tmp_path: Path) -> None:
    """Patterns may overlap; paths are sorted folder by folder; hidden files and folders are not meant."""
    fill(tmp_path, "a/2.txt", "a-b/1.txt", "a/k/1.txt", "a/.h.txt", "a/1.bin")
    assert listed(tmp_path, ["**/*.txt", "a/2.txt"]) == ["a/2.txt", "a/k/1.txt", "a-b/1.txt"]
    assert listed(tmp_path, "a/?.txt") == ["a/2.txt"]
    assert listed(tmp_path, "a/**") == ["a/1.bin", "a/2.txt", "a/k/1.txt"]


def test_signs_of_patterns_in_real_names_are_meant_literally(tmp_path: Path) -> None:
    """The spec's folder, and a file that exists, may have signs of patterns in their names."""
    fill(tmp_path / "x[1]", "a[2].txt", "b.txt")
    assert listed(tmp_path / "x[1]", "a[2].txt") == ["a[2].txt"]
    assert listed(tmp_path / "x[1]", "*.txt") == ["a[2].txt", "b.txt"]


def test_sizes_bound_the_bytes(tmp_path: Path) -> None:
    """The largest file bounds the bytes; files that are no images have no pixels."""
    fill(tmp_path, "1.txt", "2.txt")
    fill(tmp_path, "3.txt", data=b"longer")
    [read] = look(tmp_path, "*.txt").then
    data = read.type  # type: ignore[attr-defined]  # a Read
    assert (data.length, data.encoded) == (Dim.at_most(6, "measured"), None)


def test_images_are_known_by_their_headers(tmp_path: Path) -> None:
    """Pixels are bounded where all files are images; a note says why they are not."""
    fill(tmp_path, "1", "2", data=PNG)
    [read] = look(tmp_path, "*").then
    known = Encoded(Dim(3, True, "measured"), Dim(4, True, "measured"), frozenset({"png"}), True, 0)
    assert read.type.encoded == known  # type: ignore[attr-defined]  # a Read
    fill(tmp_path, "3")
    found = look(tmp_path, "*")
    assert found.then[0].type.encoded is None  # type: ignore[attr-defined]  # a Read
    assert found.notes[0].startswith("1 of 3 files are no images, so nothing bounds decoded sizes: `")


def test_patterns_without_files_say_what_is_there(tmp_path: Path) -> None:
    """A pattern that names nothing is told with what its folder has, at the pattern's own place."""
    fill(tmp_path, "data/a.txt", "data/b.txt")
    none = fault(tmp_path, ["data/*.txt", "data/*.png"])
    assert (none.code, none.at, none.notes) == ("SD403", ("path", 1), ("`data` has `a.txt`, `b.txt`",))
    assert none.message == "no file matches `data/*.png`"
    assert (fault(tmp_path, "dat/*").code, fault(tmp_path, "dat/*").help) == ("SD401", "did you mean `data`?")
    assert fault(tmp_path, "data/c.txt").code == "SD401"
    assert fault(tmp_path, "s3://bucket/*").code == "SD406"
    folder = fault(tmp_path, "data")
    assert (folder.code, folder.help) == ("SD403", "`data/**` names all files in it")
    (tmp_path / "data/link").symlink_to("nowhere")
    assert fault(tmp_path, "data/link").code == fault(tmp_path, "data/*").code == "SD402"
