"""Names of components, where the source reads only what is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

import safedata

ROWS = '{"id": "a", "n": 1, "box": [0, 1]}\n{"id": "b", "n": 2, "box": [2, 3]}\n'
COLUMNS = '{id: string, n: int64, box: "float32[2]"}'


def problems(folder: Path, source: str, steps: str) -> list[tuple[str, str, str | None]]:
    """Return the errors of a spec over a small table, each with its code, message and help."""
    (folder / "rows.jsonl").write_text(ROWS)
    path = folder / "spec.yaml"
    path.write_text(f"safedata: 1\nsource: {source}\nsteps: [{steps}]\n")
    found = safedata.check(path).problems
    return [(one.code, one.message, one.help) for one in found if one.severity == "error"]


TABLE = f"{{jsonl: {{path: rows.jsonl, columns: {COLUMNS}}}}}"
PAIR = f"{{zip: {{inputs: {{one: {TABLE}, two: {{range: 2}}}}}}}}"


@pytest.mark.parametrize("source", [TABLE, PAIR])
@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ("{enumerate: n}", "there is a component `n` already, which `enumerate` would replace"),
        ("{batch: {size: 2, pad_last: n}}", "there is a component `n` already, which `pad_last`"),
        ("{padded_batch: {size: 2, pad_last: id}}", "there is a component `id` already"),
        ("{bucket_batch: {length: box, boundaries: [3], size: 2, pad_last: n}}", "there is a component `n`"),
        ("{rename: {id: n}}", "`id` cannot become `n`: another component has that name then"),
        ('{map: {mark: "= n > 1"}}, {enumerate: mark}', "there is a component `mark` already"),
        ("{skip: 1}, {enumerate: n}, {select: n}", "there is a component `n` already"),
    ],
)
def test_a_name_that_must_be_new_is_looked_up_among_all(
    source: str, steps: str, message: str, tmp_path: Path
) -> None:
    """A component is never replaced unsaid, though nothing else needs it and it would not be read."""
    [(code, said, _)] = problems(tmp_path, source, steps)
    assert (code, message in said) == ("SD105", True), said


@pytest.mark.parametrize(
    "steps",
    [
        "{drop: n}, {enumerate: n}",
        "{select: id}, {batch: {size: 2, pad_last: n}}",
        "{rename: {id: n, n: id}}",
    ],
)
def test_a_name_that_is_free_by_then_can_be_taken(steps: str, tmp_path: Path) -> None:
    """What was dropped, or changes its name in the same step, is not in the way."""
    assert problems(tmp_path, TABLE, steps) == []


@pytest.mark.parametrize(
    ("steps", "way_out"),
    [
        ('{skip: 1}, {map: {y: "= foo + 1"}}, {select: y}', "components: `box`, `id`, `n`"),
        ('{skip: 1}, {map: {y: "= bax + 1"}}, {select: y}', "did you mean `box`?"),
        ('{select: "zz*"}', "components: `box`, `id`, `n`"),
        ("{filter: zz > 1}, {select: n}", "components: `box`, `id`, `n`"),
        ('{map: {y: "= n + 1"}}, {drop: [zz, id, n, box]}', "components: `box`, `id`, `n`, `y`"),
    ],
)
def test_the_help_for_an_unknown_name_lists_all_components(steps: str, way_out: str, tmp_path: Path) -> None:
    """An unknown name is compared with every component that the spec has there, needed or not."""
    [(code, _, said)] = problems(tmp_path, TABLE, steps)
    assert (code, said) == ("SD201", way_out)


def test_the_output_is_told_of_all_components(tmp_path: Path) -> None:
    """A name in `output` that is none gets the components that reach the end."""
    [(code, _, said)] = problems(tmp_path, TABLE, "{skip: 1}]\noutput: [zz")
    assert (code, said) == ("SD201", "components: `box`, `id`, `n`")
