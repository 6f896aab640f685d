"""The number that is found fits, and the next larger one does not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

import safedata
from safedata.fitting.scale import Scale
from safedata.fitting.wanted import Wanted
from safedata.problem import DataError, SpecError

SPEC = """\
safedata: 1
params: {{n: {n}, k: 7}}
source: {{synthetic: {{components: {{x: "float32[1000]"}}, count: {count}}}}}
steps:
  - {{name: mix, shuffle: {shuffle}}}
  - batch: {batch}
  - prefetch: {prefetch}
targets: {{here: {{host: {host}, cpus: 4}}}}
"""


def text(**given: object) -> str:
    defaults: dict[str, object] = {
        "n": 4,
        "count": 900_000,
        "shuffle": 1000,
        "batch": 64,
        "prefetch": 2,
        "host": "1GiB",
    }
    return SPEC.format(**(defaults | given)).replace(", k: 7", ", k: 7" if "${k}" in str(given) else "")


def fits(**given: Any) -> bool:
    return safedata.check(text(**given).replace("params: {n: 4}\n", ""), target="here").fits


def largest(*names: str, multiple_of: int = 1, **given: Any) -> Any:
    return safedata.fit(text(**given), *names, multiple_of=multiple_of, target="here")


@pytest.mark.parametrize(
    ("name", "field"),
    [("batch", "batch"), ("mix", "shuffle"), ("shuffle", "shuffle"), ("prefetch", "prefetch")],
)
@pytest.mark.parametrize("now", [1, 50, 90_000])
def test_the_next_larger_number_does_not_fit(name: str, field: str, now: int) -> None:
    """From below and from above the same number is found, and it is the last that fits."""
    found = largest(name, **{field: now})
    [number] = found.numbers
    assert number.now == now
    assert fits(**{field: number.largest})
    assert not fits(**{field: number.largest + 1})
    assert found.limit == "host"
    assert " over" in found.reason


def test_a_multiple_is_the_largest_of_its_kind() -> None:
    """With `multiple_of` the next multiple does not fit."""
    [number] = largest(multiple_of=8).numbers
    assert number.largest % 8 == 0
    assert fits(batch=number.largest)
    assert not fits(batch=number.largest + 8)


def test_several_numbers_grow_together() -> None:
    """They keep their proportion, and the next larger ones do not fit."""
    found = largest("batch", "shuffle", batch=100, shuffle=1000)
    batch, shuffle = found.numbers
    assert batch.largest == shuffle.largest // 10
    assert found.verdict.fits
    assert not fits(batch=(shuffle.largest + 1) // 10, shuffle=shuffle.largest + 1)


def test_a_parameter_is_a_number_too() -> None:
    """A parameter stands for every number that comes from it."""
    [number] = largest("n", batch='"${n}"', prefetch='"${n}"').numbers
    assert fits(batch=number.largest, prefetch=number.largest)
    assert not fits(batch=number.largest + 1, prefetch=number.largest + 1)


def test_no_number_is_larger_than_the_data() -> None:
    """Where all of the data fits, the data is the limit."""
    found = largest(count=3000)
    assert found.numbers[0].largest == 3000
    assert (found.limit, found.reason) == (None, "the data: an epoch has 3000 elements here")


def test_a_peak_that_falls_is_seen() -> None:
    """Fewer batches fill fewer of the places behind them, so a larger batch may fit where a smaller one does not."""
    given: dict[str, Any] = {"count": 90_000, "shuffle": 10, "prefetch": 8}
    found = largest(**given)
    [number] = found.numbers
    step = 1000
    assert not any(fits(**given, batch=one) for one in range(number.largest + 1, 90_001, step))
    assert fits(**given, batch=number.largest)


@pytest.mark.parametrize("start", [1, 7, 64, 105, 400])
def test_a_peak_that_falls_a_little_is_seen(start: int) -> None:
    """Where the allocator's share shrinks from one number to the next, the larger one is found."""

    class Falling(Scale):
        def __init__(self) -> None:
            self.lead = cast("Wanted", SimpleNamespace(cap=None, now=start))
            self.multiple = 1

        def over(self, step: int) -> float:
            return (step**2 - 112**2) / 100 + (60 if 90 <= step < 105 else 0)

    assert Falling().largest() == 112


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("nothing", {}, "there is no number `nothing` to fit"),
        ("n", {"batch": '"${n}"', "count": '"${n}"'}, "the parameter `n` says more than how much is held"),
    ],
)
def test_a_name_of_no_number_is_refused(name: str, given: dict[str, Any], message: str) -> None:
    """A name that is none, and a parameter that decides more than memory, cannot be fitted."""
    with pytest.raises(SpecError, match=message):
        largest(name, **given)


def test_a_spec_without_a_batch_needs_a_name() -> None:
    """By default it is the last batch that is fitted."""
    spec = "safedata: 1\nsource: {range: 10}\nsteps: [{shuffle: 3}]\n"
    with pytest.raises(SpecError, match="the spec has no batch to fit"):
        safedata.fit(spec, host="4GiB")


def test_problems_beside_the_budget_are_raised() -> None:
    """A spec that cannot be typed has no answer, and neither has one without data."""
    with pytest.raises(SpecError, match="SD106"):
        safedata.fit("safedata: 1\nsource: {range: 10}\nsteps: [{btch: 3}]\n")
    with pytest.raises(DataError, match="SD401"):
        safedata.fit("gone.yaml")
