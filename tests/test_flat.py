"""Memory stays flat: over the epochs of one dataset, and over pipelines that are opened and left in turn."""

from __future__ import annotations

import pytest

import safedata
from safedata.machine import resident

pytestmark = pytest.mark.tf

WARM = 5
"""Epochs or rounds until everything has been used once: thread pools, arenas, TensorFlow's kernels."""
SPEC = """
safedata: 1
source: {{synthetic: {{components: {{image: "uint8[{size}, {size}, 3]", label: "int64[]"}}, count: {count}}}}}
steps:
  - shuffle: 500
  - cache: memory
  - map: {{image: [random_flip_left_right, {{cast: float32}}]}}
  - batch: 64
runtime: {{on_error: {{skip: {{max: 5}}}}}}
"""
LARGE = """
safedata: 1
source: {synthetic: {components: {image: "uint8[224, 224, 3]"}, count: 300}}
steps:
  - map: {image: [{cast: float32}]}
  - shuffle: 100
  - batch: 32
  - prefetch: 2
"""


def rss() -> int:
    """Return the resident bytes of this process."""
    now = resident().now
    assert now is not None
    return now


def epochs(spec: str, count: int) -> list[int]:
    """Return the resident bytes after each epoch over one dataset."""
    dataset = safedata.load(spec)
    found: list[int] = []
    for _ in range(count):
        for _ in dataset:
            pass
        found.append(rss())
    return found


def rounds(spec: str, count: int) -> list[int]:
    """Return the resident bytes after each round: open, two epochs, leave."""
    found: list[int] = []
    for _ in range(count):
        with safedata.open(spec) as pipeline:
            for _ in range(2):
                sum(1 for _ in pipeline.dataset)  # no batch is kept
        found.append(rss())
    return found


def hold_flat(found: list[int]) -> None:
    """Hold every later figure within 1 % of the one after the warm-up, above and below."""
    base = found[WARM - 1]
    told = {
        number: f"{found[number - 1] / 2**20:.1f}"
        for number in (1, WARM, 10, 20, 30, 40, 50)
        if number <= len(found)
    }
    least, most = (f"{one(found[WARM:]) / 2**20:.1f}" for one in (min, max))
    print("RSS in MiB:", told, "from", least, "to", most)  # noqa: T201
    assert all(abs(one - base) <= 0.01 * base for one in found[WARM:]), told


@pytest.mark.parametrize("what", [epochs, rounds])
def test_memory_stays_flat_for_a_while(what: object) -> None:
    """Eight short epochs, and eight rounds, leave the process within 1 % of what it held after five."""
    run = epochs if what is epochs else rounds
    hold_flat(safedata.isolated(run, SPEC.format(size=16, count=100), 8))


@pytest.mark.slow
@pytest.mark.parametrize("what", [epochs, rounds])
@pytest.mark.parametrize("size", [64, 320])
def test_memory_stays_flat(what: object, size: int) -> None:
    """Fifty epochs, and fifty rounds, of 23 MiB in small tensors or 59 MiB in ones that TensorFlow pools."""
    run = epochs if what is epochs else rounds
    hold_flat(safedata.isolated(run, SPEC.format(size=size, count=2000 if size == 64 else 200), 50))


@pytest.mark.slow
def test_large_tensors_leave_nothing() -> None:
    """Of 120 MiB in TensorFlow's pool nothing stays in any of thirty rounds: the process has what it had after five."""
    hold_flat(safedata.isolated(rounds, LARGE, 30))
