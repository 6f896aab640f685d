"""Whole pipelines in fresh processes: the verdict's peak is never under the measured one, nor far above it."""

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
LARGE = {
    "shuffled float images": """
source: {synthetic: {components: {image: "uint8[224, 224, 3]"}, count: 1500}}
steps:
  - map: {image: [{cast: float32}]}
  - shuffle: 500
  - batch: 32
  - prefetch: 2
""",
    "cached uint8 images": """
source: {synthetic: {components: {image: "uint8[64, 64, 3]", label: "int64[]"}, count: 20000}}
steps:
  - cache: memory
  - shuffle: 5000
  - batch: 128
  - map: {image: [{cast: float32}]}
  - prefetch: 2
""",
    "small scalars": """
source: {range: 1000000}
steps:
  - shuffle: 500000
  - batch: 1000
  - prefetch: 10
""",
    "large elements": """
source: {synthetic: {components: {x: "float32[1024, 1024]"}, count: 120}}
steps:
  - map: {x: [{cast: float64}]}
    parallel: 4
  - batch: 8
  - prefetch: 2
""",
    "strings": """
source: {synthetic: {components: {text: "string[<=1000B]"}, count: 200000}}
steps:
  - shuffle: 100000
  - batch: 256
  - prefetch: 4
""",
}


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


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_a_large_pipeline_stays_within_its_verdict(name: str, tmp_path: Path) -> None:
    """Hundreds of megabytes in buffers: never under, and at most twice the measured peak."""
    path = tmp_path / "spec.yaml"
    path.write_text("safedata: 1\n" + LARGE[name])
    hold(build(path), 2.0)
