"""Lists of the wrong length: how many items are wanted, and how many are there."""

from __future__ import annotations

import pytest

import safedata

SPEC = "safedata: 1\nsource: {range: 3}\nsteps: [{map: {value: [{resize: SIZE}]}}]\n"


@pytest.mark.parametrize(
    ("size", "message", "help_"),
    [
        ("[224]", "`resize` takes a list of at least 2 items, not a list", "add 1"),
        ("[]", "`resize` takes a list of at least 2 items, not a list", "add 2"),
        ("{size: [224]}", "`size` takes a list of at least 2 items, not a list", "add 1"),
        ("[1, 2, 3]", "`resize` takes a list of at most 2 items, not a list", "take 1 away"),
    ],
)
def test_a_list_of_another_length_is_counted(size: str, message: str, help_: str) -> None:
    """One problem for the whole list, which says what it has and what to do; items have no names."""
    [problem] = safedata.check(SPEC.replace("SIZE", size)).problems
    assert (problem.code, problem.message, problem.help) == ("SD105", message, help_)


@pytest.mark.parametrize("size", ["224", "{size: 224}"])
def test_one_number_for_a_size_is_told_what_a_size_is(size: str) -> None:
    """A side alone is a common slip: both have to be written."""
    [problem] = safedata.check(SPEC.replace("SIZE", size)).problems
    assert (problem.code, problem.help) == ("SD105", "write `[224, 224]`")
    assert "a height and a width, not `224`" in problem.message
