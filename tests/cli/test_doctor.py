from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import safedata.diagnosis
from safedata.diagnosis import examine
from safedata.machine import Free
from safedata.problem import Problem

if TYPE_CHECKING:
    from tests.cli.conftest import Command

BROKEN = Problem("SD320", "the NVIDIA driver is not loaded", help="load it")


def replace_findings(monkeypatch: pytest.MonkeyPatch, *problems: Problem) -> None:
    def found(folder: str) -> safedata.diagnosis.Examination:
        return examine(folder)._replace(findings=problems)

    monkeypatch.setattr(safedata.diagnosis, "examine", found)


def test_a_machine_as_text(run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every place has its section, and where nothing is wrong the status is 0."""
    replace_findings(monkeypatch)
    ran = run("doctor", "--cache", tmp_path)
    assert (ran.status, ran.err) == (0, "")
    for title in ("GPUs", "host memory", "CPUs", "malloc", "limits", "disk"):
        assert f"\n  {title}\n" in ran.out
    assert ran.out.endswith("nothing stands in the way of a pipeline\n")


def test_something_that_stops_a_pipeline(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error makes the status 1, a warning leaves it at 0; both are shown with what to do."""
    replace_findings(monkeypatch, BROKEN)
    ran = run("doctor")
    assert ran.status == 1
    assert "error[SD320]: the NVIDIA driver is not loaded" in ran.out
    assert "= help: load it" in ran.out
    replace_findings(monkeypatch, Problem("SD326", "little is free", severity="warning", help="make room"))
    assert run("doctor").status == 0


def test_a_machine_as_json(run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The object has bytes as numbers, and findings as problems have them."""
    replace_findings(monkeypatch, BROKEN)
    ran = run("doctor", "--format", "json", "--cache", tmp_path)
    found = json.loads(ran.out)
    assert (ran.status, found["fine"]) == (1, False)
    assert found["findings"][0]["code"] == "SD320"
    assert found["disk"]["folder"] == str(tmp_path)
    assert isinstance(found["disk"]["free"], int)
    assert {"gpus", "torch", "tensorflow", "host", "cpus", "malloc", "limits"} <= found.keys()


def test_a_folder_without_room(run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that nothing can be written to is named, with the way to another one."""
    from safedata.diagnosis import examine as module_function

    def full(path: str, root: str) -> Free:
        return Free(0, (f"`{path}` is on a read-only file system",))

    monkeypatch.setitem(module_function.__globals__, "disk_free", full)
    ran = run("doctor", "--cache", tmp_path)
    assert ran.status == 1
    assert f"nothing can be written to `{tmp_path}`" in ran.out


@pytest.mark.tf
def test_tensorflow_is_started_on_request(run: Command, tf: object) -> None:
    """`--tensorflow` adds its version and devices."""
    ran = run("doctor", "--tensorflow")
    assert "\n  TensorFlow\n" in ran.out
    assert "devices: CPU:0" in ran.out
