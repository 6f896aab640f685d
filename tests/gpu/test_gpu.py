"""What only a GPU can show."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.conftest import ROOT

pytestmark = [pytest.mark.gpu, pytest.mark.tf]


@pytest.mark.usefixtures("gpu")
def test_batches_are_made_on_the_gpu_within_the_bound() -> None:
    """Every component lies on the GPU, has the host's values, and the GPU's peak is not over the estimate."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.gpu.on_gpu"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["places"] == ["device:GPU:0"]
    assert found["worst"] < 1e-5
    assert 0 < found["peak"] <= found["bound"]
