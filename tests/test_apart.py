"""Tensors in buffers of a store's own, beside which no allocator keeps anything."""

from __future__ import annotations

from pathlib import Path

import pytest

import safedata
from safedata.allocation import allocator_share
from safedata.apart import NOTHING, Apart, apart
from safedata.memory import HOST, MIB, add
from safedata.phases import phases
from safedata.plan import Plan, consumer

pytestmark = pytest.mark.usefixtures("undecided")
BATCH = 8 * 3 * MIB


def reading(tmp_path: Path, *behind: str, components: str = "image: 'uint8[1024, 1024, 3]'") -> Plan:
    """Return the part of a plan that reads a cache on disk, with these steps behind it."""
    source = f"{{synthetic: {{components: {{{components}}}, count: 200}}}}"
    steps = "".join(f"  - {step}\n" for step in ("cache: {path: store}", *behind))
    text = f"safedata: 1\nsource: {source}\nsteps:\n{steps}"
    verdict = safedata.check(text, folder=tmp_path, host="1TiB")
    assert verdict.plan is not None, verdict.problems
    return phases(verdict.plan)[-1].plan


def found(plan: Plan) -> Apart:
    """Return what of a plan lies in buffers of the store's."""
    return apart(plan.steps, plan.result.bytes)


def test_batches_that_are_handed_on_as_they_were_read_are_not_the_allocators(tmp_path: Path) -> None:
    """Those that wait, and the one that the consumer has; so nearly nothing is kept beside them."""
    plan = reading(tmp_path, "batch: 8", "prefetch: 3")
    own = found(plan)
    assert own.names == {"image"}
    assert own.steps == len(plan.steps)
    assert own.bytes is not None
    assert 4 * BATCH <= own.bytes < 4 * BATCH + MIB
    live = add(*(hold.bytes for step in plan.steps for hold in step.holds if hold.place == HOST))
    share = allocator_share(plan, add(live, consumer(plan).bytes))
    assert share is not None
    assert share < BATCH


def test_from_the_first_step_on_that_makes_tensors_they_are_the_allocators(tmp_path: Path) -> None:
    """A map behind a buffer of batches makes others: what stands before it is counted as the store's, no more."""
    own = found(reading(tmp_path, "batch: 8", "shuffle: 5", "map: {image: [{reverse: 0}]}", "prefetch: 3"))
    assert own.bytes is not None
    assert 5 * BATCH <= own.bytes < 5 * BATCH + MIB


@pytest.mark.parametrize(
    ("steps", "components"),
    [
        (["prefetch: 3"], "image: 'uint8[1024, 1024, 3]'"),
        (["batch: 8", "prefetch: 3"], "image: 'uint8[64, 64, 3]'"),
        (["batch: 8", "prefetch: 3"], "text: 'string[<=1000000B]'"),
    ],
    ids=["rows taken apart", "small batches, many in a chunk", "texts"],
)
def test_what_tensorflow_copies_is_the_allocators(tmp_path: Path, steps: list[str], components: str) -> None:
    """Rows that are cut out of what was read, small buffers and texts are not taken over as they are."""
    assert found(reading(tmp_path, *steps, components=components)) == NOTHING


def test_a_small_component_beside_a_large_one_is_not_counted_as_the_stores(tmp_path: Path) -> None:
    """Of a batch with labels the images alone lie in a buffer of their own."""
    plan = reading(
        tmp_path, "batch: 8", "prefetch: 1", components="image: 'uint8[1024, 1024, 3]', label: 'int64[]'"
    )
    own = found(plan)
    assert own.names == {"image"}
    assert own.bytes is not None
    assert own.bytes <= 2 * BATCH + MIB
