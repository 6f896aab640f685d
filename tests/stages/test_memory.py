"""What stages hold, measured: never more than the bound, and not much less."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

SCRIPT: Final = Path(__file__).with_name("measure_memory.py")
SLACK: Final = 16 << 20
"""Bytes that are no element: iterators, threads and their stacks, free ends of the allocator's arenas."""
LARGE: Final = {"kind": "bytes", "size": 100_000, "count": 2_200}
CASES: Final[dict[str, dict[str, Any]]] = {
    "shuffle scalars": {"kind": "scalar", "count": 1_000_000, "steps": [["shuffle", {"buffer": 1_000_000}]]},
    "shuffle 100 kB": {**LARGE, "steps": [["shuffle", {"buffer": 2_200}]]},
    "shuffle strings": {
        "kind": "string",
        "size": 100,
        "count": 500_000,
        "steps": [["shuffle", {"buffer": 500_000}]],
    },
    "shuffle ragged": {
        "kind": "ragged",
        "size": 2,
        "count": 400_000,
        "steps": [["shuffle", {"buffer": 400_000}]],
    },
    "shuffle 200 kB, mapped": {
        "kind": "bytes",
        "size": 201_000,
        "count": 1_100,
        "steps": [["shuffle", {"buffer": "all"}]],
    },
    "cache scalars": {"kind": "scalar", "count": 2**20 + 1, "steps": [["cache", {}]]},
    "cache 1 kB": {"kind": "bytes", "size": 1_000, "count": 200_000, "steps": [["cache", {}]]},
    "cache, shuffle": {
        "kind": "bytes",
        "size": 1_000,
        "count": 200_000,
        "steps": [["cache", {}], ["repeat", {"count": 2}], ["shuffle", {"buffer": 200_000}]],
    },
    "batch": {**LARGE, "steps": [["batch", {"size": 1_000}]]},
    "batch scalars": {"kind": "scalar", "count": 2_100_000, "steps": [["batch", {"size": 1_000_000}]]},
    "batch ragged, prefetch": {
        "kind": "ragged",
        "size": 2,
        "count": 500_000,
        "paused": True,
        "steps": [["batch", {"size": 1_000}], ["prefetch", {"buffer": 300}]],
    },
    "padded_batch": {**LARGE, "steps": [["padded_batch", {"size": 1_000, "shapes": {"x": [120_000]}}]]},
    "prefetch": {**LARGE, "paused": True, "steps": [["prefetch", {"buffer": 2_100}]]},
    "prefetch scalars": {
        "kind": "scalar",
        "count": 600_000,
        "paused": True,
        "steps": [["prefetch", {"buffer": 550_000}]],
    },
    "unbatch": {**LARGE, "steps": [["batch", {"size": 1_000}], ["unbatch", {}]]},
    "map, 16 calls": {
        "kind": "bytes",
        "size": 16 << 20,
        "count": 100,
        "parallel": 16,
        "paused": True,
        "steps": [],
    },
}


def measure(case: dict[str, Any]) -> tuple[int, int]:
    """Return the bound and the measured peak of a pipeline that ran in a fresh process."""
    root = str(SCRIPT.parent.parent.parent)
    paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, str(SCRIPT), json.dumps(case)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": paths},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    return found["bound"], found["measured"]


@pytest.mark.slow
@pytest.mark.tf
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak from /proc")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_bound_holds_and_is_tight(case: dict[str, Any]) -> None:
    """What is measured stays below the bound, and the bound below twice what is measured."""
    bound, measured = measure(case)
    assert measured >= 150 << 20, "too small to say anything"
    assert measured <= bound + SLACK
    assert bound <= 2 * measured
