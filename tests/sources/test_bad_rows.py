"""Rows that are bad: left out of a whole pipeline, wherever the step that leaves them out has moved."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

import safedata
from safedata import registry
from safedata.stages.base import ElementNode

pa: Any = pytest.importorskip("pyarrow")
pq: Any = importlib.import_module("pyarrow.parquet")

SPEC = """
safedata: 1
source: {{parquet: a.parquet}}
steps: {steps}
runtime: {{on_error: {{skip: {{max: {most}}}}}}}
"""
LAST = 500
STEPS = {
    "[]": 1,
    "[{map: {z: = x + y}}]": 1,
    "[{shuffle: 40}, {map: {z: = x + y}}, {batch: 7}]": 1,
    "[{repeat: 2}]": 2,
    "[{batch: 3}, {map: {z: = x + y}}, unbatch]": 1,
    "[cache, {select: [x]}]": 1,
}


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A file of 500 rows of which two have a null."""
    x = [None if number in (2, 40) else number + 1 for number in range(LAST)]
    table = pa.table({"x": x, "y": list(range(LAST))})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=100, use_dictionary=False)
    return tmp_path


def values(dataset: Any) -> list[int]:
    found: list[int] = []
    for row in dataset.as_numpy_iterator():
        found += row["x"].reshape(-1).tolist()
    return found


@pytest.mark.tf
@pytest.mark.parametrize("steps", STEPS)
def test_no_stand_in_gets_through(tf: Any, rows: Path, steps: str) -> None:
    """A loaded pipeline gives exactly the good rows, whichever steps run in one call with the one that checks them."""
    good = [number + 1 for number in range(LAST) if number not in (2, 40)]
    dataset = safedata.load(SPEC.format(steps=steps, most=10), folder=rows)
    assert sorted(values(dataset)) == sorted(good * STEPS[steps])


@pytest.mark.tf
def test_damage_after_the_check_is_left_out(tf: Any, rows: Path) -> None:
    """Rows of a file that was damaged since the check are left out and counted, and those before it stay."""
    text = SPEC.format(steps="[{map: {z: = x + y}}, {batch: 50}]", most=LAST)
    with safedata.open(text, folder=rows) as pipeline:
        path = rows / "a.parquet"
        third = pq.read_metadata(path).row_group(3).column(0).data_page_offset
        data = bytearray(path.read_bytes())
        data[third : third + 400] = b"\xff" * 400
        path.write_bytes(data)
        assert values(pipeline.dataset) == [number + 1 for number in range(300) if number not in (2, 40)]


@pytest.mark.tf
def test_too_many_bad_rows_stop_the_run(tf: Any, rows: Path) -> None:
    """Bad rows count toward the most that may be left out."""
    dataset = safedata.load(SPEC.format(steps="[{batch: 50}]", most=1), folder=rows)
    with pytest.raises(tf.errors.OpError, match="more than 1 elements could not be read"):
        values(dataset)


@pytest.mark.tf
def test_partners_of_bad_rows_are_left_out_too(tf: Any, rows: Path) -> None:
    """In an input of `zip` a bad row takes its partner along, and the others keep theirs."""
    text = """
safedata: 1
source: {zip: {row: {parquet: a.parquet}, number: {range: 500}}}
runtime: {on_error: {skip: {max: 5}}}
"""
    pairs = [(int(one["x"]), int(one["value"])) for one in safedata.load(text, folder=rows)]
    assert pairs == [(number + 1, number) for number in range(LAST) if number not in (2, 40)]


def test_elementwise_steps_have_no_graph_of_their_own() -> None:
    """A step that works element by element says all it does in `apply`: run with others in one call, no more is run."""

    def every(kind: Any) -> set[Any]:
        return {kind}.union(*(every(one) for one in kind.__subclasses__()))

    for module in registry.names("sources").values():
        importlib.import_module(module)
    own = [one for one in every(ElementNode) if one.__module__.startswith("safedata.")]
    assert len(own) > 8
    assert [one.__name__ for one in own if one.lower is not ElementNode.lower] == []
