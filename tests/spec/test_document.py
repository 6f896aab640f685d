from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from safedata.problem import Span
from safedata.report.text import render_all
from safedata.spec import yaml_events
from safedata.spec.document import MAX_BYTES, decode, parse, read
from safedata.spec.node import Document, DocumentError

TEXT = """\
safedata: 1
steps:
  - batch: {size: 64, "drop": true}
  - map:
      image: [decode_image, &size [2, 2]]
      again: *size
"""


READERS = {False: "pure", True: "libyaml"} if yaml.__with_libyaml__ else {False: "pure"}
"""The readers of YAML that PyYAML was built with, by whether they are libyaml's."""


@pytest.fixture(params=READERS, ids=READERS.get)
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test with each reader of YAML that is here."""
    monkeypatch.setattr(yaml, "__with_libyaml__", request.param)


PIECES = [
    *("a: ", "b", "- ", "\n", "  ", "[", "]", "{", "}", ",", "&x ", "*x", "!t "),
    *("<<: ", "'", '"', ": ", "# ", "---\n", "...\n", "? ", "\t", "${", "|\n", "%TAG"),
]


def problems_in(text: str) -> list[str]:
    with pytest.raises(DocumentError, match=r"error\[SD1") as caught:
        parse(text, "a.yaml")
    return [problem.code for problem in caught.value.problems]


@pytest.mark.usefixtures("reader")
def test_every_value_knows_its_place_and_its_keys_place() -> None:
    """A path leads to the smallest piece of the text, or of its longest prefix that exists."""
    document = parse(TEXT, "a.yaml")
    assert document.span(("steps", 0, "batch", "size")) == Span("a.yaml", 3, 19, 3, 21)
    assert document.span(("steps", 0, "batch", "drop"), key=True) == Span("a.yaml", 3, 23, 3, 29)
    assert document.span(("steps", 0, "batch", "size", "missing")) == Span("a.yaml", 3, 19, 3, 21)
    assert document.span(("steps", 0, "batch")) == Span("a.yaml", 3, 12, 3, 36)
    assert document.span(("steps", 0)) == Span("a.yaml", 3, 5, 3, 36)
    assert document.span(("steps", 1, "map", "again"), key=True) == Span("a.yaml", 6, 7, 6, 12)
    assert document.get(("steps", 9)) is None


@pytest.mark.usefixtures("reader")
def test_the_tree_without_positions_is_the_data() -> None:
    """`plain` is what the text says, aliases written out."""
    assert parse(TEXT, "a.yaml").plain() == {
        "safedata": 1,
        "steps": [
            {"batch": {"size": 64, "drop": True}},
            {"map": {"image": ["decode_image", [2, 2]], "again": [2, 2]}},
        ],
    }


def test_merge_keys_add_what_the_mapping_does_not_say() -> None:
    """What a mapping says itself wins over `<<`, and of several the first wins."""
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], x: 3}\n"
    assert parse(text, "a.yaml").plain(("c",)) == {"x": 3, "y": 1, "z": 2}
    assert problems_in("a: {<<: 1}") == ["SD101"]


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? ", "[a, "])
def test_text_nested_deeper_than_any_stack_is_refused(opening: str) -> None:
    """Ten thousand levels are an answer, not a crash, and only some 64 of them are read."""
    assert problems_in(opening * min(10_000, sys.getrecursionlimit() * 10))[-1] in ("SD109", "SD101")
    assert problems_in("[" * 10_000) == ["SD109"]


def test_aliases_cannot_nest_deeper_than_text() -> None:
    """Depth counts behind aliases too."""
    half = "[" * 40 + "]" * 40
    assert problems_in(f"a: &a {half}\nb: {'[' * 40}*a{']' * 40}") == ["SD109"]
    assert parse(f"a: &a {half}\nb: [*a]", "a.yaml").get(("b", 0, 0))


def test_aliases_are_counted_before_they_are_written_out() -> None:
    """A bomb of aliases is refused after no more values than the limit."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 50)]
    root, problems = yaml_events.build("\n".join(lines), "a.yaml")
    assert root is None
    assert [problem.code for problem in problems] == ["SD109"]
    assert int(problems[0].label.split()[0]) < 2 * yaml_events.MAX_NODES


def test_a_key_behind_a_merge_is_no_duplicate() -> None:
    """Only keys that stand in the text twice are duplicates, each reported with the first."""
    parse("a: &a {x: 1}\nb: {<<: *a, x: 2}", "a.yaml")
    assert problems_in("x: 1\nx: 2\nx: 3") == ["SD102", "SD102"]


@pytest.mark.parametrize("name", ["utf-16", "utf-16-le", "utf-32"])
def test_other_encodings_are_named(name: str) -> None:
    """UTF-16 and UTF-32 are called by their names."""
    with pytest.raises(DocumentError, match=rf"the text is {name[:6].upper()}, not UTF-8"):
        decode("safedata: 1\n".encode(name), "a.yaml")


@pytest.mark.parametrize(("mark", "offset"), [(b"", 18), (b"\xef\xbb\xbf", 21)])
def test_bytes_that_are_not_utf8_are_named_by_offset_and_line(mark: bytes, offset: int) -> None:
    """The first wrong byte is named, whether or not a byte order mark stands before it."""
    with pytest.raises(DocumentError, match=f"byte 0xe9 at offset {offset}, in line 2") as caught:
        decode(mark + b"safedata: 1\nname: \xe9t\xe9\n", "a.yaml")
    assert caught.value.problems[0].span == Span("a.yaml", 2, 7, 2, 8)


def test_a_byte_order_mark_moves_no_place(tmp_path: Path) -> None:
    """A file with a byte order mark reads as it does without."""
    file = tmp_path / "a.yaml"
    file.write_bytes(b"\xef\xbb\xbfsafedata: 1\n")
    assert read(file).span(("safedata",), key=True) == Span(str(file), 1, 1, 1, 9)


def test_a_large_file_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file over the limit is refused by its size alone."""
    file = tmp_path / "a.yaml"
    with file.open("wb") as stream:
        stream.truncate(50 * MAX_BYTES)
    monkeypatch.setattr("builtins.open", lambda *_: pytest.fail("it was opened"))
    with pytest.raises(
        DocumentError,
        match=rf"^[^ ]* error\[SD109\]: [^ ]* has {50 * MAX_BYTES} bytes, a spec has {MAX_BYTES}",
    ):
        read(file)


def test_paths_that_are_no_files_say_so(tmp_path: Path) -> None:
    """A missing spec, a folder and a name that no file can have are answers."""
    with pytest.raises(DocumentError, match=r"SD401.*does not exist"):
        read(tmp_path / "none.yaml")
    with pytest.raises(DocumentError, match=r"SD402.*it is a folder"):
        read(tmp_path)
    with pytest.raises(DocumentError, match=r"SD402.*null"):
        read("a\0b")


def outcome(text: str) -> Document | DocumentError:
    try:
        return parse(text, "a.yaml")
    except DocumentError as error:
        return error


def check(text: str) -> None:
    found = outcome(text)
    if isinstance(found, DocumentError):
        assert render_all(found.problems, found.texts)
        assert 0 < len(found.problems) <= yaml_events.MAX_PROBLEMS
    else:
        assert found.span(()).line >= 1


@given(
    st.text(st.characters(codec="utf-8") | st.sampled_from("[]{}:,-&*!|>'\"%@#?\n\t ${}0x<"), max_size=200)
)
@settings(max_examples=400, deadline=None)
def test_any_text_is_a_document_or_an_answer(text: str) -> None:
    """No text brings out another exception."""
    check(text)


@given(st.lists(st.sampled_from(PIECES)))
@settings(max_examples=400, deadline=None)
def test_any_pieces_of_yaml_are_a_document_or_an_answer(pieces: list[str]) -> None:
    """Nor do pieces of YAML in any order."""
    check("".join(pieces))


@given(st.binary(max_size=100))
def test_any_bytes_are_text_or_an_answer(data: bytes) -> None:
    """Nor do bytes."""
    try:
        text = decode(data, "a.yaml")
    except DocumentError as error:
        codes = {problem.code for problem in error.problems}
    else:
        codes = {"SD101"}
        check(text)
    assert codes == {"SD101"}


def test_a_file_that_hides_its_size_is_read_no_further_than_the_limit() -> None:
    """Of an endless device only the limit is read."""
    with pytest.raises(DocumentError, match=rf"^[^ ]* error\[SD109\]: .* more than {MAX_BYTES} bytes"):
        read("/dev/zero")
