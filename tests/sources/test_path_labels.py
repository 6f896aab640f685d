"""Labels that a pattern finds in paths: `labels: {regex: ...}` of `image_folder` and `files`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import safedata
from safedata.problem import Fault
from safedata.scope import Scope
from safedata.sources.base import Inspected
from safedata.sources.files.files import Files
from safedata.sources.files.image_folder import ImageFolder
from tests.sources.conformance import run
from tests.sources.test_image_folder import fill

NAMES = ("d/cat_1.png", "d/x/dog_2.png", "d/x/cat_3.png")
NAME = r"([a-z]+)_[0-9]+\.png$"


def look(root: Path, **fields: Any) -> Inspected:
    return ImageFolder.model_validate({"path": "d", **fields}).inspect(Scope(str(root)))


@pytest.mark.tf
def test_labels_are_those_of_the_paths(tf: Any, tmp_path: Path) -> None:
    """Labels number the classes in their names' order, or in that of `classes`; notes say what was found."""
    fill(tmp_path, *NAMES)
    scope = Scope(str(tmp_path))
    found = look(tmp_path, labels={"regex": NAME})
    assert [(row["path"][-9:], row["label"]) for row in run(tf, found, scope)] == [
        (b"cat_1.png", 0),
        (b"cat_3.png", 0),
        (b"dog_2.png", 1),
    ]
    assert "2 classes found in the paths: `cat`, `dog`" in found.notes
    other = look(tmp_path, labels={"regex": NAME}, classes=["dog", "bird", "cat"])
    assert [row["label"] for row in run(tf, other, scope)] == [2, 2, 0]
    assert str(other.root.infer(scope).element["label"].range) == "0..2"
    assert "classes without a file: `bird`" in other.notes


@pytest.mark.tf
def test_files_have_them_too(tf: Any, tmp_path: Path) -> None:
    """In `files` the pattern is found in the path from the spec's folder, at its beginning with `^`."""
    fill(tmp_path, *NAMES)
    spec = 'safedata: 1\nsource: {files: {path: "d/**/*.png", labels: {regex: "^d/([a-z]+)"}}}\noutput: [label]\n'
    assert [int(label) for (label,) in safedata.load(spec, folder=tmp_path)] == [0, 1, 1]
    found = Files.model_validate({"path": "d/**/*.png", "labels": {"regex": "^d/([a-z]+)"}})
    assert "2 classes found in the paths: `cat`, `x`" in found.inspect(Scope(str(tmp_path))).notes


def test_a_path_that_does_not_match(tmp_path: Path) -> None:
    """The error names the file and how many there are of the kind, and points at the pattern."""
    fill(tmp_path, *NAMES, "d/other.png", "d/1.png")
    with pytest.raises(Fault, match=r"finds no class in `1[.]png`") as caught:
        look(tmp_path, labels={"regex": NAME})
    assert (caught.value.code, caught.value.at) == ("SD404", ("labels", "regex"))
    assert caught.value.notes == ("2 of 5 files of `d` have none: `1.png`, `other.png`",)


def test_a_class_without_a_number(tmp_path: Path) -> None:
    """A class that `classes` does not name is an error with the nearest one."""
    fill(tmp_path, *NAMES)
    with pytest.raises(Fault, match="files have classes that `classes` does not name: `dog`") as caught:
        look(tmp_path, labels={"regex": NAME}, classes=["cat", "dogs"])
    assert (caught.value.at, caught.value.help) == (("classes",), "did you mean `dogs`?")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("[a-z]+", "needs one group"),
        ("(a)(b)", "needs one group"),
        ("((?:a|b)+)$", "repeats a group"),
        ("(a{2,3})*", "repeats a group"),
        (r"(\pL+)", "cannot be used for paths"),
        ("(a", r"`\(`"),
        (r"(?=x)(a)", "pattern"),
    ],
)
def test_patterns_that_are_refused(pattern: str, message: str) -> None:
    """A pattern has one group, is one of RE2 and of Python alike, and cannot try for ever."""
    with pytest.raises(ValidationError, match=message):
        ImageFolder.model_validate({"path": "d", "labels": {"regex": pattern}})


@pytest.mark.parametrize("pattern", [r"([()*+]+)x", r"(\)+)", "([^]()]*)"])
def test_brackets_that_are_characters(pattern: str) -> None:
    """A bracket that is escaped, or stands in a class, is a character and may be repeated."""
    assert ImageFolder.model_validate({"path": "d", "labels": {"regex": pattern}}).labels is not None


def test_what_is_not_a_way_to_label(tmp_path: Path) -> None:
    """Another word is one problem, and `classes` without labels are refused."""
    spec = "safedata: 1\nsource: {image_folder: {path: d, labels: names}}\n"
    [problem] = safedata.check(spec, folder=tmp_path).problems
    assert problem.code == "SD105"
    with pytest.raises(ValidationError, match="`classes` stands beside `labels`"):
        Files.model_validate({"path": "*", "classes": ["a"]})
