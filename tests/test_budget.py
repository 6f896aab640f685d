"""The verdict on a machine: sums, limits, and fixes that were tried."""

from __future__ import annotations

import re
from typing import Any

import pytest

import safedata
from safedata.memory import GIB, MIB

SPEC = """\
safedata: 1
source: {{synthetic: {{components: {{image: "float32[224, 224, 3]"}}, count: 100000}}}}
steps:
  - shuffle: {shuffle}
  - batch: {batch}
  - prefetch: 2
budget: {budget}
targets:
  small: {{host: 4GiB, disk: 10GiB, cpus: 4}}
  a100: {{gpu: 40GiB, host: 200GiB, cpus: 16}}
"""


def check(shuffle: int = 100, batch: int = 32, budget: str = "{host: 100%}", **options: Any) -> Any:
    options = options or {"target": "small"}
    return safedata.check(SPEC.format(shuffle=shuffle, batch=batch, budget=budget), **options)


def only(verdict: Any) -> Any:
    [problem] = [one for one in verdict.problems if one.severity == "error"]
    return problem


def test_the_peak_is_the_sum_of_its_lines() -> None:
    """What a place holds is exactly what its lines say, TensorFlow's own among them."""
    verdict = check()
    host = [line.hold for line in verdict.lines if line.hold.place == "host"]
    assert verdict.places["host"].bytes == sum(hold.bytes for hold in host)
    assert any("TensorFlow itself" in hold.why for hold in host)


def test_a_spec_over_its_budget_says_where_and_by_how_much() -> None:
    """The message has peak and budget, the labels have the steps that hold most, worst first."""
    problem = only(check(shuffle=20_000))
    assert problem.code == "SD301"
    assert re.fullmatch(r"peak host memory \d\d\.\d\d GiB is over the budget of 4\.00 GiB", problem.message)
    assert problem.span.line == 4
    assert "20000 elements" in problem.label


@pytest.mark.parametrize(("shuffle", "batch"), [(20_000, 32), (100, 2000), (5_000, 256)])
def test_a_fix_fits_and_the_next_number_does_not(shuffle: int, batch: int) -> None:
    """Each number that the help offers was tried: with it the spec fits, with one more it does not."""
    offered = re.findall(r"`(shuffle|batch): (\d+)` fits", only(check(shuffle, batch)).help)
    assert offered
    for name, text in offered:
        for value, fits in ((int(text), True), (int(text) + 1, False)):
            verdict = check(value, batch) if name == "shuffle" else check(shuffle, value)
            assert verdict.fits is fits


def test_numbers_that_fit_only_together_are_offered_together() -> None:
    """Where no number alone is enough, a set of them is, and it fits."""
    problem = only(check(shuffle=20_000, batch=4_000))
    found = dict(re.findall(r"`(shuffle|batch|prefetch): (\d+)`", problem.help))
    assert problem.help.endswith(": together they fit")
    text = SPEC.replace("prefetch: 2", f"prefetch: {found.get('prefetch', 2)}")
    mended = text.format(shuffle=found["shuffle"], batch=found["batch"], budget="{host: 100%}")
    assert safedata.check(mended, target="small").fits


def test_nothing_is_offered_where_nothing_fits() -> None:
    """A machine smaller than TensorFlow itself is said to be so."""
    problem = only(check(host="512MiB"))
    assert re.search("and TensorFlow itself takes .*: no step can mend it", problem.message)
    assert problem.labels == ()
    assert "512.00 MiB is available" in problem.notes
    assert problem.help.startswith("no number in the spec makes it fit: with all at 1 the peak is")


def test_a_share_is_one_of_what_is_free_less_the_reserve() -> None:
    """50% of 4 GiB with 1 GiB reserved is 1.5 GiB; a size is capped by what is free."""
    assert check(budget="{host: 50%, reserve: {host: 1GiB}}").places["host"].limit == 1536 * MIB
    assert check(budget="{host: 1GiB}").places["host"].limit == GIB
    assert check(budget="{host: 100GiB}").places["host"].limit == 4 * GIB


def test_a_reserve_over_what_is_free_does_not_fit() -> None:
    """A model that does not fit by itself is an error, whatever the pipeline holds."""
    problem = only(check(budget="{reserve: {gpu: 50GiB}}", target="a100"))
    assert problem.code == "SD302"
    assert "the reserve of 50.00 GiB on gpu:0 alone is over" in problem.message
    assert "smaller model" in problem.help
    assert check(budget="{reserve: {gpu: 30GiB}}", target="a100").fits


def test_a_reserve_over_what_is_free_is_said_once() -> None:
    """Where the reserve alone is over what is free nothing in the spec makes it fit, and one problem says so."""
    for place, given in (("host", {"host": "2GiB"}), ("gpu", {"gpu": "2GiB", "host": "8GiB"})):
        verdict = safedata.check(
            SPEC.format(shuffle=10, batch=8, budget=f"{{reserve: {{{place}: 3GiB}}}}"), **given
        )
        assert re.search(r"alone is over the .* that are free", only(verdict).message)
        assert not verdict.fits


def test_numbers_given_by_the_caller_stand_for_the_machine() -> None:
    """`host`, `gpu` and `disk` replace what this machine has."""
    verdict = check(host="2GiB", gpu=["24GiB", "16GiB"], disk="1TiB")
    assert verdict.places["host"].free == 2 * GIB
    assert {"gpu:0", "gpu:1"} <= set(verdict.places)
    assert verdict.places["disk"].free == 1024 * GIB


def test_more_bytes_for_more_elements() -> None:
    """The peak never falls when a buffer or a batch grows."""
    peaks = [check(shuffle, batch).places["host"].bytes for shuffle in (10, 100, 1000) for batch in (8, 64)]
    assert peaks[0] < peaks[1] < peaks[3] < peaks[5]
    assert peaks[0] < peaks[2] < peaks[4]


def test_what_cannot_be_bounded_is_an_error_and_never_nothing() -> None:
    """A cache of unknown length has no bound: the spec does not fit, and the help says how to bound it."""
    spec = "safedata: 1\nsource: {synthetic: {components: {x: 'float32[?]'}, count: 10}}\nsteps: [{shuffle: 5}]\n"
    verdict = safedata.check(spec, host="4GiB")
    assert not verdict.fits
    assert verdict.problems
    assert all(problem.help for problem in verdict.problems)


def test_this_machine_has_something_free() -> None:
    """Without a target the limits are those of the machine, as far as it tells them."""
    verdict = check(target=None)
    assert verdict.places["host"].free > 100 * MIB
