"""What a pipeline holds in a process of its own, beside the estimate."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from safedata.machine import calibration

ROOT = Path(__file__).parent.parent
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


def peaks(text: str, *folders: Path) -> dict[str, int]:
    """Return the bytes that are estimated and measured for two epochs of a spec, and those of TensorFlow alone.

    Args:
        text: the spec.
        folders: where the modules are that it may name.
    """
    calibration.calibrate()
    done = subprocess.run(
        [sys.executable, "-c", CHILD],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, (ROOT, *folders))),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        },
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return found


def printed(script: Path) -> list[tuple[int, int, str]]:
    """Run a script that measures in a fresh process; return the bytes used, the bound, and the name of each line."""
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=True, timeout=600
    )
    lines = [line.split(" ", 2) for line in done.stdout.splitlines()]
    return [(int(used), int(bound), text) for used, bound, text in lines]
