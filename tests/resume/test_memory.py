"""That going on in the middle of an epoch takes no more memory than the check says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from safedata.machine import calibration

pytestmark = [pytest.mark.tf, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
CASES = {
    "a shuffle that is filled again": """
safedata: 1
source: {synthetic: {components: {x: "float32[64, 64, 3]"}, count: 3000}}
steps:
  - shuffle: 1500
  - map: {x: = x * 2.0}
  - batch: 32
  - prefetch: 2
""",
    "a memory cache in its second epoch, repeated": """
safedata: 1
source: {synthetic: {components: {x: "uint8[64, 64, 3]"}, count: 4000}}
steps:
  - cache: memory
  - shuffle: 1000
  - map: {x: [{cast: float32}]}
  - batch: 50
  - repeat: 2
""",
}
CHILD = """
import json, os, sys
import safedata
from safedata.compile import compile_plan
from safedata.machine import resident
from safedata.resume.iteration import Iteration
verdict = safedata.check(sys.stdin.read(), host="64GiB")
iteration = Iteration(verdict.plan, lambda: compile_plan(verdict.plan), json.loads(sys.argv[1]))
for _ in range(2):
    for element in iteration:
        del element
holds = [line.hold.bytes for line in verdict.lines]
print(json.dumps({"estimate": sum(holds), "measured": resident().peak}), flush=True)
os._exit(0)
"""


def child(text: str, state: Any) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-c", CHILD, json.dumps(state)],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("name", CASES)
def test_going_on_keeps_to_the_bound(name: str) -> None:
    """What is left of an epoch and the whole next one stay below the estimate; without a state too."""
    import safedata

    calibration.calibrate()
    with safedata.open(CASES[name], host="64GiB", report=lambda _: None) as pipeline:
        state = {**pipeline.iterate().state(), "epoch": 1, "elements": 60}
    for one in (None, state):
        found = child(CASES[name], one)
        assert found["measured"] <= found["estimate"], (one, found)
        assert found["estimate"] <= 2 * found["measured"], (one, found)
