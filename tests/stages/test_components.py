"""`select`, `drop` and `rename`."""

from __future__ import annotations

from typing import Any

import pytest

from safedata.problem import Fault


@pytest.mark.parametrize(
    ("step", "left"),
    [
        ("select: [words, value]", ["words", "value"]),
        ("select: value", ["value"]),
        ("drop: words", ["value", "image", "numbers"]),
        ("drop: [words, value]", ["image", "numbers"]),
        ("rename: {image: pixels}", ["value", "pixels", "numbers", "words"]),
        ("rename: {image: words, words: image}", ["value", "words", "numbers", "image"]),
        ("rename: {value: image, image: numbers, numbers: value}", ["image", "numbers", "value", "words"]),
    ],
)
def test_names(step: str, left: list[str], infer: Any) -> None:
    """What leaves, in order; renaming happens at once, so names can be swapped."""
    assert list(infer(step).visible) == left


def test_swap_swaps_types(infer: Any, given: Any) -> None:
    """A component takes its type along to its new name."""
    before, after = given.stream.element, infer("rename: {image: words, words: image}").element
    assert (after["image"], after["words"]) == (before["words"], before["image"])


@pytest.mark.parametrize(
    ("step", "code", "at", "message"),
    [
        ("select: [value, imge]", "SD201", ("components", 1), "there is no component `imge` to select"),
        ("select: '#index'", "SD201", ("components", 0), "there is no component `#index` to select"),
        ("drop: wrds", "SD201", ("components", 0), "there is no component `wrds` to drop"),
        ("drop: [value, image, numbers, words]", "SD105", ("components",), "`drop` leaves no component"),
        ("rename: {imge: x}", "SD201", ("imge",), "there is no component `imge` to rename"),
        ("rename: {image: words}", "SD105", ("image",), "`image` cannot become `words`"),
    ],
)
def test_refused(step: str, code: str, at: tuple[str | int, ...], message: str, faults: Any) -> None:
    """Names that do not exist, and names that are taken, are reported where they stand."""
    [fault] = faults(step)
    assert (fault.code, fault.at) == (code, at)
    assert fault.message.startswith(message)
    assert fault.help


def test_two_with_one_name(faults: Any) -> None:
    """Two components cannot get the same name; both are reported."""
    assert [fault.at for fault in faults("rename: {image: x, words: x}")] == [("image",), ("words",)]


@pytest.mark.parametrize("step", ["rename: {image: '#x'}", "rename: {image: 3}", "rename: {image: 'a,b'}"])
def test_no_name(step: str, read: Any) -> None:
    """A new name must be one that a spec can name."""
    with pytest.raises(Fault, match="is not a name for a component"):
        read(step)


@pytest.mark.parametrize("step", ["rename: image", "rename:", "rename: {}"])
def test_rename_takes_a_mapping(step: str, read: Any) -> None:
    """`rename` without names says how to write them."""
    with pytest.raises(Fault, match="takes old names with their new ones"):
        read(step)


@pytest.mark.parametrize(
    ("step", "after", "before"),
    [
        ("select: [a, b]", {"a", "#index"}, {"a", "b", "#index"}),
        ("drop: c", {"a", "#index"}, {"a", "c", "#index"}),
        ("rename: {a: b, b: a, c: d}", {"a", "d", "e", "#index"}, {"a", "b", "c", "e", "#index"}),
    ],
)
def test_needs(step: str, after: set[str], before: set[str], read: Any) -> None:
    """What must come in has its old name; what a step names must be there."""
    assert read(step).needs(frozenset(after)) == before
