"""Records behave as the dataclasses that type checkers take them for."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, field, replace
from typing import ClassVar, cast

import pytest

from safedata.problem import Fault
from safedata.records import record
from safedata.records import replace as replaced


@record(frozen=True, slots=True)
class Point:
    x: int
    y: int = 2
    names: list[str] = field(default_factory=list[str], compare=False)


@record(eq=False)
class Loose:
    x: int


@record(frozen=True)
class Marked:
    x: int
    marked: ClassVar[bool] = True


def test_arguments_fill_the_fields_in_order_or_by_name() -> None:
    """Positions, names, defaults and factories fill a record as they fill a dataclass."""
    assert (Point(1).x, Point(1).y, Point(1, y=3).y, Point(x=4).x) == (1, 2, 3, 4)
    assert Point(1).names == []
    assert Point(1).names is not Point(1).names
    assert repr(Point(1)) == "Point(x=1, y=2, names=[])"


@pytest.mark.parametrize(
    ("args", "given", "said"),
    [
        ((), {}, "misses the argument `x`"),
        ((1,), {"x": 2}, "does not take `x`, or takes it only once"),
        ((1,), {"z": 2}, "does not take `z`"),
        ((1, 2, [], 4), {}, "does not take argument 4"),
    ],
)
def test_wrong_arguments_are_refused(args: tuple[object, ...], given: dict[str, object], said: str) -> None:
    """A field that is left out, given twice or unknown is a `TypeError` that names it."""
    with pytest.raises(TypeError, match=said):
        Point(*args, **given)  # type: ignore[arg-type]  # what is tested


def test_equal_fields_make_equal_records() -> None:
    """Records are equal, and have the same hash, exactly when their compared fields are equal."""
    assert Point(1, names=["a"]) == Point(1)
    assert Point(1) != Point(2)
    assert Point(1) != cast("object", (1, 2, []))
    assert len({Point(1), Point(1), Point(2)}) == 2
    assert Loose(1) != Loose(1)


def test_a_frozen_record_cannot_be_changed() -> None:
    """Setting or deleting a field of a frozen record raises, other records take it."""
    with pytest.raises(FrozenInstanceError, match="cannot change the field `x` of Point"):
        Point(1).x = 2  # type: ignore[misc]  # what is tested
    with pytest.raises(FrozenInstanceError, match="cannot change the field `x` of Point"):
        del Point(1).x
    loose = Loose(1)
    loose.x = 2
    assert loose.x == 2


def test_records_are_replaced_copied_and_pickled() -> None:
    """A copy has the same fields, a replacement all but the one that is given."""
    point = Point(1, names=["a"])
    assert replace(point, x=5) == Point(5)
    for other in (copy.copy(point), copy.deepcopy(point), pickle.loads(pickle.dumps(point))):
        assert (other, other.names) == (point, ["a"])


def test_what_is_no_field_is_not_pickled() -> None:
    """A constant of the class is none of the arguments that a copy is made by."""
    assert pickle.loads(pickle.dumps(Marked(3))) == Marked(3)


def test_a_fault_is_copied_like_any_record() -> None:
    """`replace` makes a copy of a record that is an exception, with the fields changed that are named."""
    fault = Fault("SD105", "a message", ("steps", 0))
    copied = replaced(fault, help="a way out")
    assert (type(copied), str(copied), copied.at, copied.help) == (
        Fault,
        "a message",
        ("steps", 0),
        "a way out",
    )
    assert fault.help is None
    with pytest.raises(TypeError, match="Fault has no field `helps`"):
        replaced(fault, helps="")  # type: ignore[call-arg]  # what is tested
