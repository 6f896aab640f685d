"""`image_folder`: listing, labels, faults, and the graph."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from safedata.problem import Fault
from safedata.scope import Scope
from safedata.sources._fingerprint import fingerprint
from safedata.sources.base import Inspected
from safedata.sources.files.image_folder import ImageFolder
from safedata.types import Dim
from tests import reference
from tests.sources.conformance import run
from tests.sources.test_headers import encode

PNG = encode("PNG", (4, 3))


def fill(root: Path, *names: str, data: bytes = PNG) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)


def look(root: Path, on_error: Any = "fail", **fields: Any) -> Inspected:
    return ImageFolder.model_validate({"path": "d", **fields}).inspect(Scope(str(root), on_error=on_error))


def fault(root: Path, **fields: Any) -> Fault:
    with pytest.raises(Fault, match="`") as caught:
        look(root, **fields)
    return caught.value


def listed(found: Inspected, root: Path) -> list[str]:
    return [os.path.relpath(path, root / "d") for path in found.files]


@pytest.mark.tf
def test_elements_are_those_of_the_reference(tf: Any, specs: Path) -> None:
    """Types hold for every element, and elements come in the documented order."""
    scope = Scope(str(specs), cpus=2)
    rows = run(tf, ImageFolder(path="data/photos").inspect(scope), scope)
    assert rows == reference.read_photos(specs / "data/photos")
    assert list(rows[0]) == ["image", "label", "path"]


@pytest.mark.tf
def test_kept_components_are_all_that_is_made(tf: Any, tmp_path: Path) -> None:
    """A source without its label still finds where elements come from."""
    fill(tmp_path, "d/a/1.png", "d/b/2.png")
    found, scope = look(tmp_path), Scope(str(tmp_path))
    kept = Inspected(found.root.keep(frozenset({"path", "#index"})), found.then)
    assert [sorted(row) for row in run(tf, kept, scope)] == [["image", "path"]] * 2
    assert list(found.root.keep(frozenset({"#index"})).infer(scope).element) == ["path"]


@pytest.mark.tf
@pytest.mark.parametrize("change", ["grown", "emptied", "gone"])
def test_files_that_changed_stop_the_run(tf: Any, tmp_path: Path, change: str) -> None:
    """A file that is not what the check saw is an error that names it."""
    fill(tmp_path, "d/a/1.png")
    found = look(tmp_path)
    (tmp_path / "d/a/1.png").write_bytes(PNG * 2 if change == "grown" else b"")
    if change == "gone":
        (tmp_path / "d/a/1.png").unlink()
    error = tf.errors.NotFoundError if change == "gone" else tf.errors.InvalidArgumentError
    with pytest.raises(error, match=r"1\.png") as caught:
        run(tf, found, Scope(str(tmp_path)))
    assert (found.root.diagnose(str(caught.value)) is not None) == (change == "gone")


def test_order_is_by_class_then_folder_by_folder(tmp_path: Path) -> None:
    """Names decide the order, folder by folder, and a label is the place of the class."""
    fill(tmp_path, "d/b/1.png", "d/a-b/1.png", "d/a/z.png", "d/a/k-l/1.png", "d/a/k/2.PNG")
    found = look(tmp_path)
    assert listed(found, tmp_path) == ["a/k/2.PNG", "a/k-l/1.png", "a/z.png", "a-b/1.png", "b/1.png"]
    assert list(found.root.columns["label"].values) == [0, 0, 0, 1, 2]  # type: ignore[attr-defined]  # a TableRoot
    label = found.root.infer(Scope("")).element["label"]
    assert str(label.range) == "0..2"


def test_classes_fix_names_and_order(tmp_path: Path) -> None:
    """`classes` gives the labels; a folder too many or too few is an error with a way out."""
    fill(tmp_path, "d/cat/1.png", "d/dog/1.png")
    assert listed(look(tmp_path, classes=["dog", "cat"]), tmp_path) == ["dog/1.png", "cat/1.png"]
    missing = fault(tmp_path, classes=["cat", "dogs"])
    assert (missing.code, missing.at, missing.help) == ("SD401", ("classes", 1), "did you mean `dog`?")
    unknown = fault(tmp_path, classes=["cat"])
    assert (unknown.code, unknown.message) == ("SD404", "`d` has folders that `classes` does not name: `dog`")
    with pytest.raises(ValidationError, match="`cat` stands twice"):
        look(tmp_path, classes=["cat", "cat"])


def test_without_labels_images_lie_anywhere(tmp_path: Path) -> None:
    """`labels: none` takes images at any depth and makes no label."""
    fill(tmp_path, "d/2.png", "d/1/x.png")
    found = look(tmp_path, labels="none")
    assert listed(found, tmp_path) == ["1/x.png", "2.png"]
    assert list(found.root.infer(Scope("")).element) == ["path"]


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    """Hidden files, other extensions, images without a class and empty classes show in the notes."""
    fill(tmp_path, "d/a/1.png", "d/a/.2.png", "d/a/notes.txt", "d/.git/3.png", "d/4.png")
    (tmp_path / "d/b").mkdir()
    assert look(tmp_path).notes == (
        "1 images beside the class folders have no class and were left out",
        "files left out: 1 .txt, 2 hidden",
        "classes without an image: `b`",
    )


def test_types_rest_on_sizes_and_headers(tmp_path: Path) -> None:
    """The largest file bounds the bytes, the headers bound the pixels, both measured."""
    fill(tmp_path, "d/a/1.png")
    fill(tmp_path, "d/a/2.png", data=PNG + b"more")
    [read] = look(tmp_path).then
    image = read.type  # type: ignore[attr-defined]  # a Read
    assert image.length == Dim.at_most(len(PNG) + 4, "measured")
    assert (image.encoded.height, image.encoded.width) == (Dim(3, True, "measured"), Dim(4, True, "measured"))


def test_bad_images_stop_the_check_or_are_counted(tmp_path: Path) -> None:
    """Empty and damaged files are all told: an error under `fail`, a note under `skip`."""
    fill(tmp_path, *(f"d/a/{number}.png" for number in range(8)))
    fill(tmp_path, "d/a/0.png", data=b"")
    one = fault(tmp_path)
    assert one.code == "SD404"
    assert one.message.endswith("0.png` is bad data: it is empty")
    fill(tmp_path, *(f"d/a/{number}.png" for number in range(1, 7)), data=b"text")
    several = fault(tmp_path)
    assert several.message.startswith("7 of 8 images are bad data: ")
    assert several.message.endswith(" and 2 more")
    assert "does not start like" in several.notes[1]
    [note] = look(tmp_path, "skip").notes
    assert note.startswith("7 of 8 images are bad and will be left out")
    fill(tmp_path, "d/a/7.png", data=b"text")
    with pytest.raises(Fault, match="8 of 8 images are bad data"):
        look(tmp_path, "skip")


def test_missing_paths_have_a_way_out(tmp_path: Path) -> None:
    """A path that is not there is told with its nearest name, or with where paths start."""
    fill(tmp_path, "data/photos/a/1.png")
    near = fault(tmp_path, path="data/photo")
    assert (near.code, near.at, near.help) == ("SD401", ("path",), "did you mean `data/photos`?")
    assert fault(tmp_path, path="xyz").help == f"paths are relative to the spec's folder: `{tmp_path}`"
    assert fault(tmp_path, path="gs://bucket/photos").code == "SD406"
    assert fault(tmp_path, path="data/photos/a/1.png").code == "SD403"


def test_nothing_found_says_what_is_there(tmp_path: Path) -> None:
    """A folder without images is told with what was looked for and what there is."""
    fill(tmp_path, "d/a/1.tif", "d/a/2.tif", "d/a/.x")
    found = fault(tmp_path)
    assert (found.code, found.message) == ("SD403", "there is no image in `d`")
    assert found.notes == ("looked for jpg, jpeg, png, gif, bmp, webp", "there is: 2 .tif, 1 hidden")
    fill(tmp_path, "e/1.png")
    assert fault(tmp_path, path="e").help == "write `labels: none`, or make a folder for each class"


def test_what_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Links that lead nowhere or back, and folders without leave, are SD402."""
    fill(tmp_path, "d/a/1.png")
    link = tmp_path / "d/a/2.png"
    link.symlink_to("nowhere.png")
    broken = fault(tmp_path)
    assert (broken.code, broken.message) == (
        "SD402",
        f"`{link}` is a link to `nowhere.png`, which cannot be followed",
    )
    link.unlink()
    (tmp_path / "d/a/up").symlink_to("..")
    assert "leads back to a folder above" in fault(tmp_path).message
    (tmp_path / "d/a/up").unlink()

    def refuse(path: str) -> Any:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("safedata.sources._listing.os.scandir", refuse)
    assert fault(tmp_path).message == f"`{tmp_path / 'd'}` cannot be read: permission denied"


def test_fingerprint_is_of_names_sizes_and_times(tmp_path: Path) -> None:
    """A fingerprint changes with a name, a size or a time, and with nothing else."""
    fill(tmp_path, "d/a/1.png", "d/a/2.png")
    file = tmp_path / "d/a/1.png"
    before = look(tmp_path).fingerprint
    fill(tmp_path, "d/a/notes.txt")
    os.chmod(file, 0o600)
    assert look(tmp_path).fingerprint == before == fingerprint(look(tmp_path).files)
    (tmp_path / "d").rename(tmp_path / "e")
    assert look(tmp_path, path="e").fingerprint == before
    (tmp_path / "e").rename(tmp_path / "d")
    stamp = file.stat().st_mtime_ns
    seen = {before}
    os.utime(file, ns=(stamp, stamp + 1))
    seen.add(look(tmp_path).fingerprint)
    file.write_bytes(PNG + b"x")
    os.utime(file, ns=(stamp, stamp))
    seen.add(look(tmp_path).fingerprint)
    file.write_bytes(PNG)
    os.utime(file, ns=(stamp, stamp))
    assert look(tmp_path).fingerprint == before
    file.rename(tmp_path / "d/a/0.png")
    seen.add(look(tmp_path).fingerprint)
    assert len(seen) == 4


def test_extensions_are_plain_words(tmp_path: Path) -> None:
    """An extension may be written with its dot and in capitals."""
    fill(tmp_path, "d/a/1.img", "d/a/2.png")
    assert listed(look(tmp_path, extensions=[".IMG"]), tmp_path) == ["a/1.img"]
