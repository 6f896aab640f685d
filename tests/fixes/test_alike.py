"""A fix that says it costs nothing gives the same elements in the same order."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import safedata
from safedata.change import Change, MoveOps, MoveStep
from safedata.edit import edited
from safedata.fixes.alike import order_changes
from safedata.fixes.case import Case

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.tf

SPEC = """\
safedata: 1
source: {synthetic: {components: {image: "uint8[8, 6, 3]", label: "int64[]"}, count: 50}}
steps:
  - map:
      image: [random_flip_left_right, {random_brightness: 51}]
      label: = label + 1
  - map: {image: [{cast: float32}, {normalize: imagenet}]}
  - prefetch: 3
  - shuffle: 20
  - map: {image: [random_flip_left_right]}
  - batch: 8
  - repeat: 2
"""


def elements(path: Path) -> list[tuple[bytes, ...]]:
    """Return two passes of two epochs each, as bytes."""
    data = safedata.load(path, host="8GiB")
    found: list[tuple[bytes, ...]] = []
    for _ in range(2):
        found += [tuple(part.numpy().tobytes() for part in element.values()) for element in data]
    return found


@pytest.mark.usefixtures("tf")
@pytest.mark.parametrize("to", [0, 1])
def test_a_shuffle_moved_before_maps_gives_the_same_elements_in_the_same_order(
    write: Callable[..., Path], to: int
) -> None:
    """Draws go by the element's index and a shuffle by positions, so neither sees the other move."""
    changed = edited(SPEC, "spec.yaml", "", [MoveStep(3, to)], {}).text
    assert elements(write(SPEC)) == elements(write(changed, "changed.yaml"))


@pytest.mark.usefixtures("tf")
@pytest.mark.parametrize("change", [MoveOps(1, "image", 1, 4), MoveStep(1, 4), MoveStep(1, 3)])
def test_floats_made_behind_the_buffers_are_the_same(write: Callable[..., Path], change: Change) -> None:
    """`cast` and `normalize` give each value of a batch what they give it in an element."""
    spec = SPEC.replace("  - map: {image: [random_flip_left_right]}\n", "")
    changed = edited(spec, "spec.yaml", "", [change], {}).text
    assert changed != spec
    assert elements(write(spec)) == elements(write(changed, "changed.yaml"))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("shuffle: 20", "shuffle: 4KiB", "another order: a buffer of "),
        ("  - repeat: 2", "  - repeat: 2\nruntime: {on_error: skip}", None),
        ("shuffle: 20", "shuffle: 20", None),
    ],
)
def test_another_order_is_said_to_be_one(old: str, new: str, said: str | None) -> None:
    """A buffer that is a size holds another number of elements before the maps, and the cost says so."""
    verdict = safedata.check(SPEC.replace(old, new), host="8GiB")
    moved = Case(verdict).tried((MoveStep(3, 0),))
    assert verdict.plan is not None
    assert moved is not None
    assert moved.plan is not None
    found = order_changes(verdict.plan, moved.plan)
    assert found is None if said is None else (found or "").startswith(said)
