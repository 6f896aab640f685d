"""`filter`."""

from __future__ import annotations

from typing import Any

import pytest

from safedata.cardinality import INFINITE
from safedata.problem import Fault


@pytest.mark.parametrize("step", ["filter: value < 3", "filter: '= value < 3'", "filter: {where: value < 3}"])
def test_forms_are_one(step: str, read: Any) -> None:
    """The short form, with or without `=`, and the long form mean the same."""
    assert read(step).expression.root == read("filter: value < 3").expression.root


@pytest.mark.tf
def test_keeps_what_is_true(run: Any) -> None:
    """The elements for which the expression is true stay, in their order."""
    assert run("filter: value % 3 == 1 and len(words) > 0").values == [1, 7]


def test_cardinality(infer: Any) -> None:
    """How many stay is known only as at most, and no longer at all in an endless stream."""
    assert str(infer("filter: value < 3").cardinality) == "at most 10"
    assert infer("repeat:").cardinality == INFINITE
    assert str(infer("repeat:", "filter: value < 3").cardinality) == "unknown"


@pytest.mark.parametrize(
    ("steps", "code", "message"),
    [
        (["filter: value + 1"], "SD208", "takes one bool for each element, and `value [+] 1` is int64"),
        (["filter: image > 0"], "SD208", "takes one bool for each element, and `image > 0` is bool"),
        (["filter: labl < 3"], "SD201", "labl"),
        (["select: value", "batch: 2", "filter: value < 3"], "SD207", "here they are batched"),
    ],
)
def test_refused(steps: list[str], code: str, message: str, faults: Any) -> None:
    """The expression must give one bool for one element."""
    [fault] = faults(*steps)
    assert (fault.code, fault.at) == (code, ("where",))
    with pytest.raises(Fault, match=message):
        raise fault


@pytest.mark.parametrize(
    ("step", "at"),
    [("filter: 'value < '", ()), ("filter: {where: 'value < '}", ("where",)), ("filter: '  = value <'", ())],
)
def test_unreadable_expression(step: str, at: tuple[str, ...], read: Any) -> None:
    """A fault of the expression points into its text, counted from behind the `=`."""
    with pytest.raises(Fault) as caught:
        read(step)
    assert caught.value.code == "SD120"
    assert caught.value.at == ("steps", 0, "filter", *at)
    assert caught.value.within is not None


def test_needs_what_it_reads(read: Any) -> None:
    """The components of the expression must come in beside those that leave."""
    assert read("filter: value < len(words)").needs(frozenset({"image"})) == {"image", "value", "words"}
