"""What the pipelines have in common: how one is declared, run, and held against plain tf.data.

Each public pipeline that is covered has a spec, `<group>/<id>.yaml`, and a function in the group's module, decorated
with `covers`, that compares what the spec made with a pipeline written by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
FLOAT_TOLERANCE = 2e-5
"""How far floats may differ, absolute and relative; the order of operations differs between the two pipelines."""


@dataclass
class Run:
    """One pipeline, built from its spec over small data."""

    folder: Path
    """Where the data lies."""
    dataset: Any
    batches: list[Any] = field(default_factory=list[Any])
    """Every element of one epoch as NumPy arrays, in the structure that a training loop receives."""

    @property
    def rows(self) -> list[Any]:
        """The elements that the batches are made of."""
        return rows(self.batches)


@dataclass(frozen=True)
class Case:
    """A public pipeline and how its spec is tested."""

    name: str
    make: Callable[[Path], None]
    """Writes the data that the spec names into a folder."""
    compare: Callable[[Run], None]
    params: Mapping[str, Any]
    """Parameters that the test sets, so that batches and buffers fit its small data."""
    warns: frozenset[str]
    """Codes of warnings that the public pipeline earns."""
    take: int | None
    """How many elements of an endless pipeline to look at."""
    needs: str
    """A package beside TensorFlow that it needs; empty where it needs none."""

    @property
    def spec(self) -> Path:
        """The spec's file."""
        return HERE / self.name[0].lower() / f"{self.name.lower()}.yaml"


CASES: dict[str, Case] = {}
"""Every covered pipeline by its name, a letter and a number; filled when the groups' modules are imported."""


def covers(
    name: str,
    make: Callable[[Path], None],
    *,
    params: Mapping[str, Any] | None = None,
    warns: Iterable[str] = (),
    take: int | None = None,
    needs: str = "",
) -> Callable[[Callable[[Run], None]], Callable[[Run], None]]:
    """Declare that the decorated function compares a public pipeline's spec with plain tf.data."""

    def register(compare: Callable[[Run], None]) -> Callable[[Run], None]:
        assert name not in CASES, name
        CASES[name] = Case(name, make, compare, params or {}, frozenset(warns), take, needs)
        return compare

    return register


def parts(element: Any) -> list[Any]:
    """Return the arrays of an element, components of a dict in the order of their names."""
    if isinstance(element, dict):
        return [part for name in sorted(element) for part in parts(element[name])]
    if isinstance(element, tuple):
        return [part for one in element for part in parts(one)]
    return [np.asarray(element)]


def like(element: Any, arrays: Sequence[Any]) -> Any:
    """Put arrays into the structure of an element."""
    left = iter(arrays)

    def fill(one: Any) -> Any:
        if isinstance(one, dict):
            return {name: fill(one[name]) for name in sorted(one)}
        return tuple(fill(part) for part in one) if isinstance(one, tuple) else next(left)

    return fill(element)


def rows(batches: Iterable[Any]) -> list[Any]:
    """Take batches apart."""
    return [like(one, row) for one in batches for row in zip(*parts(one), strict=True)]


def equal(a: Any, b: Any) -> bool:
    """Whether two elements have the same structure, dtypes and shapes, and values up to rounding."""
    first, second = parts(a), parts(b)
    return len(first) == len(second) and all(_same(x, y) for x, y in zip(first, second, strict=True))


def _same(x: Any, y: Any) -> bool:
    if x.dtype != y.dtype or x.shape != y.shape:
        return False
    if x.dtype.kind in "fV":
        wide = x.astype(np.float64), y.astype(np.float64)
        return np.allclose(*wide, FLOAT_TOLERANCE, FLOAT_TOLERANCE, equal_nan=True)
    return bool(np.array_equal(x, y))


def collect(dataset: Any, take: int | None = None) -> list[Any]:
    """Return the elements of a dataset as NumPy arrays."""
    return list((dataset if take is None else dataset.take(take)).as_numpy_iterator())


def assert_equal(found: Any, expected: Any, what: str = "element") -> None:
    """Fail, and say where, unless two elements are `equal`."""
    first, second = parts(found), parts(expected)
    assert len(first) == len(second), f"{what}: {len(first)} components instead of {len(second)}"
    names = sorted(found) if isinstance(found, dict) else range(len(first))
    for name, x, y in zip(names, first, second, strict=True):
        assert (x.dtype, x.shape) == (y.dtype, y.shape), (
            f"{what}, {name}: {x.dtype}{x.shape}, not {y.dtype}{y.shape}"
        )
        assert _same(x, y), f"{what}, {name}: {x} instead of {y}"


def same_stream(found: Sequence[Any], reference: Any) -> None:
    """Hold elements against a dataset written by hand: the same ones in the same order."""
    expected = collect(reference, len(found) + 1)
    assert len(found) == len(expected), f"{len(found)} elements instead of {len(expected)}"
    for number, (one, other) in enumerate(zip(found, expected, strict=True)):
        assert_equal(one, other, f"element {number}")


def same_rows(found: Sequence[Any], reference: Any, batched: bool = True) -> None:
    """Hold batches against a dataset written by hand: the same sizes of batches, the same rows in any order."""
    expected = collect(reference)
    if batched:
        sizes = [[len(parts(one)[0]) for one in batches] for batches in (found, expected)]
        assert sizes[0] == sizes[1], f"batches of {sizes[0]} instead of {sizes[1]}"
        found, expected = rows(found), rows(expected)
    assert len(found) == len(expected), f"{len(found)} rows instead of {len(expected)}"
    left = list(expected)
    for number, one in enumerate(found):
        place = next((at for at, other in enumerate(left) if equal(one, other)), None)
        if place is None:
            assert_equal(
                one, left[0], f"row {number} is none of those expected, such as the first that is left"
            )
            raise AssertionError(f"row {number} is none of those expected")
        left.pop(place)


def each_is_one_of(found: Iterable[Any], candidates: Sequence[Any]) -> list[int]:
    """Return which candidate each element equals; fail where it is none of them."""
    places = []
    for number, one in enumerate(found):
        place = next((at for at, other in enumerate(candidates) if equal(one, other)), None)
        assert place is not None, f"element {number} is none of {len(candidates)} that it could be"
        places.append(place)
    return places
