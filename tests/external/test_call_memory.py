"""What functions of Python's hold, measured in processes of their own beside the estimate."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from safedata.machine import calibration
from safedata.memory import MIB
from tests.external.functions import feed, spec, step
from tests.proc import ONLY_LINUX

CHILD = """
import json, os, sys
import safedata
from safedata.compile import compile_plan
from safedata.machine import resident
verdict = safedata.check(sys.stdin.read(), allow=["mine"], host="64GiB")
assert verdict.fits, verdict.problems
data = compile_plan(verdict.plan).dataset
for _ in range(2):
    for element in data:
        del element
peak = resident().peak
holds = [line.hold.bytes for line in verdict.lines]
print(json.dumps({"tensorflow": holds[0], "estimate": sum(holds), "measured": peak}), flush=True)
os._exit(0)
"""
IMAGES = 'x: "float32[1024, 1024]"'
SEVERAL = step("big", IMAGES, ", cardinality: {many: 8}").replace("1KiB", "4MiB")
BATCHED = (
    'map: {value: [{call: "mine.feeds:big_batch", returns: {value: "float32[1024, 1024]"}, workspace: 0 B}]}'
)
CASES = {
    "several of one": (spec("range: 10", SEVERAL), 32),
    "several of one, two calls": (spec("range: 10", f"{SEVERAL}\n    parallel: 2"), 64),
    "a batch": (spec("range: 64", "batch: 8", BATCHED), 32),
    "a source": (spec(feed("big_rows", 'x: "float32[1024, 1024, 8]"', "10", "workspace: 0 B")), 32),
}


@pytest.mark.slow
@pytest.mark.tf
@ONLY_LINUX
@pytest.mark.parametrize("name", CASES)
def test_the_peak_is_below_the_estimate(
    name: str, mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that runs a function takes no more than was estimated, and no less than what the function makes."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    calibration.calibrate()
    text, made = CASES[name]
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", CHILD],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([root, str(mine.parent)]),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        },
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["measured"] <= found["estimate"]
    assert found["measured"] - found["tensorflow"] >= made * MIB
