"""`repeat`, `take`, `skip` and `shard`."""

from __future__ import annotations

from typing import Any

import pytest

from safedata.cardinality import exactly
from safedata.problem import Fault


@pytest.mark.parametrize(
    ("steps", "cardinality"),
    [
        (["repeat: 3"], "exactly 30"),
        (["repeat:"], "infinite"),
        (["repeat:", "repeat: 2"], "infinite"),
        (["filter: value < 3", "repeat: 3"], "at most 30"),
        (["filter: value < 3", "repeat:"], "infinite"),
        (["take: 3"], "exactly 3"),
        (["take: 30"], "exactly 10"),
        (["repeat:", "take: 30"], "exactly 30"),
        (["filter: value < 3", "take: 30"], "at most 10"),
        (["repeat:", "filter: value < 3", "take: 30"], "at most 30"),
        (["skip: 3"], "exactly 7"),
        (["skip: 30"], "exactly 0"),
        (["repeat:", "skip: 30"], "infinite"),
        (["filter: value < 3", "skip: 3"], "at most 7"),
        (["shard: {count: 3, index: 0}"], "exactly 4"),
        (["shard: {count: 3, index: 1}"], "exactly 3"),
        (["shard: {count: 30, index: 29}"], "exactly 0"),
        (["repeat:", "shard: {count: 3, index: 1}"], "infinite"),
    ],
)
def test_cardinality(steps: list[str], cardinality: str, infer: Any) -> None:
    """The number of elements is as exact as the one before."""
    assert str(infer(*steps).cardinality) == cardinality


def test_nothing_repeated_is_nothing(given: Any, read: Any, scope: Any) -> None:
    """An empty stream stays empty, however often it is repeated."""
    empty = type(given)(0).stream
    assert read("repeat:").infer(empty, scope).cardinality == exactly(0)


@pytest.mark.tf
def test_shards_make_the_whole(run: Any) -> None:
    """Every element is in exactly one shard."""
    shards = [run(f"shard: {{count: 3, index: {index}}}").values for index in range(3)]
    assert sorted(value for shard in shards for value in shard) == list(range(10))
    assert shards[1] == [1, 4, 7]


def test_index_below_count(faults: Any) -> None:
    """The index of a shard is below its count."""
    [fault] = faults("shard: {count: 3, index: 3}")
    assert (fault.code, fault.at) == ("SD105", ("index",))
    assert fault.message == "the index of a shard is below its count of 3, and 3 is not"
    assert fault.help == "the indices are 0 to 2"


@pytest.mark.parametrize(
    ("step", "code", "message"),
    [
        ("repeat: -1", "SD105", "a count of 1 or more, not -1"),
        ("repeat: {count: -1}", "SD105", "a count of 1 or more, not -1"),
    ],
)
def test_refused(step: str, code: str, message: str, read: Any) -> None:
    """What TensorFlow would take, and this language does not, is refused with the way to write it."""
    with pytest.raises(Fault, match=message) as caught:
        read(step)
    assert caught.value.code == code


@pytest.mark.parametrize("step", ["repeat: 0", "take: 0", "take: -1", "skip: -1", "take: true", "take: 1.5"])
def test_numbers(step: str, read: Any) -> None:
    """A count is a whole number in its limits."""
    with pytest.raises(ValueError, match=r"greater than|valid integer"):
        read(step)


def test_whole_number_with_a_point(read: Any) -> None:
    """A float that is a whole number is one."""
    assert read("take: 1000.0").count == 1000
