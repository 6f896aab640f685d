"""`map`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from safedata.problem import Fault
from safedata.stages._elements import slot_bytes


def test_groups(infer: Any) -> None:
    """Chains of a group read the element as it came in, those of a later group what the earlier ones made."""
    after = infer("map: [{value: = value + 1, old: = value}, {sum: = value + old}]").element
    assert [str(after[name].range) for name in ("value", "old", "sum")] == ["1..10", "0..9", "1..19"]


@pytest.mark.tf
@pytest.mark.parametrize(
    "step", ["map: {value: = value * 2}", "map: [{twice: = value * 2}, {value: = twice}]"]
)
def test_values(step: str, run: Any) -> None:
    """The element that leaves has the new components, in the order in which it came in."""
    assert run(step).values == list(range(0, 20, 2))


@pytest.mark.tf
def test_batch(run: Any) -> None:
    """An expression gives the same before and behind a batch."""
    ran = run("select: [value, image]", "batch: 4", "map: {value: '= value + image[0, 0]'}")
    assert str(ran.stream.element["value"]) == "float32[<=4]"
    assert ran.values == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]


@pytest.mark.parametrize(
    ("steps", "code", "message"),
    [
        (["map: {x: = vlue + 1}"], "SD201", "vlue"),
        (["map: {x: {from: vlue}}"], "SD201", "there is no component `vlue` here"),
        (["padded_batch: 2", "map: {x: '= numbers[:value]'}"], "SD207", "differ in shape within a batch"),
    ],
)
def test_refused(steps: list[str], code: str, message: str, faults: Any) -> None:
    """What a chain cannot read is reported at the component that it makes."""
    fault = faults(*steps)[-1]
    assert fault.code == code
    assert fault.at[0] == "x"
    assert message in fault.message


def test_one_fault_for_one_mistake(faults: Any) -> None:
    """What is built on a component without type is not reported again."""
    assert len(faults("map: {x: = vlue + 1}", "map: {y: = x + 1}", "filter: y > 2", "shuffle: 1MiB")) == 1


@pytest.mark.parametrize("text", ["map: 3", "map: []", "map: {}", "map: [decode_image]"])
def test_takes_components(text: str, read: Any) -> None:
    """A map needs components with chains."""
    with pytest.raises(Fault, match="takes components with a chain"):
        read(text)


def test_needs(read: Any) -> None:
    """What the chains read must come in; what they make need not."""
    step = read("map: [{a: = b + c}, {d: = a}]")
    assert step.needs(frozenset({"a", "d", "e"})) == {"b", "c", "e"}


def test_call_bytes(read: Any, given: Any, scope: Any) -> None:
    """A running call holds what came in, intermediates and result; a waiting one its input or its result."""
    before = given.stream
    step = read("map: {value: = value + 1}").model_copy(update={"parallel": 3})
    after = step.infer(before, scope)
    one = step.call_bytes(before, after, scope)
    assert one >= before.bytes + 8
    [three] = step.holds(before, after, replace(scope, cpus=8))
    [two] = step.holds(before, after, replace(scope, cpus=2))
    waiting = max(slot_bytes(before) or 0, slot_bytes(after) or 0)
    assert three.bytes == 3 * max(one, waiting)
    assert two.bytes == 2 * max(one, waiting) + waiting
    assert two.why == "3 calls at once, 2 of them running"
