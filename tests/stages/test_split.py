"""`split`."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from safedata.cardinality import exactly
from safedata.stages.split import Split
from safedata.types import Dim, Stream, Tensor

PARTS = {"train": 0.7, "validation": 0.1, "test": 0.2}


def split(part: str, **more: Any) -> str:
    fields = "".join(f", {name}: {value}" for name, value in more.items())
    return f"split: {{part: {part}, parts: {{train: 0.7, validation: 0.1, test: 0.2}}{fields}}}"


@pytest.mark.tf
@pytest.mark.parametrize("more", [{}, {"seed": 5}, {"by": "value"}])
def test_parts_are_disjoint_and_whole(more: dict[str, Any], run: Any) -> None:
    """Every element is in one part, in its order, and each part has about its share."""
    parts = {part: run(split(part, **more), count=500).values for part in PARTS}
    assert sorted(value for values in parts.values() for value in values) == list(range(500))
    assert all(values == sorted(values) for values in parts.values())
    slack = 40 if "by" in more else 4
    assert all(abs(len(parts[part]) - 500 * share) < slack for part, share in PARTS.items())


@pytest.mark.tf
@pytest.mark.parametrize("count", [0, 1, 2, 9, 137])
def test_the_number_is_exact(count: int, run: Any) -> None:
    """By place the number of elements is known beforehand, for any number of them."""
    for part in PARTS:
        ran = run(split(part, seed=count), count=count)
        assert len(ran.values) == ran.stream.cardinality.count == ran.data.cardinality().numpy()


@pytest.mark.tf
@pytest.mark.parametrize("by", [None, "value"])
def test_more_elements_move_none(by: str | None, run: Any) -> None:
    """Elements that are added stay out of the way: the others keep their part; another seed deals anew."""
    more = {} if by is None else {"by": by}
    few = run(split("test", **more), count=60).values
    assert run(split("test", **more), count=200).values[: len(few)] == few
    assert run(split("test", seed=1, **more), count=60).values != few


@pytest.mark.tf
def test_by_value_goes_with_the_element(run: Any) -> None:
    """By value the order is of no matter."""
    plain = run(split("test", by="value"), count=80).values
    assert sorted(run("shuffle: all", split("test", by="value"), count=80).values) == plain


def test_every_run_of_neighbours_has_its_share() -> None:
    """Of any number of first elements a part has its fraction, to within four."""
    stage = Split(part="train", parts=PARTS)
    for count in (10, 100, 1_000, 10**5):
        found = stage._dealt(exactly(count)).count
        assert abs((found or 0) - 0.7 * count) < 4
    assert Split(part="b", parts={"a": 0.1, "b": 0.2, "c": 0.7})._dealt(exactly(0)).count == 0


@pytest.mark.parametrize(
    ("steps", "code", "message"),
    [
        ([split("test", by="image")], "SD203", "`split` goes by a scalar string or integer"),
        ([split("test", by="nowhere")], "SD201", "there is no component `nowhere`"),
        (["select: value", "batch: 2", split("test", by="value")], "SD207", "looks at single elements"),
    ],
)
def test_refused(steps: list[str], code: str, message: str, faults: Any) -> None:
    """What cannot decide is refused."""
    [fault] = faults(*steps)
    assert (fault.code, message in fault.message) == (code, True)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"parts": {"a": 0.7, "b": 0.4}}, "add up to 1.1"),
        ({"part": "c"}, "there is no part `c`; parts: `a`, `b`"),
        ({"parts": {"a": 0, "b": 0.4}}, "greater than 0"),
    ],
)
def test_fields(fields: dict[str, Any], message: str) -> None:
    """Fractions are above 0 and add up to 1 at most, and the part is one of them."""
    with pytest.raises(ValidationError, match=message):
        Split.model_validate({"part": "a", "parts": {"a": 0.5, "b": 0.5}, **fields})


@pytest.mark.tf
def test_by_text(scope: Any, low: Any) -> None:
    """Equal texts are in one part; an element's text decides wherever it stands."""
    import tensorflow as tf

    before = Stream({"path": Tensor("string", (), Dim.at_most(3))}, exactly(300))
    data = tf.data.Dataset.range(300).map(lambda number: {"path": tf.strings.as_string(number % 100)})
    parts: list[set[bytes]] = []
    for part in PARTS:
        stage = Split(part=part, parts=PARTS, by="path")
        found = stage.lower(data, low(before, stage.infer(before, scope)))
        parts.append({one["path"] for one in found.as_numpy_iterator()})
    assert sum(map(len, parts)) == len(set().union(*parts)) == 100
