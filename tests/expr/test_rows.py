"""Expressions on ragged components, and on the characters of text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import safedata
from safedata.expr import parse
from safedata.problem import Fault
from safedata.types import Dim, Tensor

ROWS = """\
safedata: 1
source:
  synthetic: {components: {x: {type: 'int32[<=6]', range: [0, 9]}}, count: 7, vary: true}
steps:
  - ragged_batch: 3
  - map: {y: "= where(x % 3 == 0, x, -x)", z: [{from: "= x * 2"}, {cast: float64}]}
"""


def test_a_ragged_result_has_the_rows_of_its_component() -> None:
    """The type is that of each value, in rows as long; another component beside it is refused."""
    element = {"x": Tensor("int64", (Dim.at_most(3),), ragged_rank=1), "n": Tensor("int64")}
    found = parse("float32(x) / 2").infer(element)
    assert (str(found), found.ragged_rank) == ("float32[<=3] ragged", 1)
    with pytest.raises(Fault, match="one such component with numbers"):
        parse("x + n").infer(element)


@pytest.mark.tf
def test_values_change_and_rows_stay(tf: Any) -> None:
    """Each value is what the expression makes of it alone, behind `batch` and where operations follow."""
    for one in safedata.load(ROWS):
        rows = one["x"].to_list()
        assert one["y"].to_list() == [[x if x % 3 == 0 else -x for x in row] for row in rows]
        assert one["z"].to_list() == [[2.0 * x for x in row] for row in rows]
        assert (one["y"].dtype, one["z"].dtype) == (tf.int32, tf.float64)


@pytest.mark.tf
def test_bad_values_in_rows_are_told(tf: Any) -> None:
    """A value that an expression cannot take ends the run with the piece and the batch."""
    text = ROWS.replace("= x * 2", "= 7 // x")
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"SD404: 7 // x: a division by zero.*starts with"
    ):
        list(safedata.load(text))


@pytest.mark.tf
def test_substr_of_characters(tf: Any, tmp_path: Path) -> None:
    """With `UTF8_CHAR` start and length count characters, of which each takes four bytes at most."""
    (tmp_path / "a.txt").write_text("äöüß\nabc\n", encoding="utf-8")
    spec = """\
safedata: 1
source: {text: a.txt}
steps: [{map: {t: "= substr(text, 1, 2, unit='UTF8_CHAR')"}}]
"""
    found = [one["t"].numpy().decode() for one in safedata.load(spec, folder=tmp_path)]
    assert found == ["öü", "bc"]
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"a start outside of the string; got.*4 of 3 characters"
    ):
        list(safedata.load(spec.replace("1, 2", "4, 2"), folder=tmp_path))


def test_the_bytes_of_characters() -> None:
    """Two characters take eight bytes at most, or as many as there are."""
    element = {"s": Tensor("string", length=Dim.at_most(100)), "t": Tensor("string", length=Dim.at_most(5))}
    assert parse("substr(s, 0, 2, 'UTF8_CHAR')").infer(element).length.most == 8
    assert parse("substr(t, 0, 2, 'UTF8_CHAR')").infer(element).length.most == 5
    assert parse("substr(s, 0, 2)").infer(element).length.most == 2
