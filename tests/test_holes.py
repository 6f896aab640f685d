"""Holes that calls leave between elements in glibc's heap: `tests/memory` holds them against what is measured."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import yaml

import safedata
from safedata.allocator import ALWAYS_POOLED
from safedata.holes import beside_cached, between_elements, between_texts
from safedata.memory import MIB
from safedata.request import raise_for

pytestmark = pytest.mark.usefixtures("undecided")
COUNT = 20_000
LAID = COUNT * 3072
SHUFFLED: list[object] = [{"shuffle": COUNT}, {"batch": 64}]


def holes(
    steps: list[object],
    component: str = "uint8[3072]",
    allocator: str = "system",
    between: Callable[..., int | None] = between_elements,
) -> int:
    """Return what the plan of these steps counts between the elements of its buffers."""
    spec = {
        "safedata": 1,
        "source": {"synthetic": {"components": {"x": component}, "count": COUNT}},
        "steps": steps,
        "runtime": {"allocator": allocator},
    }
    verdict = safedata.check(yaml.safe_dump(spec), host="1TiB")
    raise_for(verdict)
    assert verdict.plan is not None
    found = between(verdict.plan.steps, verdict.plan.scope)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("made", "part"),
    [
        ([], 0.0),
        ([{"map": {"x": [{"reverse": 0}]}}], 1.0),
        ([{"map": {"x": [{"cast": "float32"}, {"cast": "uint8"}]}}], 1.0),
        ([{"map": {"x": [{"reverse": 0}]}}, {"map": {"y": "= shape(x)[0]"}}], 1.0),
        ([{"map": {"x": [{"cast": "float32"}]}}], 0.0),
        ([{"map": {"x": [{"reverse": 0}, {"cast": "float16"}]}}], 0.8),  # of twice the bytes
        ([{"map": {"x": [{"cast": "float16"}]}}], 0.0),
    ],
)
def test_a_freed_block_of_a_kept_ones_size_leaves_a_hole(made: list[object], part: float) -> None:
    """What a call reads, or makes on the way, lies between what it hands on; a much smaller block does no harm."""
    found = holes([*made, *SHUFFLED])
    assert 0.98 * part * LAID <= found <= 1.02 * part * LAID


def test_a_larger_block_leaves_less_of_a_hole_than_the_kept_one_is_large() -> None:
    """Smaller blocks settle in it."""
    twice = holes([{"map": {"x": [{"cast": "float16"}]}}, *SHUFFLED], "float32[1536]")
    assert 0.52 * LAID < twice < 0.8 * LAID
    assert 0 < holes([{"map": {"x": [{"slice": {"start": 0, "stop": 300}}]}}, *SHUFFLED]) < 0.3 * COUNT * 600


def test_room_that_others_left_has_no_hole_beside_it() -> None:
    """A shuffle that goes on after it is full counts such room, and holes for its elements alone."""
    turned = {"map": {"x": [{"reverse": 0}]}}
    assert 0.49 * LAID <= holes([turned, {"shuffle": COUNT // 2}, {"batch": 64}]) <= 0.51 * LAID


def test_a_batch_ends_it() -> None:
    """Elements are copied into a batch, so behind it only those in the making count."""
    found = holes([{"map": {"x": [{"reverse": 0}]}}, {"batch": 64}, {"prefetch": 50}])
    assert found < MIB


def test_the_pool_has_no_such_holes() -> None:
    """It fits blocks into holes of their size; and large tensors come from it in any case."""
    turned: list[object] = [{"map": {"x": [{"reverse": 0}]}}, *SHUFFLED]
    assert holes(turned, allocator="pool") == 0
    assert holes(turned, f"uint8[{ALWAYS_POOLED}]") == 0
    assert holes(turned, allocator="auto") == 0  # so it is the one that is taken


@pytest.mark.parametrize(
    ("component", "steps", "each"),
    [
        ("string[<=400B]", SHUFFLED, 290),
        ("string[<=400B]", [{"prefetch": COUNT}], 290),
        ("string[<=20B]", SHUFFLED, 0),
        ("string[<=400B]", [{"cache": "memory"}, {"batch": 64}], 0),
        ("string[<=400B]", [{"batch": 64}], 0),
        ("uint8[400]", SHUFFLED, 0),
    ],
)
def test_texts_of_many_epochs_lie_apart(component: str, steps: list[object], each: int) -> None:
    """Each of a buffer that is filled anew leaves some bytes in pages that earlier epochs have broken up."""
    found = holes(steps, component, between=between_texts)
    assert 0.98 * each * COUNT <= found <= 1.45 * each * COUNT


def test_what_a_source_of_several_components_draws_lies_beside_them() -> None:
    """An int64 beside it makes two threads take turns; alone, or from 64 B to 64 B, nothing is between."""
    assert holes(SHUFFLED, "uint8[3000]") == 0
    spec = """
safedata: 1
source: {synthetic: {components: {x: "TYPE", y: "int64[]"}, count: 20000}}
steps: [{shuffle: 20000}, {batch: 64}]
runtime: {allocator: system}
"""
    for kind, part in (("uint8[3000]", 1.0), ("uint8[3072]", 0.0), ("uint8[500]", 0.0)):
        plan = safedata.check(spec.replace("TYPE", kind), host="1TiB").plan
        assert plan is not None
        between = between_elements(plan.steps, plan.scope)
        assert between is not None
        assert 0.98 * part * COUNT * 3000 <= between <= 1.02 * part * COUNT * 3000


@pytest.mark.parametrize(
    ("behind", "component", "part"),
    [
        ([], "int64[400]", 0.0),
        ([{"map": {"x": "= x * 2 + 1"}}], "int64[400]", 0.75),
        ([{"map": {"x": [{"reverse": 0}]}}, {"batch": 8}], "int64[400]", 0.75),
        ([{"map": {"x": [{"cast": "float32"}]}}], "int64[400]", 0.0),
        ([{"batch": 8}, {"map": {"x": "= x * 2 + 1"}}], "int64[400]", 0.0),
        ([{"map": {"x": "= x * 2 + 1"}}], "int64[100]", 0.0),
    ],
)
def test_what_is_made_of_a_cached_element_lies_beside_it(
    behind: list[object], component: str, part: float
) -> None:
    """A block of a cached one's size is freed between it and the next, where nothing is gathered before."""
    laid = COUNT * 8 * int(component[6:-1])
    found = holes([{"cache": "memory"}, *behind], component, between=beside_cached)
    assert 0.98 * part * laid <= found <= 1.06 * part * laid
    assert holes([{"cache": "memory"}, *behind], component, "pool", beside_cached) == 0
