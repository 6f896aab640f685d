"""`flatten`."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

import safedata
from safedata.cardinality import exactly
from safedata.scope import Scope
from safedata.stages.flatten import Flatten
from safedata.types import SCALAR_INT64, Dim, Stream, Tensor

MOST = Dim.at_most(5)
ELEMENT = {
    "a": Tensor("int64", (MOST,)),
    "b": Tensor("float32", (MOST, Dim.exactly(2))),
    "r": Tensor("int64", (MOST, Dim.at_most(9)), ragged_rank=1),
    "s": Tensor("string", (), Dim.at_most(2)),
    "#index": SCALAR_INT64,
}


def data(tf: Any, count: int, more: int = 0) -> Any:
    def element(number: Any) -> dict[str, Any]:
        rows = number % 4
        return {
            "a": tf.ensure_shape(tf.range(rows), [None]),
            "b": tf.ensure_shape(
                tf.fill([rows + more * (number % 2), 2], tf.cast(number, tf.float32)), [None, 2]
            ),
            "r": tf.ragged.range(tf.range(rows)),
            "s": tf.strings.as_string(number),
            "#index": number,
        }

    return tf.data.Dataset.range(count).map(element)


@pytest.mark.tf
@pytest.mark.parametrize("names", ["a", ("a", "b"), ("r", "b", "a")])
@pytest.mark.parametrize("count", [0, 1, 9])
def test_rows_are_those_of_a_loop(names: Any, count: int, scope: Any, low: Any) -> None:
    """Each row is an element of the inferred type, with all that its element has beside it."""
    import tensorflow as tf

    before = Stream(dict(ELEMENT), exactly(count))
    stage = Flatten(components=names)
    after = stage.infer(before, scope)
    found = stage.lower(data(tf, count), low(before, after))
    assert {name: tuple(one.shape) for name, one in found.element_spec.items()} == {
        name: one.static_shape for name, one in after.element.items()
    }
    expected = [(number, row) for number in range(count) for row in range(number % 4)]
    rows = list(found)
    assert [int(one["#index"]) for one in rows] == [number for number, _ in expected]
    assert [int(one["a"]) for one in rows] == [row for _, row in expected]
    assert len({int(one["#row"]) for one in rows}) == len({row for _, row in expected})
    if "b" in names:
        assert [one["b"].numpy().tolist() for one in rows] == [[number, number] for number, _ in expected]
    if "r" in names:
        assert [one["r"].numpy().tolist() for one in rows] == [list(range(row)) for _, row in expected]
    assert len(rows) <= (after.cardinality.count or 0)


@pytest.mark.tf
def test_different_numbers_of_rows_are_bad_data(scope: Any, low: Any) -> None:
    """An element whose components do not match is an error, and left out and recorded under `on_error: skip`."""
    import tensorflow as tf

    before = Stream(dict(ELEMENT), exactly(9))
    stage = Flatten(components=("a", "b"))
    lowering = low(before, stage.infer(before, scope))
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"SD404: a, b: .* as many rows each; got. .1 2."
    ):
        list(stage.lower(data(tf, 9, more=1), lowering))
    skipped: list[int] = []

    def record(index: Any) -> Any:
        def note(one: Any) -> bool:
            skipped.append(int(one))
            return False

        return tf.ensure_shape(tf.numpy_function(note, [index], tf.bool), [])

    after = stage.infer(before, Scope("", on_error="skip"))
    assert after.cardinality.kind == "at most"
    rows = list(stage.lower(data(tf, 9, more=1), replace(lowering, after=after, skipped=record)))
    assert [int(one["#index"]) for one in rows] == [2, 2, 6, 6]
    assert skipped == [1, 3, 5, 7]


def test_types(scope: Any) -> None:
    """A row has one dimension less; there are at most as many as the tightest bound allows."""
    few = Tensor("int64", (Dim.at_most(3),))
    before = Stream(
        {"a": Tensor("int64", (Dim.exactly(4), Dim.exactly(2))), "few": few, "l": SCALAR_INT64}, exactly(10)
    )
    after = Flatten(components="a").infer(before, scope)
    assert str(after) == "a: int64[2], few: int64[<=3], l: int64[]"
    assert str(after.cardinality) == "exactly 40"
    assert str(Flatten(components="few").infer(before, scope).cardinality) == "at most 30"
    wide = Stream({**before.element, "wide": Tensor("int64", (Dim.at_most(7),))}, exactly(10))
    assert str(Flatten(components=("few", "wide")).infer(wide, scope).cardinality) == "at most 30"
    assert str(Flatten(components=("a", "wide")).infer(wide, scope).cardinality) == "exactly 40"


@pytest.mark.parametrize(
    ("steps", "code", "message"),
    [
        (["flatten: value"], "SD203", "`flatten` takes components with rows, and `value` is int64"),
        (["flatten: [numbers, nothing]"], "SD201", "there is no component `nothing`"),
        (["padded_batch: 2", "flatten: numbers"], "SD207", "here they are batched"),
        (["flatten: [image, numbers]"], "SD203", "have as many rows each: `image` float32"),
    ],
)
def test_refused(steps: list[str], code: str, message: str, faults: Any) -> None:
    """What has no rows, batches, and numbers of rows that cannot match are refused."""
    [fault] = faults(*steps)
    assert (fault.code, message in fault.message) == (code, True)


SPEC = """
safedata: 1
source: {{synthetic: {{components: {{image: {{type: "uint8[3, 8, 8, 3]", range: [0, 255]}}}}, count: 4}}}}
steps:
  - flatten: image
  {between}
  - map: {{image: [{{cast: float32}}, {{random_brightness: 51}}]}}
output: [image]
runtime: {{accept: [SD601, SD610, SD615], seed: 3, deterministic: true}}
"""


@pytest.mark.tf
@pytest.mark.parametrize("between", ["", "- cache: memory", "- batch: 2"])
def test_rows_draw_for_themselves(between: str) -> None:
    """Every row has draws of its own, another one each epoch and the same in each run, whatever lies between."""

    def brightness(data: Any) -> list[float]:
        """Return each image's draw: what all its whole numbers are off by, but for those that were clipped."""
        images = [one for (image,) in data for one in image.numpy().reshape(-1, 8 * 8 * 3)]
        return [Counter((one % 1).round(2).tolist()).most_common(1)[0][0] for one in images]

    text = SPEC.format(between=between)
    data = safedata.load(text, folder=".")
    first, second = brightness(data), brightness(data)
    assert len(set(first)) > 9
    assert len(set(second)) > 9
    assert sum(one == other for one, other in zip(first, second, strict=True)) < 3
    assert brightness(safedata.load(text, folder=".")) == first
