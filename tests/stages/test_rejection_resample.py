"""`rejection_resample`."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from pydantic import ValidationError

import safedata
from safedata.stages.rejection_resample import RejectionResample

TEXT = """\
safedata: 1
source:
  synthetic: {components: {label: {type: "int64[]", range: [0, 3]}}, count: 4000}
steps:
  - enumerate: place
  - MORE
  - rejection_resample: {label: label, target_dist: [1, 1, 2, 0], initial_dist: [1, 1, 1, 1]}
runtime: {accept: [SD607, SD608, SD609, SD610, SD611, SD617]}
"""


def elements(more: str = "take: 4000") -> list[tuple[int, int]]:
    """Return place and label of what stays."""
    made = safedata.load(TEXT.replace("MORE", more)).as_numpy_iterator()
    return [(int(one["place"]), int(one["label"])) for one in made]


@pytest.mark.tf
def test_classes_are_as_frequent_as_asked_for(tf: Any) -> None:
    """The shares are those of `target_dist`, as TensorFlow's own stage gives them, and nothing needless is left out."""
    every = safedata.load(TEXT.split("  - MORE")[0])
    there = Counter(int(one["label"]) for one in every.as_numpy_iterator())
    found = Counter(label for _, label in elements())
    assert set(found) == {0, 1, 2}
    assert found[2] == there[2]
    assert all(abs(found[label] / there[label] - 0.5) < 0.06 for label in (0, 1))

    def class_of(one: Any) -> Any:
        return tf.cast(one["label"], tf.int32)

    theirs = every.rejection_resample(class_of, [0.25, 0.25, 0.5, 0.0], [0.25] * 4, seed=1)
    drawn = Counter(int(one) for one, _ in theirs.as_numpy_iterator())
    share = {label: number / sum(drawn.values()) for label, number in drawn.items()}
    assert all(abs(found[label] / sum(found.values()) - share.get(label, 0)) < 0.05 for label in range(4))


@pytest.mark.tf
def test_draws_go_by_the_element() -> None:
    """The same elements stay in each run, whatever the order; others in the next epoch."""
    plain = elements()
    assert elements() == plain
    assert sorted(elements("shuffle: 100")) == plain
    assert elements("take: 1000") == [one for one in plain if one[0] < 1000]
    text = TEXT.replace("MORE", "take: 300") + "---"
    twice = text.replace("runtime", "  - repeat: 2\nruntime").replace("---", "")
    both = [int(one["place"]) for one in safedata.load(twice).as_numpy_iterator()]
    first = [place for place, _ in plain if place < 300]
    assert both[: len(first)] == first
    assert both[len(first) :] != first
    assert abs(len(both) - 2 * len(first)) < 60


def test_the_number_is_at_most() -> None:
    """How many stay follows from the draws: at most all of them."""
    plan = safedata.check(TEXT.replace("MORE", "take: 90"), host="8GiB").plan
    assert plan is not None
    assert str(plan.result.cardinality) == "at most 90"


@pytest.mark.tf
def test_labels_that_are_no_class(tf: Any) -> None:
    """They end the run with the element's place, or are left out and counted; a type that shows it is an error."""
    few = (
        TEXT.replace("MORE", "take: 40")
        .replace("[1, 1, 2, 0]", "[1, 1, 2]")
        .replace("[1, 1, 1, 1]", "[1, 1, 1]")
    )
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="SD404: rejection_resample: label must be a class from 0 to 2"
    ):
        list(safedata.load(few))
    skip = few.replace("runtime: {", "runtime: {on_error: {skip: {max: 40}}, ")
    assert {int(one["label"]) for one in safedata.load(skip).as_numpy_iterator()} == {0, 1, 2}
    [problem] = [
        one
        for one in safedata.check(few.replace("range: [0, 3]", "range: [5, 9]"), host="8GiB").problems
        if one.severity == "error"
    ]
    assert (problem.code, problem.message) == ("SD205", "`label` lies in 5..9, and the classes are 0..2")


@pytest.mark.parametrize(
    ("steps", "code", "message"),
    [
        (
            ["rejection_resample: {label: image, target_dist: [1, 2]}"],
            "SD203",
            "goes by a scalar whole number",
        ),
        (["rejection_resample: {label: none, target_dist: [1, 2]}"], "SD201", "there is no component `none`"),
        (
            ["select: value", "batch: 2", "rejection_resample: {label: value, target_dist: [1, 2]}"],
            "SD207",
            "looks at single elements",
        ),
    ],
)
def test_refused(steps: list[str], code: str, message: str, faults: Any) -> None:
    """What has no class cannot be resampled by it."""
    [fault] = faults(*steps)
    assert (fault.code, message in fault.message) == (code, True)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"target_dist": [1, 1], "initial_dist": [1]}, "`initial_dist` has 1 numbers and `target_dist` 2"),
        ({"target_dist": [0, 0]}, "needs a number above 0"),
        (
            {"target_dist": [1, 1], "initial_dist": [1, 0]},
            "asks for class 1, of which `initial_dist` has none",
        ),
        ({"target_dist": [1, -1]}, "greater than or equal to 0"),
    ],
)
def test_fields(fields: dict[str, Any], message: str) -> None:
    """Shares have one number for each class, none below 0, and none is asked for of what is not there."""
    with pytest.raises(ValidationError, match=message):
        RejectionResample.model_validate({"label": "label", **fields})
