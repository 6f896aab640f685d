"""`concat_and_split`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import safedata
from safedata.cardinality import exactly
from safedata.memory import HOST
from safedata.stages.concat_and_split import ConcatAndSplit
from safedata.types import Dim, Stream, Tensor

LENGTHS = [0, 3, 8, 1, 0, 20, 4, 0]
SOURCE = "jsonl: {path: x.jsonl, columns: {a: 'int64[?]', b: 'string[<=4B][?]', other: int64}}"


@pytest.fixture
def rows(tmp_path: Path) -> list[int]:
    """The rows of all elements; each element has as many of `b`, and one more where it says so."""
    every = list(range(sum(LENGTHS)))
    with (tmp_path / "x.jsonl").open("w") as file:
        for number, length in enumerate(LENGTHS):
            mine = every[sum(LENGTHS[:number]) :][:length]
            file.write(
                f'{{"a": {mine}, "b": {[str(one) for one in mine]}, "other": {number}}}\n'.replace("'", '"')
            )
    return every


def spec(step: str, *more: str, rest: str = "") -> str:
    listed = "".join(f"  - {one}\n" for one in (f"concat_and_split: {{{step}}}", *more))
    return f"safedata: 1\nsource: {{{SOURCE}}}\nsteps:\n{listed}{rest}"


@pytest.mark.tf
@pytest.mark.parametrize("length", [1, 3, 4, 36, 50])
@pytest.mark.parametrize("whole", [False, True])
def test_pieces_are_those_of_all_rows(length: int, whole: bool, rows: list[int], tmp_path: Path) -> None:
    """All rows come once and in order, `length` in each piece; in the last one what is left, unless it is left out."""
    text = spec(f"components: [a, b], length: {length}, drop_remainder: {str(whole).lower()}")
    wanted = [rows[at : at + length] for at in range(0, len(rows), length)]
    wanted = [one for one in wanted if not whole or len(one) == length]
    data = safedata.load(text, folder=tmp_path, host="8GiB")
    assert list(data.element_spec) == ["a", "b"]
    for _ in range(2):
        found = list(data.as_numpy_iterator())
        assert [one["a"].tolist() for one in found] == wanted
        assert [[int(word) for word in one["b"]] for one in found] == wanted
    twice = text.replace("steps:", "steps:\n  - repeat: 2")
    again = [
        one["a"].tolist() for one in safedata.load(twice, folder=tmp_path, host="8GiB").as_numpy_iterator()
    ]
    assert [one for piece in again for one in piece] == (rows * 2)[
        : len(rows) * 2 // length * length if whole else None
    ]


@pytest.mark.tf
def test_draws_and_bad_data(rows: list[int], tmp_path: Path) -> None:
    """A piece draws anew, and what does not match is bad data: it ends the run with its place, or is left out."""
    draws = spec("components: a, length: 2", "map: {draw: '= uniform(0, 1)'}")
    found = [
        float(one["draw"]) for one in safedata.load(draws, folder=tmp_path, host="8GiB").as_numpy_iterator()
    ]
    assert len(set(found)) == len(found) == 18
    bad = (tmp_path / "x.jsonl").read_text().replace('"b": ["11"]', '"b": ["11", "x"]')
    (tmp_path / "x.jsonl").write_text(bad)
    text = spec("components: [a, b], length: 6")
    with pytest.raises(safedata.DataError, match=r"a, b: .* as many rows each"):
        safedata.build(text, folder=tmp_path, host="8GiB")
    report = safedata.build(text + "runtime: {on_error: skip}\n", folder=tmp_path, host="8GiB")
    assert (report.elements, len(report.skipped)) == (6, 1)


def test_types(scope: Any) -> None:
    """Pieces have `length` rows, at most or exactly; there are as many as the rows fill, and others go."""
    inner = Tensor("int64", (Dim.exactly(4), Dim.exactly(2)))
    before = Stream({"a": inner, "b": Tensor("string", (Dim.at_most(9),), Dim.at_most(3))}, exactly(10))
    whole = ConcatAndSplit(components="a", length=7, drop_remainder=True).infer(before, scope)
    assert (str(whole), str(whole.cardinality)) == ("a: int64[7, 2]", "exactly 5")
    short = ConcatAndSplit(components="a", length=7)
    assert str(short.infer(before, scope)) == "a: int64[<=7, 2]"
    assert str(short.infer(before, scope).cardinality) == "exactly 6"
    text = ConcatAndSplit(components="b", length=7).infer(before, scope)
    assert (str(text), str(text.cardinality)) == ("b: string[<=3B][<=7]", "at most 13")
    holds = [
        one.bytes or 0 for one in short.holds(before, short.infer(before, scope), scope) if one.place == HOST
    ]
    assert holds[1] > 2 * (4 + 6) * 2 * 8


@pytest.mark.parametrize(
    ("components", "steps", "code", "message"),
    [
        ("value", "", "SD203", "takes components with rows, and `value` is int64"),
        ("nothing", "", "SD201", "there is no component `nothing`"),
        ("x", "- batch: 2", "SD207", "here they are batched"),
        ("y", "", "SD203", "joins rows of one shape, and those of `y` differ"),
    ],
)
def test_what_is_refused(components: str, steps: str, code: str, message: str) -> None:
    """What has no rows, or rows of different shapes, is an error with a way out."""
    text = f"""safedata: 1
source: {{synthetic: {{count: 4, components: {{value: "int64[]", x: "int64[3]", y: "int64[2, <=3]"}}}}}}
steps:
  {steps}
  - concat_and_split: {{components: {components}, length: 2}}
"""
    [found] = safedata.check(text, host="8GiB").problems
    assert (found.code, found.help is not None) == (code, True)
    assert message in found.message
