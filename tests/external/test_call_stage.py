"""`call` as a step: a function that makes one element of each, or several, or none."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import safedata
from safedata.memory import HOST, MIB
from tests.external.functions import ALLOW, elements, spec, step

MANY = ", cardinality: {many: 4}"
PAIRS = 'pair: "int64[2]", text: "string[<=2B]"'
VALUE = 'value: "int64[]"'


@pytest.mark.parametrize(
    ("written", "code", "message"),
    [
        (
            step("even", VALUE, ", cardinality: two"),
            "SD105",
            "`cardinality` is `one`, `zero_or_one`, or the most",
        ),
        (step("even", VALUE, ", cardinality: {many: 0}"), "SD105", "`cardinality` is `one`"),
        (step("even", VALUE, start="valu"), "SD201", "there is no component `valu` here"),
        (step("even", VALUE) + "\n    device: gpu", "SD103", "`call` takes no `device`"),
        (step("even", 'value: "int64[?]"'), "SD204", "nothing bounds `value`"),
        (
            step("even", VALUE).replace(", workspace: 1KiB", ""),
            "SD233",
            "nobody says what `mine.feeds:even` holds",
        ),
        (
            step("even", VALUE).replace("mine.feeds:even", "mine.feeds"),
            "SD105",
            "names no function of a module",
        ),
        ("batch: 2\n  - " + step("even", VALUE), "SD207", "`call` looks at single elements"),
        ('call: "mine.feeds:even"', "SD105", "`call` takes a mapping of its fields"),
    ],
)
def test_what_is_refused(written: str, code: str, message: str, mine: Path) -> None:
    """A call that says too little, or something else than fits, is one problem with its place and a way out."""
    [found] = safedata.check(spec("range: 6", written), allow=ALLOW, host="8GiB").problems
    assert found.code == code
    assert re.search(message, found.message), found.message
    assert found.span is not None
    assert found.span.line >= 4


def test_a_check_takes_its_word(mine: Path) -> None:
    """Without leave a step is refused; with leave its types and number are those declared, and nothing is imported."""
    text = spec("range: 6", step("chunks", PAIRS, MANY))
    [found] = safedata.check(text, host="8GiB").problems
    assert found.code == "SD231"
    verdict = safedata.check(text, allow=ALLOW, host="8GiB")
    assert verdict.fits, verdict.problems
    assert verdict.plan is not None
    assert str(verdict.plan.result.cardinality) == "at most 24"
    assert str(verdict.plan.result) == "value: int64[], pair: int64[2], text: string[<=2B]"
    assert "mine.feeds" not in sys.modules


@pytest.mark.tf
@pytest.mark.parametrize("types", [PAIRS, PAIRS.replace("[2]", "[<=2]")])
@pytest.mark.parametrize("calls", ["", "\n    parallel: 3"])
@pytest.mark.parametrize("name", ["reused", "columns"])
def test_several_elements_of_one(name: str, types: str, calls: str, mine: Path) -> None:
    """A generator's elements, or rows of arrays, come in order; what it does not return goes along."""
    expected = [
        {"value": value, "pair": [value, number], "text": f"t{number}".encode()}
        for value in range(6)
        for number in range(value % 4)
    ]
    assert elements(spec("range: 6", step(name, types, MANY) + calls)) == expected


@pytest.mark.tf
def test_elements_of_different_sizes(mine: Path) -> None:
    """What a function cuts an element into differs in size within the declared bound, and nothing is lost."""
    source = 'synthetic: {components: {wave: "float32[<=10]"}, count: 4, vary: true}'
    whole = elements(spec(source, "select: wave"))
    cut = elements(spec(source, step("chunks", 'wave: "float32[<=4]"', MANY, "wave")))
    assert {len(one["wave"]) for one in cut} > {4}
    assert [x for one in cut for x in one["wave"]] == [x for one in whole for x in one["wave"]]


@pytest.mark.tf
def test_none_leaves_an_element_out(mine: Path) -> None:
    """With `zero_or_one` a function returns an element or None; with `one` it always returns one."""
    left = elements(spec("range: 6", step("even", VALUE, ", cardinality: zero_or_one")))
    assert left == [{"value": 0}, {"value": 20}, {"value": 40}]
    assert elements(spec("range: 3", step("doubled", VALUE))) == [{"value": 0}, {"value": 2}, {"value": 4}]
    with pytest.raises(safedata.DataError, match=r"returned nothing for `value`, and int64\[\] is declared"):
        safedata.build(spec("range: 6", step("even", VALUE)), allow=ALLOW, host="8GiB")


@pytest.mark.tf
@pytest.mark.parametrize(
    ("written", "code", "message"),
    [
        (
            step("five", VALUE, MANY),
            "SD511",
            "made more than 4 elements of one, and `many: 4` is declared, in range",
        ),
        (
            step("doubled", VALUE, MANY),
            "SD511",
            r"returned int64\[\], and an iterable of elements, or arrays",
        ),
        (step("uneven", PAIRS, MANY), "SD511", "different numbers of rows, `pair` 2, `text` 1"),
        (step("reused", PAIRS.replace("[2]", "[<=1]"), MANY), "SD511", r"returned int64\[2\] for `pair`"),
        (
            step("columns", PAIRS.replace("int64", "int32"), MANY),
            "SD511",
            r"returned int64\[0, 2\] for `pair`",
        ),
        (
            step("late", VALUE, MANY),
            "SD512",
            "`mine.feeds:late` raised KeyError: .*no such thing.*, in range element 2",
        ),
    ],
)
def test_what_a_function_does_wrong_is_told(written: str, code: str, message: str, mine: Path) -> None:
    """Elements that are not as declared, one too many, or an exception between two of them name the element."""
    with pytest.raises(safedata.DataError, match=message) as caught:
        safedata.build(spec("range: 6", written), allow=ALLOW, host="8GiB")
    assert caught.value.problems[0].code == code


@pytest.mark.tf
def test_a_bad_element_can_be_left_out(mine: Path) -> None:
    """Under `on_error: skip` an element that the function fails on is left out with all that it made, and told."""
    text = spec("range: 4", step("late", VALUE, MANY), rest="runtime: {on_error: skip}\n")
    report = safedata.build(text, allow=ALLOW, host="8GiB")
    assert (report.elements, report.skipped) == (3, ("range element 2",))


@pytest.mark.tf
@pytest.mark.parametrize("runtime", ["", "runtime: {on_error: {skip: {max: 1}}}\n"])
def test_a_call_can_leave_out_by_itself(runtime: str, mine: Path) -> None:
    """With `on_error: skip` a call leaves out what its function fails on, whatever the run does with bad data."""
    text = spec(
        "range: 6",
        step("late", VALUE, MANY + ", on_error: skip"),
        "filter: 12 // (value - 1) > 0 or true",
        rest=runtime,
    )
    fine = text.replace("value - 1", "value - 7")
    report = safedata.build(fine, allow=ALLOW, host="8GiB")
    assert (report.elements, report.skipped) == (5, ("range element 2",))
    verdict = safedata.check(fine, allow=ALLOW, host="8GiB")
    assert verdict.plan is not None
    assert str(verdict.plan.result.cardinality) == "at most 24"
    with pytest.raises(
        safedata.DataError, match=r"a division by zero|more than 1 elements could not be read"
    ):
        safedata.build(text, allow=ALLOW, host="8GiB")


@pytest.mark.parametrize("runtime", ["", "runtime: {on_error: skip}\n"])
def test_a_call_that_leaves_out_in_a_pair(runtime: str, mine: Path) -> None:
    """In an input of `zip` it would shift the pairs: refused, whatever the run does with bad data."""
    call = step("odd_only", VALUE, ", on_error: skip")
    other = "{source: {range: 6}, steps: [rename: {value: w}]}"
    inputs = f"a: {{source: {{range: 6}}, steps: [{{{call}}}]}}, b: {other}"
    text = f"safedata: 1\nsource: {{zip: {{{inputs}}}}}\n{runtime}"
    [found] = safedata.check(text, allow=ALLOW, host="8GiB").problems
    assert found.code == "SD224"
    assert found.message.startswith("`call` is a step of `a`")


@pytest.mark.tf
def test_how_many_a_call_leaves_out(mine: Path) -> None:
    """More than `max` end the run, with one thing to do; a call with one result for each element has fewer then."""
    text = spec("range: 6", step("odd_only", VALUE, ", on_error: {skip: {max: 3}}"))
    report = safedata.build(text, allow=ALLOW, host="8GiB")
    assert report.skipped == ("range element 0", "range element 2", "range element 4")
    with pytest.raises(safedata.DataError, match="more than 2 elements could not be read") as caught:
        safedata.build(text.replace("max: 3", "max: 2"), allow=ALLOW, host="8GiB")
    [found] = caught.value.problems
    assert (found.code, found.help) == (
        "SD409",
        "mend the data, or raise `on_error.skip.max` of this `call`",
    )
    [wrong] = safedata.check(text.replace("max: 3", "max: 0"), allow=ALLOW, host="8GiB").problems
    assert (wrong.code, wrong.message) == ("SD105", "`max` takes a number of at least 1, not `0`")
    assert wrong.span is not None
    assert wrong.span.end_column - wrong.span.column == 1
    usual = safedata.check(text.replace("max: 3", ""), allow=ALLOW, host="8GiB")
    assert usual.fits, "`{skip: {}}` is what it is in `runtime`"


@pytest.mark.tf
def test_seeds_follow_from_the_element(mine: Path) -> None:
    """A function's seeds are others in each epoch, and the same whatever runs at once; draws behind it differ, too."""
    text = spec("range: 5", step("twice", VALUE, MANY + ", seed: true"), "map: {draw: '= uniform(0, 1)'}")
    first, second = (elements(text + f"runtime: {{seed: {seed}}}\n") for seed in (0, 1))
    assert elements(text.replace("seed: true", "seed: true, parallel: 2")) == first
    assert not {one["value"] for one in first} & {one["value"] for one in second}
    assert len({one["draw"] for one in first}) == 10
    twice = elements(text.replace("steps:", "steps:\n  - repeat: 2"))
    assert twice[:10] == first
    assert not {one["value"] for one in twice[10:]} & {one["value"] for one in first}


@pytest.mark.tf
def test_a_missing_function_is_pointed_at(mine: Path) -> None:
    """A function that the module does not have shows when the graph is built, at its place in the spec."""
    with pytest.raises(safedata.SpecError, match=r"`mine\.feeds` has no function `evn`") as caught:
        safedata.load(spec("range: 3", step("evn", VALUE)), allow=ALLOW, host="8GiB")
    [found] = caught.value.problems
    assert found.code == "SD232"
    assert found.span is not None
    assert (found.span.line, found.span.column) == (4, 22)


def test_what_is_made_is_counted_for_each_call(mine: Path) -> None:
    """Each call at once counts its workspace and twice the most that it may make."""

    def held(most: int, workspace: str, calls: int) -> int:
        returns = 'x: "float32[1024, 1024]"'
        written = step("big", returns, f", cardinality: {{many: {most}}}").replace("1KiB", workspace)
        text = spec("range: 4", f"{written}\n    parallel: {calls}")
        verdict = safedata.check(text, allow=ALLOW, host="64GiB")
        found = (line.hold for line in verdict.lines if line.hold.place == HOST and line.step == 2)
        return sum(hold.bytes or 0 for hold in found if "leave behind" not in hold.why)

    assert held(4, "101MiB", 3) - held(4, "1MiB", 3) == 300 * MIB
    assert held(8, "1MiB", 1) - held(4, "1MiB", 1) >= 2 * 4 * 4 * MIB
    assert held(4, "1MiB", 2) >= held(4, "1MiB", 1) + 2 * 4 * 4 * MIB


def test_a_cache_on_disk_asks_for_a_version(mine: Path) -> None:
    """A step without a version before a cache on disk is refused, with one it is a part of the key."""
    written = step("even", VALUE)
    text = spec("range: 3", written, "cache: {path: kept}")
    [found] = safedata.check(text, allow=ALLOW, host="8GiB").problems
    assert (found.code, "has no version" in found.message) == ("SD207", True)
    assert safedata.check(text.replace("1KiB", "1KiB, version: 1"), allow=ALLOW, host="8GiB").fits
