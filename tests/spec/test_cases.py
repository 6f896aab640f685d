"""Small specs with a fault each, and beside each the exact text that answers it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from safedata.problem import CODES, Problem, SpecError
from safedata.report.text import render_all
from safedata.spec.load import load
from safedata.spec.node import DocumentError
from safedata.spec.output import OUTPUT
from safedata.spec.sections import Budget, Runtime
from safedata.spec.targets import TARGETS, Target
from safedata.spec.validation import problems_of

CASES = Path(__file__).parent / "cases"
SECTIONS: dict[str, tuple[TypeAdapter[Any], tuple[type[BaseModel], ...]]] = {
    "runtime": (TypeAdapter(Runtime), (Runtime,)),
    "budget": (TypeAdapter(Budget), (Budget,)),
    "targets": (TARGETS, (Target,)),
    "output": (OUTPUT, ()),
}


def answer(file: str) -> tuple[list[Problem], str]:
    try:
        found = load(file)
    except DocumentError as error:
        return list(error.problems), render_all(error.problems, error.texts)
    problems = list(found.warnings)
    for name, (adapter, models) in SECTIONS.items():
        if found.document.get((name,)) is None:
            continue
        try:
            adapter.validate_python(found.document.plain((name,)))
        except ValidationError as error:
            problems += problems_of(error, found.document, (name,), models)
    return problems, render_all(problems, found.document.texts)


@pytest.mark.parametrize("case", sorted(CASES.glob("*.yaml")), ids=lambda case: case.stem)
def test_the_answer_to_a_faulty_spec_is_this_text(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A faulty spec is answered with exactly the text that lies beside it."""
    monkeypatch.chdir(CASES)
    problems, text = answer(case.name)
    assert problems
    assert text + "\n" == case.with_suffix(".txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("case", sorted(CASES.glob("*.yaml")), ids=lambda case: case.stem)
def test_every_problem_stands_alone_and_names_a_way_out(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A problem has a known code, a place, a message without a full stop, and one thing to do."""
    monkeypatch.chdir(CASES)
    for problem in answer(case.name)[0]:
        assert problem.code in CODES
        assert problem.span
        assert problem.help
        assert not problem.message.endswith(".")
        assert not problem.message[0].isupper()


def test_all_problems_of_a_document_come_in_one_exception(tmp_path: Path) -> None:
    """Every problem that can be found is in the exception, not the first alone."""
    spec = tmp_path / "a.yaml"
    spec.write_text("safedata: 1\nnam: x\nparams: {a: 1}\nsteps: ['${b}', '${c}']\n")
    with pytest.raises(SpecError, match="SD103") as caught:
        load(spec)
    assert [problem.code for problem in caught.value.problems] == ["SD103", "SD107", "SD107"]
