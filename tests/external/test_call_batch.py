"""`call` behind `batch`: one call for each batch, with a row for each of its elements."""

from __future__ import annotations

from pathlib import Path

import pytest

import safedata
from safedata.memory import HOST, KIB, MIB
from tests.external.functions import ALLOW, elements, happened, spec


def mapped(name: str, returns: str, more: str = "") -> str:
    return f'map: {{value: [{{call: "mine.feeds:{name}", returns: {{value: "{returns}"}}, workspace: 1KiB{more}}}]}}'


def flat(text: str) -> list[object]:
    return [
        row
        for one in elements(text)
        for row in (one["value"] if isinstance(one["value"], list) else [one["value"]])
    ]


def test_the_type_is_that_of_one_element(mine: Path) -> None:
    """What a call returns has the batch dimensions of what it gets in front of what is declared."""
    text = spec(
        "range: 10", "batch: {size: 4, drop_remainder: true}", "batch: 2", mapped("doubled", "int64[<=3]")
    )
    verdict = safedata.check(text, allow=ALLOW, host="8GiB")
    assert verdict.plan is not None
    assert str(verdict.plan.result.element["value"]) == "int64[<=2, 4, <=3]"


@pytest.mark.tf
def test_a_function_gets_whole_batches(mine: Path) -> None:
    """One call for each batch, the short last one too, of numbers and of text."""
    text = spec("range: 10", "batch: 4", mapped("doubled", "int64[]"))
    assert [one["value"] for one in elements(text)] == [[0, 2, 4, 6], [8, 10, 12, 14], [16, 18]]
    assert sorted(happened()) == [(2,), (4,), (4,)]
    words = spec("range: 3", "map: {value: as_string}", "batch: 2", mapped("shout", "string[<=30B]"))
    assert flat(words) == [b"0", b"1", b"2"]


@pytest.mark.tf
@pytest.mark.parametrize("name", ["drawn", "traced"])
def test_draws_do_not_depend_on_how_elements_are_batched(name: str, mine: Path) -> None:
    """Each element of a batch has a seed of its own, the one that it would have alone."""
    graph = ", graph: true" if name == "traced" else ""
    found = [
        flat(spec("range: 7", f"batch: {size}", mapped(name, "float32[]", f", seed: true{graph}")))
        for size in (2, 3)
    ]
    assert found[0] == found[1]
    assert len(set(found[0])) == 7
    if name == "drawn":
        assert flat(spec("range: 7", mapped("drawn_alone", "float32[]", ", seed: true"))) == found[0]


@pytest.mark.tf
@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            mapped("shorter", "int64[]"),
            r"returned int64\[1\] for `value`, and int64\[2\] is declared, in a batch",
        ),
        (mapped("doubled", "int32[]"), r"returned int64\[2\] for `value`, and int32\[2\] is declared"),
        (mapped("ragged", "int64[<=2]"), "returned a list for `value`"),
        (
            mapped("traced_shorter", "int64[]", ", graph: true"),
            "another number of rows for `value` than the batch",
        ),
    ],
)
def test_another_number_of_rows_is_told(entry: str, message: str, mine: Path) -> None:
    """What comes back has a row for each element of the batch, of the declared type, or names the batch."""
    with pytest.raises(safedata.DataError, match=message) as caught:
        safedata.build(spec("range: 4", "batch: 2", entry), allow=ALLOW, host="8GiB")
    assert caught.value.problems[0].code == "SD511"


@pytest.mark.tf
def test_a_bad_batch_is_left_out_whole(mine: Path) -> None:
    """Under `on_error: skip` the elements of a batch that a function fails on are all told."""
    text = spec("range: 5", "batch: 2", mapped("shorter", "int64[]"), rest="runtime: {on_error: skip}\n")
    report = safedata.build(text, allow=ALLOW, host="8GiB")
    assert report.skipped == ("range element 0", "range element 1", "range element 2", "range element 3")
    assert report.elements == 1


def test_a_batch_counts_what_it_makes_and_its_workspace_once(mine: Path) -> None:
    """Results count for each element of the batch, workspace and their copy for each call in the function at once."""

    def held(batch: int, workspace: str, calls: int = 1) -> int:
        entry = mapped("doubled", "float32[1024]", f", parallel: {calls}").replace("1KiB", workspace)
        text = spec(
            "range: 64",
            f"batch: {{size: {batch}, drop_remainder: true}}",
            entry,
            rest="runtime: {threads: 2}\n",
        )
        verdict = safedata.check(text, allow=ALLOW, host="64GiB")
        found = (line.hold for line in verdict.lines if line.hold.place == HOST and line.step is not None)
        return sum(hold.bytes or 0 for hold in found if "calls at once" in hold.why)

    assert held(8, "101MiB") - held(8, "1MiB") == 100 * MIB
    assert held(8, "101MiB", 2) - held(8, "1MiB", 2) == 2 * 100 * MIB
    assert held(16, "1MiB") - held(8, "1MiB") >= 3 * 8 * 4 * KIB
