"""`safedata analyze` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command

SPEC = """\
safedata: 1
artifacts:
  size: {path: size.json, analyze: {statistics: {of: value, quantiles: 2}}}
  list: {path: list.txt, analyze: {classes: {of: value}, after: start}}
source: {range: 1000}
steps:
  - {name: start, select: value}
  - map: {value: [{cast: float32}, {scale_feature: {artifact: size}}]}
  - batch: 100
  - prefetch: 1
"""


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = Path("spec.yaml")
    path.write_text(SPEC, encoding="utf-8")
    return path


@pytest.mark.tf
def test_analyze(run: Command, spec: Path) -> None:
    """A check points at the command, which makes what is missing, says what it found, and leaves the rest."""
    found = run("check", spec)
    assert found.status == 4
    assert "error[SD421]: the artifact `size` (`size.json`) has not been made" in found.err
    assert "help: run `safedata analyze spec.yaml`" in found.err
    found = run("analyze", spec)
    assert found.status == 0, found.err
    assert "size: statistics size.json was made" in found.out
    assert "quantiles of value: exact" in found.out
    assert "1,000 values kept, out of 1,000 seen; counted exactly" in found.out
    assert run("check", spec).status == 0
    Path("list.txt").unlink()
    found = run("analyze", spec, "--format", "json")
    size, listed = json.loads(found.out)["artifacts"]
    assert (size["fresh"], listed["fresh"], listed["kept"]) == (True, False, 1000)


def test_nothing_to_make(run: Command, spec: Path) -> None:
    """A wrong name is a problem of the spec, shown with its place."""
    found = run("analyze", spec, "sizes")
    assert found.status == 1
    assert "error[SD426]: there is no artifact `sizes` to make" in found.err
    assert "spec.yaml:2" in found.err
    assert "did you mean `size`?" in found.err
