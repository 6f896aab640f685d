"""What reports, manifests, schemas and the command line say of code that is not safedata's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import safedata
from safedata import registry
from safedata.__main__ import main
from safedata.manifest import manifest_of
from safedata.report.json import verdict_object
from safedata.report.verdict import render
from tests.external.test_call import ALLOW, CUT, call, spec

SEVERAL = """\
safedata: 1
source:
  mix: {a: {source: {range: 3}, steps: [{map: {value: [%s]}}]}, b: {range: 3}}
"""


def test_the_verdict_says_that_python_runs(mine: Path) -> None:
    """A function of Python's is named as single-threaded and taken on its word, in text and in JSON."""
    verdict = safedata.check(CUT, allow=ALLOW, host="8GiB")
    note = "mine.vision:cut: one call at a time under Python's lock; its types and bytes are declared"
    assert note in render(verdict)
    assert verdict_object(verdict)["python"] == [note]
    plain = safedata.check("safedata: 1\nsource: {range: 3}\n", allow=ALLOW, host="8GiB")
    assert "python" not in render(plain)
    assert "python" not in verdict_object(plain)


def test_the_manifest_has_versions(mine: Path) -> None:
    """A function's declared version, those in a combinator's inputs too, stands in the manifest."""
    entry = call("fails", 'value: "int64[]"', "workspace: 0 B, version: 4")
    expected = [{"name": "mine.vision:fails", "module": "mine.vision", "version": "4", "package": None}]
    for text in (spec(entry), SEVERAL % entry):
        verdict = safedata.check(text, allow=ALLOW, host="8GiB")
        assert verdict.fits, verdict.problems
        assert manifest_of(verdict)["outside"] == expected
    plain = safedata.check("safedata: 1\nsource: {range: 3}\n", host="8GiB")
    assert "outside" not in manifest_of(plain)


@pytest.mark.parametrize(("more", "status"), [([], 1), (["--allow", "mine.vision"], 0)])
def test_the_command_line_allows(
    more: list[str], status: int, mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--allow` is what makes a spec with a call pass `check`."""
    path = tmp_path / "spec.yaml"
    path.write_text(CUT)
    assert main(["check", str(path), "--host", "8GiB", *more]) == status
    shown = capsys.readouterr()
    assert ("SD231" in shown.err) == (status == 1)


def test_a_wrong_module_is_a_wrong_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    """`--allow '*'` is refused before anything is read."""
    assert main(["check", "x.yaml", "--allow", "*"]) == 2
    assert "is not a module's name" in capsys.readouterr().err


def test_schema_and_pages_have_others_operations(
    mine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`schema --allow` and `explain NAME --allow` know an allowed package's operations, and not without leave."""
    from tests.external.test_registered import OPS

    (mine / "ops.py").write_text(OPS)
    info = mine.parent / "mine_ops-2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine-ops\nVersion: 2.0\n")
    (info / "entry_points.txt").write_text("[safedata.ops]\nadd_to = mine.ops:AddTo\n")
    try:
        assert main(["schema", "--allow", "mine"]) == 0
        assert "op.add_to" in json.loads(capsys.readouterr().out)["$defs"]
        assert main(["explain", "add_to", "--allow", "mine"]) == 0
        page = capsys.readouterr().out
        assert "mine.ops.AddTo, of the package mine-ops 2.0, version 3" in page
        assert "What is added." in page
        assert main(["schema"]) == 0
        assert "op.add_to" not in json.loads(capsys.readouterr().out)["$defs"]
    finally:
        registry.registered.pop("add_to", None)


def test_explain_has_our_operations(capsys: pytest.CaptureFixture[str]) -> None:
    """`explain resize` prints its page."""
    assert main(["explain", "resize"]) == 0
    assert "Height and width of the result" in capsys.readouterr().out


def test_the_schema_takes_calls() -> None:
    """What an editor accepts as a call is what `check` reads."""
    from yaml import safe_load

    from safedata.schema import schema

    validator = pytest.importorskip("jsonschema").Draft202012Validator(schema())
    assert validator.is_valid(safe_load(CUT))
    assert not validator.is_valid(safe_load(CUT.replace("workspace", "wrokspace")))
