"""`assert`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import safedata
from safedata.problem import DataError

SPEC = """\
safedata: 1
source: {{jsonl: {{path: rows.jsonl, columns: {{name: string, n: int64, box: "float32[2]"}}}}}}
steps: [{steps}]
runtime: {{on_error: {on_error}}}
"""
SKIP = "{skip: {max: 9}}"


@pytest.fixture
def spec(tmp_path: Path) -> Any:
    """A function that writes a spec of steps over five rows, numbered from 0 on, and returns its path."""
    rows = [{"name": f"row {n}", "n": n, "box": [n, 2 * n]} for n in range(5)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def write(steps: str, on_error: str = "fail") -> Path:
        path = tmp_path / "spec.yaml"
        path.write_text(SPEC.format(steps=steps, on_error=on_error))
        return path

    return write


def numbers(path: Path) -> list[Any]:
    return [one["n"].numpy().tolist() for one in safedata.load(path)]


@pytest.mark.tf
@pytest.mark.parametrize(
    "step", ["assert: n < 9", "assert: {that: = n < 9, message: never}", "assert: all(box >= 0)"]
)
def test_what_holds_changes_nothing(step: str, spec: Any) -> None:
    """Elements for which it is true go on as they are, with their type and number, before a batch and behind it."""
    assert numbers(spec(f"{{{step}}}")) == [0, 1, 2, 3, 4]
    assert numbers(spec(f"{{batch: 2}}, {{{step}}}")) == [[0, 1], [2, 3], [4]]
    plan = safedata.check(spec(f"{{{step}}}")).plan
    assert plan is not None
    assert plan.result.cardinality.count == 5
    assert plan.result.cardinality.kind == "exactly"


@pytest.mark.tf
@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("assert: n < 3", "assert: n < 3 does not hold, in .*rows.jsonl line 4"),
        ("assert: {that: n < 3, message: too large}", "assert: too large, in .*rows.jsonl line 4"),
        (
            "assert: {that: 'box[1] < 6', message: 'a \"box\" [too] wide'}",
            "assert: a box too wide, in .*line 4",
        ),
    ],
)
def test_what_does_not_hold_ends_the_run_with_its_place(step: str, said: str, spec: Any) -> None:
    """The first element for which it is false is named, with the message or the expression."""
    with pytest.raises(DataError, match=said) as caught:
        safedata.build(spec(f"{{{step}}}"))
    assert [one.code for one in caught.value.problems] == ["SD404"]
    with pytest.raises(DataError, match=r"a batch that starts with .*line 3"):
        safedata.build(spec("{batch: 2}, {assert: n < 3}"))


@pytest.mark.tf
def test_it_holds_though_nothing_reads_what_it_looked_at(spec: Any) -> None:
    """The component that it reads need not leave."""
    with pytest.raises(DataError, match="does not hold"):
        safedata.build(spec("{assert: 'box[0] < 3'}, {select: name}"))


@pytest.mark.tf
def test_elements_are_left_out_where_bad_ones_are(spec: Any, tmp_path: Path) -> None:
    """Under `on_error: skip` those for which it is false are left out and listed; behind `batch` whole batches."""
    path = spec("{assert: n != 1}, {assert: n != 3}", SKIP)
    assert numbers(path) == [0, 2, 4]
    assert str(safedata.check(path).plan.result.cardinality) == "at most 5"  # type: ignore[union-attr]  # it fits
    assert numbers(spec("{batch: 2}, {assert: n != 1}", SKIP)) == [[2, 3], [4]]
    report = tmp_path / "bad.jsonl"
    safedata.build(spec("{assert: n != 1}", f"{{quarantine: {{max: 9, report: {report.name}}}}}"))
    [line] = [json.loads(one) for one in report.read_text().splitlines()]
    assert (line["line"], line["step"], line["spec_line"], line["operation"]) == (2, "assert", 3, "assert")
    assert "n != 1 does not hold" in line["reason"]


ARTIFACT = "artifacts: {known: {path: known.txt, analyze: {vocabulary: {of: name}}}}\n"


def test_an_artifact_can_be_named(spec: Any) -> None:
    """One that is missing is told of, as anywhere."""
    path = spec("{take: 3}, {assert: name in known}")
    path.write_text(path.read_text() + ARTIFACT)
    assert [one.code for one in safedata.check(path).problems] == ["SD421"]


@pytest.mark.tf
@pytest.mark.slow
def test_an_artifact_is_taken_before_it(spec: Any) -> None:
    """`analyze` takes the artifact before the step, and a change of what stands before it makes it stale."""
    path = spec("{take: 3}, {assert: name in known}")
    path.write_text(path.read_text() + ARTIFACT)
    safedata.analyze(path)
    assert numbers(path) == [0, 1, 2]
    path.write_text(path.read_text().replace("take: 3", "take: 4"))
    assert [one.code for one in safedata.check(path).problems] == ["SD422"]


@pytest.mark.parametrize(
    ("steps", "code", "at", "message", "way_out"),
    [
        (["assert: value"], "SD208", ("that",), "takes one bool", "compare it"),
        (["assert: image > 0"], "SD208", ("that",), "takes one bool", "join its values with `all`"),
        (["assert: other > 0"], "SD201", ("that",), "no component `other`", "components"),
        (
            ["select: value", "batch: 2", "assert: image[0, 0] > 0"],
            "SD201",
            ("that",),
            "no component",
            "value",
        ),
    ],
)
def test_refused(
    steps: list[str], code: str, at: tuple[str, ...], message: str, way_out: str, faults: Any
) -> None:
    """What gives no bool, or names no component, is refused."""
    [fault] = faults(*steps)
    assert (fault.code, fault.at) == (code, at)
    assert message in fault.message
    assert way_out in (fault.help or "")


def test_an_expression_that_cannot_be_read(spec: Any) -> None:
    """It is one problem, at the piece that is wrong, in the short form and in the long one."""
    for step in ("assert: n <", "assert: {that: n <}"):
        [problem] = safedata.check(spec(f"{{{step}}}")).problems
        assert problem.code == "SD120"
        assert problem.span is not None
        assert problem.span.line == 3


def test_bytes_are_those_of_the_element_and_the_expression(infer: Any, read: Any, scope: Any) -> None:
    """A call holds the element, intermediates and one bool for each row."""
    before = infer("select: image", "batch: 4")
    stage = read("assert: all(image * 2 < 3)")
    held = stage.call_bytes(before, before, scope)
    assert held >= before.bytes + 4 * (4 * 4 * 3 + 1)
    assert held < 4 * before.bytes
