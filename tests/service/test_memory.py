"""What a trainer and the workers of a service hold, beside the verdict on each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from safedata.machine import calibration
from tests.proc import ONLY_LINUX
from tests.serving import ROOT, Cluster

pytestmark = [pytest.mark.slow, ONLY_LINUX]

CHILD = """
import json, os, sys, time
import safedata
from safedata.machine import resident
text = sys.stdin.read()
verdict = safedata.check(text, host="64GiB")
assert verdict.fits, verdict.problems
for number, element in enumerate(safedata.load(text, host="64GiB")):
    del element
    if number % 7 == 0:
        time.sleep(0.02)
first = {}
for line in verdict.lines:
    first.setdefault(line.hold.place, line.hold.bytes)
bounds = {place: verdict.places[place].bytes for place in ("host", "worker")}
print(json.dumps({"peak": resident().peak, "tensorflow": first, "bounds": bounds}), flush=True)
os._exit(0)
"""


def peak(process: int) -> int:
    """Return the largest resident size that a process has had, in bytes."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024


@pytest.mark.parametrize(
    ("side", "parts", "count", "steps"),
    [
        (1024, 1, 800, ""),
        (4096, 1, 100, ""),
        (4096, 1, 100, ", max_outstanding: 2"),
        (8192, 1, 40, ""),
        (4096, 3, 30, ", max_outstanding: 2"),
    ],
)
def test_nobody_holds_more_than_the_verdict(
    mortal: Cluster, side: int, parts: int, count: int, steps: str
) -> None:
    """The peaks of the trainer and of each worker, over TensorFlow's own, stay below what the verdict says of them."""
    calibration.calibrate()
    idle = min(peak(one.process.pid) for one in mortal.workers)
    components = ", ".join(f"x{number}: 'uint8[{side}, {side}]'" for number in range(parts))
    text = (
        f"safedata: 1\nsource: {{synthetic: {{components: {{{components}}}, count: {count}}}}}\n"
        f"steps:\n  - distribute: {{service: '{mortal.address}'{steps}}}\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", CHILD], input=text, capture_output=True, text=True, check=False, timeout=600,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["peak"] <= found["bounds"]["host"]
    # TensorFlow's own bound has slack for other machines, which must not hide what the steps hold.
    own = max(peak(one.process.pid) for one in mortal.workers) - idle
    assert own <= found["bounds"]["worker"] - found["tensorflow"]["worker"]
