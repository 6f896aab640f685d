"""Pipelines drawn at random, so that the estimate is held against shapes that nobody thought of."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from typing import Any, Final

from safedata.memory import MIB
from tests.memory.bench import Case

GROUP: Final = "drawn"
NAME: Final = "seed "
TEXTS: Final = (15, 60, 400)
SIZES: Final = (500, 3000, 12_288, 50_000, 150_528, 300_000, 1_200_000)
"""Values of an array: from a few hundred to a large photo."""
ROOMS: Final = (40, 80, 130, 180, 230, 300)
"""MiB that buffers may take: up to and beyond a region of the pool, 254 MiB."""
BATCHES: Final = (8, 32, 64, 256)
EPOCHS: Final = (4, 8, 16)
"""Batches that an epoch has beyond what its buffers keep."""
ALIKE: Final[tuple[Any, ...]] = ([{"reverse": 0}], [{"reverse": 0}, {"clip": [3, 200]}])
"""Chains that leave bytes bytes."""
CHAINS: Final[tuple[Any, ...]] = (
    None,  # to the other kind of float, or to floats
    *ALIKE,
    "= float32(NAME) / 2 + 1",
    "= (float32(NAME) * 2 + 1) * (float32(NAME) * 3 - 1)",
)
COUNT: Final = 250_000
"""Elements at most."""


def draw(seed: int) -> Case:
    """Return the case that a seed stands for, always the same: one to three components, and up to six steps."""
    rng = random.Random(seed)
    components, sizes = _components(rng)
    arrays = [name for name, kind in components.items() if kind.startswith(("uint8", "float32"))]
    element = sum(sizes.values())
    room = rng.choice(ROOMS) * MIB
    steps: list[dict[str, Any]] = []
    if rng.random() < 0.15 and element * 200 < room:
        steps.append({"cache": "memory"})
    if arrays and rng.random() < 0.5:
        name = rng.choice(arrays)
        narrow = components[name].startswith("uint8")
        chain = rng.choice(CHAINS)
        chain = chain.replace("NAME", name) if isinstance(chain, str) else chain
        steps.append(_map(rng, name, chain or [{"cast": "float32" if narrow else "float16"}]))
        if narrow and chain not in ALIKE:
            element += 3 * sizes[name]
    slots = max(2, int(room * rng.uniform(0.3, 1) / element))
    size = min(slots, rng.choice(BATCHES))
    more = 1 if steps and "cache" in steps[0] else rng.choice(EPOCHS)  # a cache takes all of them
    count = min(COUNT, slots + more * size)
    if rng.random() < 0.75:
        steps.append({"shuffle": slots})
    steps += _grouped(rng, size, arrays)
    if rng.random() < 0.8:
        steps.append({"prefetch": rng.choice([1, 2, 2, 4, 8])})
    source = {"synthetic": {"components": components, "count": count}}
    spec: dict[str, Any] = {"source": source, "steps": steps}
    if rng.random() < 0.25:
        spec["runtime"] = {"allocator": "system"}
    return Case(GROUP, f"{NAME}{seed}", spec, {"epochs": 2})


def draw_all(titles: Iterable[str]) -> Iterator[Case]:
    """Yield the drawn cases among some titles, by their seeds."""
    start = f"{GROUP}: {NAME}"
    for seed in sorted(int(title.removeprefix(start)) for title in titles if title.startswith(start)):
        yield draw(seed)


def _components(rng: random.Random) -> tuple[dict[str, str], dict[str, int]]:
    """Return the components' types, and the bytes that each is about."""
    types: dict[str, str] = {}
    sizes: dict[str, int] = {}
    for name in "abc"[: rng.choice([1, 1, 2, 3])]:
        kind = rng.random()
        if kind < 0.25:
            types[name], sizes[name] = "int64[]", 250
        elif kind < 0.4:
            length = rng.choice(TEXTS)
            types[name], sizes[name] = f"string[<={length}B]", length + 250
        else:
            dtype, width = rng.choice([("uint8", 1), ("float32", 4), ("uint8", 1)])
            values = rng.choice(SIZES)
            types[name], sizes[name] = f"{dtype}[{values}]", values * width + 250
    return types, sizes


def _map(rng: random.Random, name: str, chain: object) -> dict[str, Any]:
    step: dict[str, Any] = {"map": {name: chain}}
    return {**step, "parallel": rng.choice([1, 2, 4, 8])} if rng.random() < 0.7 else step


def _grouped(rng: random.Random, size: int, arrays: list[str]) -> list[dict[str, Any]]:
    """Return a batch, at times with a map behind it, or windows, or nothing."""
    kind = rng.random()
    if kind < 0.75:
        steps: list[dict[str, Any]] = [{"batch": size}]
        if arrays and rng.random() < 0.2:
            steps.append({"map": {rng.choice(arrays): [{"cast": "float32"}]}})
        return steps
    if kind < 0.85:
        shift = max(1, size // rng.choice([1, 2, 3]))
        return [{"window": {"size": size, "shift": shift, "drop_remainder": True}}]
    return []
