"""`arguments` and `timeout_s` of a `call`, as an operation, a step and a source."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

import safedata
from safedata.external.timed import LateError, Places
from safedata.memory import HOST, MIB
from tests.external.functions import ALLOW, elements, feed, spec, step

VALUE = 'value: "int64[]"'


def mapped(name: str, more: str) -> str:
    return f'map: {{value: [{{call: "mine.feeds:{name}", returns: {{{VALUE}}}, workspace: 1KiB, {more}}}]}}'


ARGUMENTS = "arguments: {factor: 3, words: [a, b], more: {deep: [1, null, 2.5]}}"
FORMS = {
    "operation": spec("range: 4", mapped("scaled", ARGUMENTS)),
    "batch": spec("range: 4", "batch: 2", mapped("scaled", ARGUMENTS), "unbatch: "),
    "graph": spec("range: 4", mapped("traced_scaled", f"graph: true, {ARGUMENTS}")),
    "step": spec("range: 4", step("scaled", VALUE, f", {ARGUMENTS}")),
    "source": spec(feed("counted", VALUE, "4", f"workspace: 0 B, {ARGUMENTS}"), "batch: 2", "unbatch: "),
}


@pytest.mark.tf
@pytest.mark.parametrize("form", FORMS)
def test_each_call_is_handed_the_arguments(form: str, mine: Path) -> None:
    """A function gets the spec's values by name in every call, and what it does to them is gone in the next one."""
    assert [one["value"] for one in elements(FORMS[form])] == [0, 3, 6, 9]


@pytest.mark.tf
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("old", "new", "message", "way_out"),
    [
        (
            "factor: 3",
            "facto: 3",
            "an unexpected keyword argument 'facto'|missing a required argument",
            "`factor`",
        ),
        ("factor: 3, ", "", "missing a required argument: 'factor'", "give what it misses in `arguments`"),
    ],
)
def test_a_signature_is_held_to(
    form: str, old: str, new: str, message: str, way_out: str, mine: Path
) -> None:
    """What a function does not take, or misses, is found when the graph is built, at its place in the spec."""
    with pytest.raises(safedata.SpecError) as caught:
        safedata.load(FORMS[form].replace(old, new), allow=ALLOW, host="8GiB")
    [found] = caught.value.problems
    assert found.code == "SD250"
    assert re.search(message, found.message), found.message
    assert way_out in (found.help or "")
    assert found.span is not None
    assert found.span.line == (2 if form == "source" else 5 if form == "batch" else 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            spec("range: 4", mapped("scaled", "arguments: {no name: 1}")),
            "`no name` is not a name for a parameter",
        ),
        (
            spec("range: 4", step("scaled", VALUE, ", seed: true, arguments: {seed: 1}")),
            "hands the function its",
        ),
        (
            spec("range: 4", mapped("scaled", "seed: true, arguments: {seed: 1}")),
            "hands the function its `seed`",
        ),
        (spec(feed("counted", VALUE, "4", "workspace: 0 B, timeout_s: 0")), "takes a number above 0"),
        (
            spec("range: 4", mapped("scaled", "graph: true, timeout_s: 1")),
            "`timeout_s` is for functions of Python's",
        ),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    """Names that are no parameter's, two seeds, and limits that cannot be kept are problems of the spec."""
    [found] = safedata.check(text, allow=ALLOW, host="8GiB").problems
    assert found.code == "SD105"
    assert message in found.message


def test_arguments_are_part_of_a_cache(mine: Path, tmp_path: Path) -> None:
    """Another argument is another cache on disk."""
    from safedata.phases import phases

    def key(factor: int) -> str:
        written = step("scaled", VALUE, f", version: 1, arguments: {{factor: {factor}}}")
        text = spec("range: 4", written, f"cache: {{path: {tmp_path}}}")
        plan = safedata.check(text, allow=ALLOW, host="8GiB").plan
        assert plan is not None
        return next(str(one.writes) for one in phases(plan) if one.writes is not None)

    assert key(3) == key(3)
    assert key(3) != key(4)


SLOW = {
    "operation": spec("range: 6", mapped("dozing", "timeout_s: 0.5")),
    "step": spec("range: 6", step("dozing", VALUE, ", timeout_s: 0.5")),
    "several": spec("range: 6", step("dozes", VALUE, ", timeout_s: 0.5, cardinality: {many: 2}")),
    "two calls": spec("range: 6", step("dozing", VALUE, ", timeout_s: 0.5") + "\n    parallel: 2"),
    "source": spec(feed("drowsy", VALUE, "6", "workspace: 0 B, timeout_s: 0.5")),
}


@pytest.mark.tf
@pytest.mark.parametrize("form", SLOW)
def test_a_call_that_takes_too_long(form: str, mine: Path) -> None:
    """The error names the function and the element, and comes before the function has returned."""
    where = "element 2 of the source" if form == "source" else "range element 2"
    start = time.monotonic()
    with pytest.raises(
        safedata.DataError, match=rf"`mine\.feeds:\w+` took longer than 0.5 s, in {where}"
    ) as caught:
        safedata.build(SLOW[form], allow=ALLOW, host="8GiB")
    [found] = caught.value.problems
    assert found.code == "SD251"
    assert ("on_error" in (found.help or "")) is (form != "source")
    assert time.monotonic() - start < 60


@pytest.mark.tf
@pytest.mark.parametrize("form", [one for one in SLOW if one != "source"])
def test_an_element_that_takes_too_long_is_left_out(form: str, mine: Path) -> None:
    """Under `on_error: skip` the element is left out, and the others are there."""
    report = safedata.build(SLOW[form] + "runtime: {on_error: skip}\n", allow=ALLOW, host="8GiB")
    assert (report.elements, report.skipped) == (5, ("range element 2",))


def test_late_calls_are_bounded() -> None:
    """So many calls that are late go on beside those in time; with more of them a new one is late without a start."""
    import threading

    end, started = threading.Event(), []
    places = Places(1, 0.05)

    def hang() -> None:
        started.append(1)
        end.wait(30)

    for _ in range(2):
        with pytest.raises(LateError, match=r"took longer than 0.05 s"):
            places.run(hang)
    with pytest.raises(LateError, match="was not called: 2 calls before still run"):
        places.run(hang)
    assert len(started) == 2
    end.set()
    assert Places(1, 5).run(lambda: 7) == 7
    patient = Places(2, 10)
    with pytest.raises(StopIteration):
        patient.run(lambda: next(iter(())))
    assert places.run(lambda: 8) == 8


def test_calls_that_are_late_are_counted(mine: Path) -> None:
    """Where the run goes on without them, as many calls more as run at once hold what a call does."""

    def held(text: str) -> int:
        verdict = safedata.check(text, allow=ALLOW, host="64GiB")
        return sum(
            line.hold.bytes or 0 for line in verdict.lines if line.hold.place == HOST and line.step != 0
        )

    forms = [
        spec("range: 4", mapped("scaled", "parallel: 2").replace("1KiB", "64MiB")),
        spec("range: 4", step("scaled", VALUE).replace("1KiB", "64MiB") + "\n    parallel: 2"),
    ]
    for text in forms:
        timed = text.replace("64MiB", "64MiB, timeout_s: 1")
        skips = "runtime: {on_error: skip}\n"
        assert 0 < held(timed) - held(text) < MIB
        assert 2 * 64 * MIB <= held(timed + skips) - held(text + skips) < 2 * 80 * MIB
