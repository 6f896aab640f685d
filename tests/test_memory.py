"""The specs that are shipped, each in a fresh process: the verdict's peak is never under the measured one.

Whole pipelines of every kind are in tests/memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from safedata.memory import MIB, format_size

pytestmark = pytest.mark.tf

SHIPPED = sorted(path.stem for path in (Path(__file__).parent.parent / "specs").glob("*.yaml"))


def build(spec: Path) -> dict[str, Any]:
    """Return the report of `safedata build` in a fresh process."""
    command = [sys.executable, "-m", "safedata", "build", str(spec), "--format", "json", "--quiet"]
    command += ["--manifest", str(spec.with_suffix(".json"))]
    root = str(Path(__file__).parent.parent)
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": root}
    )
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert isinstance(made, dict)
    return made


def hold(report: dict[str, Any], most: float) -> None:
    """Hold the measured peak against the estimate: not above it, and not below its `most`-th part."""
    estimated, measured = (report["report"][f"host_bytes_{which}"] for which in ("estimated", "measured"))
    said = f"estimated {format_size(estimated)}, measured {format_size(measured)}"
    print(said)  # noqa: T201
    assert measured <= estimated, said
    assert estimated <= most * measured + 64 * MIB, said


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_spec_stays_within_its_verdict(name: str, specs: Path, tmp_path: Path) -> None:
    """The whole process, TensorFlow included, peaks at no more than the verdict says."""
    text = (specs / f"{name}.yaml").read_text().replace("data/", f"{specs}/data/")
    path = tmp_path / f"{name}.yaml"
    path.write_text(text)
    hold(build(path), 1.4)
