"""How mistakes are looked for, accepted and counted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import safedata
from safedata import mistakes, registry
from safedata.__main__ import main
from safedata.problem import CODES, SpecError
from tests.mistakes.specs import ROOT, accepted, codes, images, spec

FROZEN = (
    "map: {image: [random_flip_left_right]}",
    "cache: memory",
    "shuffle: all",
    "batch: 10",
    "prefetch: 2",
)
MIXED = ("repeat", "shuffle: 50", "batch: 10", "prefetch: 2")
FOLDER = Path(mistakes.__file__).parent


def test_every_module_is_a_rule_with_a_code_of_its_own() -> None:
    """Each module of the folder stands in the table, and each code of a mistake has one."""
    modules = {one.stem for one in FOLDER.glob("*.py") if one.stem[0] != "_" and one.stem != "base"}
    assert modules == set(mistakes.RULES)
    made = {mistakes._load(name).code: name for name in modules}
    assert sorted(made) == sorted(code for code in CODES if code.startswith("SD6"))
    assert len(made) == len(modules)


def test_the_table_names_stages_that_can_exist() -> None:
    """The words of the table are stages, of this version or a later one, or its other words."""
    from safedata.reader import LATER

    known = {
        *registry.names("stages"),
        *LATER,
        "random",
        "deep",
        "evaluation",
        "inputs",
        "reordered",
        "seeded",
        "scaled",
        "unmixed",
        "turned",
        "whole",
    }
    words = {
        word.lstrip("!") for order in mistakes.RULES.values() for one in order for word in one.split("|")
    }
    assert words <= known


def test_an_accepted_mistake_is_not_reported() -> None:
    """`runtime.accept` takes a code away, and no other one."""
    assert codes(*FROZEN) == ["SD601"]
    assert codes(*FROZEN, top=accepted("SD601")) == []
    assert codes(*FROZEN, top=accepted("SD602")) == ["SD601"]


@pytest.mark.parametrize("code", ["SD301", "SD699", "sd601", "7", "SD6"])
def test_only_mistakes_can_be_accepted(code: str) -> None:
    """A budget, a type or a code that does not exist cannot be accepted, and the problem points at it."""
    verdict = safedata.check(spec(*FROZEN, top=accepted(code)))
    [problem] = verdict.problems
    assert (problem.code, problem.severity) == ("SD105", "error")
    assert "is not the code of a mistake, which starts with SD6" in f"{problem.message} {problem.notes}"
    assert problem.span is not None
    assert problem.span.line == 2


def test_an_error_keeps_a_spec_from_loading() -> None:
    """A mistake that makes the result wrong raises `SpecError`; a warning does not."""
    with pytest.raises(SpecError, match="keeps what `random_flip_left_right` drew"):
        safedata.load(spec(*FROZEN))
    verdict = safedata.check(spec(*MIXED))
    assert verdict.fits
    assert [one.code for one in verdict.problems] == ["SD608"]


def test_mistakes_come_with_other_problems() -> None:
    """A value range that does not fit and a mistake are told at once."""
    text = spec("map: {image: [{one_hot: 3}]}", *MIXED)
    assert {"SD205", "SD608"} <= {one.code for one in safedata.check(text).problems}


def test_a_spec_over_its_budget_still_gets_numbers_that_fit() -> None:
    """A mistake is no reason that a smaller number would not fit."""
    steps = ("shuffle: 4000", "skip: 50", "batch: 32", "prefetch: 2")
    verdict = safedata.check(spec(*steps, source=images(5000)), host="1GiB")
    over = {one.code: one for one in verdict.problems}
    assert set(over) == {"SD301", "SD606"}
    assert "fits" in (over["SD301"].help or "")


@pytest.mark.parametrize("flags", [[], ["--quiet"], ["--format", "json"]])
def test_strict_makes_warnings_count(
    flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With `--strict` a warning gives status 1 and is shown, and a spec without one still gives 0."""
    path = tmp_path / "spec.yaml"
    path.write_text(spec(*MIXED))
    assert main(["check", str(path), *flags]) == 0
    capsys.readouterr()
    assert main(["check", str(path), "--strict", *flags]) == 1
    captured = capsys.readouterr()
    assert "SD608" in captured.out + captured.err
    path.write_text(spec(*MIXED, top=accepted("SD608")))
    assert main(["check", str(path), "--strict", *flags]) == 0


@pytest.mark.parametrize("path", sorted((ROOT / "specs").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_specs_make_no_mistake(path: Path) -> None:
    """What is shown as an example is an example to follow."""
    found = [one for one in safedata.check(path, host="64GiB").problems if one.code.startswith("SD6")]
    assert not found


@pytest.mark.parametrize("package", ["stages", "ops", "sources"])
def test_the_examples_of_the_vocabulary_make_no_mistake(package: str) -> None:
    """A step as its reference page shows it, alone over made-up elements, is no mistake."""
    for name in registry.names(package):
        if package == "stages":
            assert not _mistakes(f"- {registry.stage(name).example}")
        elif package == "ops":
            assert not _mistakes(f"- map: {{image: [{registry.op(name).example}]}}")
        else:
            text = f"safedata: 1\nsource: {{{registry.source(name).example}}}\n"
            assert not [one for one in safedata.check(text).problems if one.code.startswith("SD6")]


def _mistakes(step: str) -> list[str]:
    yaml.safe_load(step)
    text = spec(step.removeprefix("- "))
    return [one.code for one in safedata.check(text).problems if one.code.startswith("SD6")]


def test_a_spec_without_a_cause_loads_no_rule() -> None:
    """A check imports only the rules whose stages stand in the spec in their order."""
    code = f"""
import sys, safedata
safedata.check({spec("batch: 10", "prefetch: 2")!r})
assert not [one for one in sys.modules if one.startswith("safedata.mistakes.")]
safedata.check({spec(*MIXED)!r})
loaded = [one for one in sys.modules if one.startswith("safedata.mistakes.")]
assert sorted(loaded) == ["safedata.mistakes." + one for one in ("base", "mixed_epochs", "tiny_buffer")], loaded
assert "tensorflow" not in sys.modules and "numpy" not in sys.modules
"""
    subprocess.run(
        [sys.executable, "-c", code], check=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
