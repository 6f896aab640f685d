"""Caches on disk of many small elements: the disk that they take, and the memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.proc import ONLY_LINUX

ROOT = Path(__file__).parents[2]
SPEC = "safedata: 1\nsource: {{range: {count}}}\nsteps: [cache: {{path: '{store}'}}, batch: 256]\n"
CHILD = """
import sys, safedata
safedata.build(sys.argv[1])
sums = [int(batch["value"].numpy().sum()) for batch in safedata.load(sys.argv[1])]
with open("/proc/self/status") as status:
    [peak] = [int(line.split()[1]) for line in status if line.startswith("VmHWM")]
print(sum(sums), peak)
"""


def made(folder: Path, count: int) -> tuple[int, int, float]:
    """Write and read so many numbers in a fresh process: return their sum, its peak in KiB, and disk over payload."""
    store = folder / f"store-{count}"
    spec = folder / f"{count}.yaml"
    spec.write_text(SPEC.format(count=count, store=store))
    command = [sys.executable, "-c", CHILD, str(spec)]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    size = sum(file.stat().st_size for file in store.rglob("*") if file.is_file())
    return int(told[-2]), int(told[-1]), size / (8 * count)


@pytest.mark.tf
def test_the_disk_of_small_elements(tmp_path: Path) -> None:
    """On disk 100,000 numbers take hardly more than their bytes, and come back."""
    total, _, disk = made(tmp_path, 100_000)
    assert total == sum(range(100_000))
    assert disk < 1.02


@pytest.mark.tf
@pytest.mark.slow
@ONLY_LINUX
def test_memory_is_flat(tmp_path: Path) -> None:
    """Ten times as many elements take no more memory, neither while they are written nor while they are read."""
    (_, few, _), (total, many, disk) = (made(tmp_path, count) for count in (200_000, 2_000_000))
    assert total == sum(range(2_000_000))
    assert disk < 1.0001
    assert many - few < 16 << 10
