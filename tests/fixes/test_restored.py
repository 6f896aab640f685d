"""Numbers that fit only together: each that is changed has to be, and gives up as little as it can."""

from __future__ import annotations

from typing import Any

import pytest

import safedata
from safedata.change import Fix, SetField
from safedata.edit import edited

pytestmark = pytest.mark.usefixtures("undecided")
HEAD = """\
safedata: 1
source: {synthetic: {components: {image: "uint8[224, 224, 3]", label: "int64[]"}, count: 20000}}
targets: {here: {host: 1300MiB, cpus: 4}}
steps:
"""
TWO_BUFFERS = """\
  - prefetch: 16
  - shuffle: 10000
  - map: {image: [{resize: [64, 64]}]}
    parallel: 4
  - filter: label < 3
  - shuffle: 50000
  - batch: 128
  - prefetch: 8
"""
LARGE_BATCHES = """\
  - prefetch: 16
  - shuffle: 10000
  - filter: label < 3
  - map: {image: [{resize: [500, 500]}]}
    parallel: 4
  - filter: label < 2
  - batch: 512
  - map: {image: [{rescale: [0, 1]}]}
    parallel: 2
  - prefetch: 3
"""
CALLS = """\
  - map: {image: [{resize: [3000, 3000]}]}
    parallel: 4
  - map: {image: [{resize: [3000, 3000]}]}
    parallel: 4
  - map: {image: [{resize: [64, 64]}]}
    parallel: 4
  - batch: 32
"""


def fixes(steps: str, **options: Any) -> list[Fix]:
    """Return the ways out of a spec with these steps."""
    verdict: Any = safedata.check(HEAD + steps, target="here", **options)
    [problem] = [one for one in verdict.problems if one.code == "SD301"]
    return list(problem.fixes)


def numbers(fix: Fix) -> dict[tuple[int, str], int]:
    """Return what a fix sets, by step and field."""
    return {(one.step, one.field): int(one.value) for one in fix.changes if isinstance(one, SetField)}


@pytest.mark.parametrize(
    ("steps", "host"), [(TWO_BUFFERS, "1300MiB"), (LARGE_BATCHES, "1300MiB"), (CALLS, "1800MiB")]
)
def test_a_number_is_changed_only_where_it_has_to_be(steps: str, host: str) -> None:
    """With any one number of a fix as the spec has it, the others being what the fix says, it does not fit."""
    found = fixes(steps, host=host)
    assert found
    for fix in found:
        assert len(numbers(fix)) == len(fix.changes) > 1
        for number in range(len(fix.changes)):
            others = fix.changes[:number] + fix.changes[number + 1 :]
            text = edited(HEAD + steps, "<text>", "", others, {}).text
            assert not safedata.check(text, target="here", host=host).fits, (fix.text, fix.changes[number])


def test_what_holds_little_stays() -> None:
    """Of buffers, a batch, calls and batches kept ready, two buffers alone are made smaller, each with its line."""
    [fix] = fixes(TWO_BUFFERS)
    assert set(numbers(fix)) == {(1, "buffer"), (4, "buffer")}
    first, second = numbers(fix).values()
    assert fix.text == (f"`shuffle: {first}` in line 6 and `shuffle: {second}` in line 10 together")
    assert "calls at once" not in fix.cost
    assert "ready when the training step asks" not in fix.cost


def test_the_room_that_is_left_is_given_back() -> None:
    """What a fix leaves below the limit is less than one percent of it, where each number is many small ones."""
    [fix] = fixes(TWO_BUFFERS)
    limit = 1300 << 20
    assert 0.99 * limit < fix.peaks["host"] <= limit


def test_numbers_that_cost_time_alone_come_first() -> None:
    """Where fewer calls are enough, the first fix leaves the batch as it is."""
    first = fixes(CALLS, host="1800MiB")[0]
    assert {field for _, field in numbers(first)} == {"parallel"}
    assert len(numbers(first)) == 2
    assert "smaller batches" not in first.cost


def test_an_epoch_is_counted_with_all_numbers() -> None:
    """How many batches an epoch has is worked out with every number of the fix, those of earlier steps too."""
    [fix] = fixes(LARGE_BATCHES)
    size = numbers(fix)[5, "size"]
    assert f"smaller batches, of {size} in place of 512: {-(-20000 // size)} in an epoch, not 40" in fix.cost


def test_shorter_windows_come_last() -> None:
    """A window is made smaller only behind ways out that leave the elements as they are, and is said to be one."""
    steps = """\
  - map: {image: [{cast: float32}]}
  - window: {size: 64, shift: 64, drop_remainder: true}
  - shuffle: 40
  - batch: 8
"""
    several, shorter = fixes(steps)
    assert {step for step, _ in numbers(several)} == {2, 3}
    assert set(numbers(shorter)) == {(1, "size")}
    assert shorter.cost.startswith("shorter windows, of ")
    assert shorter.cost.endswith(" in place of 64: each element is another one")


def test_a_number_that_is_enough_alone_stays_alone() -> None:
    """A buffer so small that it is a mistake fits by itself, and is not made smaller still with another number."""
    steps = """\
  - map: {image: [{cast: float32}]}
  - filter: label < 3
  - shuffle: 20000
  - batch: 8
  - prefetch: 2
"""
    [fix] = fixes(steps, host="800MiB")
    assert set(numbers(fix)) == {(2, "buffer")}
    assert "mixes" in fix.cost
    assert len(fix.changes) == 1
