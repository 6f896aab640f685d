"""`enumerate`."""

from __future__ import annotations

from typing import Any

import pytest


def test_type(infer: Any) -> None:
    """The new component is a scalar whose range the number of elements gives; without a number it has none."""
    after = infer("enumerate: {into: place, start: 5}")
    assert str(after.element["place"]) == "int64[]"
    assert str(after.element["place"].range) == "5..14"
    assert infer("repeat:", "enumerate: place").element["place"].range is None
    assert "place" not in infer("enumerate:").element


@pytest.mark.parametrize(
    ("steps", "code", "at", "message"),
    [
        (["enumerate: value"], "SD105", ("into",), "there is a component `value` already"),
        (["enumerate: '#index'"], "SD105", ("into",), "`#index` is not a name"),
        (["select: value", "batch: 2", "enumerate:"], "SD207", (), "looks at single elements"),
    ],
)
def test_refused(steps: list[str], code: str, at: tuple[str, ...], message: str, faults: Any) -> None:
    """A name that is taken or none, and batches, are refused."""
    [fault] = faults(*steps)
    assert (fault.code, fault.at) == (code, at)
    assert message in fault.message


@pytest.mark.tf
def test_counts_each_epoch_anew(run: Any) -> None:
    """Before `repeat` each epoch starts over, behind it the count goes on."""

    def numbers(*steps: str) -> list[int]:
        return [int(one["place"]) for one in run(*steps).data.as_numpy_iterator()]

    assert numbers("take: 3", "enumerate: place", "repeat: 2") == [0, 1, 2] * 2
    assert numbers("take: 3", "repeat: 2", "enumerate: {into: place, start: 4}") == [4, 5, 6, 7, 8, 9]
    assert numbers("skip: 20", "enumerate: place") == []
