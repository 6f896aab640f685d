from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import safedata
from safedata.problem import Span
from safedata.spec.load import Resolved, load
from safedata.spec.node import DocumentError

BASE = """\
safedata: 1
params: {batch: 64, data: flowers}
budget: {host: 4GiB, reserve: {gpu: 1GiB}}
source: {files: {path: "${data}", limit: 3}}
steps:
  - {name: decode, map: {image: [decode_image]}}
  - {name: augment, map: {image: [random_flip_left_right]}}
  - batch: "${batch}"
output: [image]
"""

Over = Callable[[str], Resolved]


@pytest.fixture
def over(tmp_path: Path) -> Over:
    """Load a child of `BASE` from its text."""
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "images.yaml").write_text(BASE)

    def load_child(text: str) -> Resolved:
        child = tmp_path / "child.yaml"
        child.write_text(f"safedata: 1\nextends: base/images.yaml\n{text}\n")
        return load(child)

    return load_child


def steps(found: Resolved) -> list[Any]:
    return [step.get("name") or next(iter(step)) for step in found.document.plain(("steps",))]


def test_mappings_merge_and_lists_are_replaced(over: Over) -> None:
    """The child wins key by key; a list of its own replaces the one below."""
    found = over("budget: {reserve: {host: 2GiB}}\noutput: {x: image}").document
    assert found.plain(("budget",)) == {"host": "4GiB", "reserve": {"gpu": "1GiB", "host": "2GiB"}}
    assert found.plain(("output",)) == {"x": "image"}
    assert found.get(("extends",)) is None


def test_a_childs_parameters_change_the_defaults_below(over: Over) -> None:
    """A parameter set in the child is what the base's `${...}` give."""
    assert over("params: {batch: 128}").document.plain(("steps", 2, "batch")) == 128


def test_a_source_of_the_same_kind_merges_and_another_replaces(over: Over) -> None:
    """Fields merge within one kind of source; two kinds never stand side by side."""
    same = over("source: {files: {limit: 5}}").document
    assert same.plain(("source",)) == {"files": {"path": "flowers", "limit": 5}}
    assert over("source: {range: 10}").document.plain(("source",)) == {"range": 10}


def test_every_piece_keeps_its_own_file(over: Over, tmp_path: Path) -> None:
    """What came from the base points into the base, what the child says into the child."""
    found = over("budget: {gpu: 1GiB}")
    base = str(tmp_path / "base" / "images.yaml")
    assert found.document.span(("budget", "host")) == Span(base, 3, 16, 3, 20)
    assert found.document.span(("budget", "gpu")).file == str(tmp_path / "child.yaml")
    assert set(found.files) == set(found.document.texts) == {base, str(tmp_path / "child.yaml")}
    assert found.folder == str(tmp_path)


@pytest.mark.parametrize(
    ("child", "names"),
    [
        ("[{name: augment, cache: memory}]", ["decode", "augment", "batch"]),
        ("[{name: augment, remove: true}]", ["decode", "batch"]),
        ("[{after: decode, cache: memory}]", ["decode", "cache", "augment", "batch"]),
        ("[{after: decode, a: 1}, {after: decode, b: 1}]", ["decode", "a", "b", "augment", "batch"]),
        ("[{before: augment, a: 1}, {before: augment, b: 1}]", ["decode", "a", "b", "augment", "batch"]),
        ("[{after: augment, name: x, a: 1}, {after: x, b: 1}]", ["decode", "augment", "x", "b", "batch"]),
        ("[{a: 1}, {name: augment, b: 1}]", ["a", "augment"]),
        ("[]", []),
    ],
)
def test_named_steps_change_those_below(over: Over, child: str, names: list[str]) -> None:
    """A list in which every step names one below changes these in order; any other list replaces them."""
    found = over(f"steps: {child}")
    assert steps(found) == names
    assert not any(key in step for step in found.document.plain(("steps",)) for key in ("after", "before"))


def test_a_replaced_step_is_the_childs_alone(over: Over) -> None:
    """A step is replaced whole, not merged with the one of its name."""
    found = over("steps: [{name: augment, cache: memory}]").document
    assert found.plain(("steps", 1)) == {"name": "augment", "cache": "memory"}


def test_specs_extend_in_chains(over: Over, tmp_path: Path) -> None:
    """A spec may extend one that extends another, each path relative to its own file."""
    (tmp_path / "base" / "small.yaml").write_text("extends: images.yaml\nparams: {batch: 2}\n")
    child = tmp_path / "last.yaml"
    child.write_text("safedata: 1\nextends: base/small.yaml\nbudget: {host: 1GiB}\n")
    found = load(child)
    assert found.document.plain(("steps", 2, "batch")) == 2
    assert found.document.plain(("budget", "host")) == "1GiB"
    assert [Path(file).name for file in found.files] == ["last.yaml", "small.yaml", "images.yaml"]


def test_text_extends_from_the_folder_it_is_given(over: Over, tmp_path: Path) -> None:
    """A spec given as text starts its paths at `folder`."""
    over("")
    found = load("safedata: 1\nextends: images.yaml\n", folder=tmp_path / "base")
    assert steps(found) == ["decode", "augment", "batch"]
    assert found.files == (str(tmp_path / "base" / "images.yaml"),)


@pytest.mark.parametrize(
    ("extends", "message"),
    [
        ("child.yaml", r"SD108.*in a circle: .*child.yaml -> .*child.yaml"),
        ("base", "SD108.*is not a file"),
        ("[a, b]", "SD108.*the path of one spec, not a list"),
        ("${x}", "SD108.*takes no parameters"),
        ("nowhere/a.yaml", "SD108.*does not exist.*there is no folder"),
        ("list.yaml", "SD108.*is a list, not a mapping"),
        ("broken.yaml", r"broken.yaml:\d+:\d+: error\[SD101\]"),
    ],
)
def test_what_cannot_be_extended_is_said(over: Over, tmp_path: Path, extends: str, message: str) -> None:
    """A base that is missing, circular or no spec is SD108; what is wrong inside it keeps its own code."""
    (tmp_path / "list.yaml").write_text("[1]")
    (tmp_path / "broken.yaml").write_text("a: [")
    child = tmp_path / "child.yaml"
    child.write_text(f"safedata: 1\nextends: {extends}\n")
    with pytest.raises(DocumentError, match=message):
        load(child)


def test_unused_parameters_of_a_base_are_no_warning(over: Over) -> None:
    """Only what the spec itself declares and never uses is worth a warning."""
    assert over("steps: []").warnings == ()
    assert [problem.message for problem in over("params: {new: 1}").warnings] == [
        "nothing uses the parameter `new`"
    ]


def test_a_spec_can_be_checked_where_the_folder_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a current directory a spec given as text is read, and what it names does not exist."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert safedata.check("safedata: 1\nsource: {range: 3}\n").fits
    (problem,) = safedata.check("safedata: 1\nextends: base.yaml\n").problems
    assert problem.message == "the spec to extend, `base.yaml`, does not exist"
