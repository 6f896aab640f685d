from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from safedata.machine import gpus, host, read
from safedata.machine.limits import Gpu, GpuReport


def test_gpus_are_looked_for_only_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NVML is started only if asked; what it said is in the machine."""
    monkeypatch.setattr(gpus, "read_gpus", lambda: GpuReport((Gpu(0, "A100"),), "GPU 1 is lost", ("a note",)))
    without = read.read_machine(disk_path=str(tmp_path), gpus=False)
    assert without.free("gpu:0").notes == ("this machine shows 0 GPUs, no gpu:0: GPUs were not looked for",)
    machine = read.read_machine(disk_path=str(tmp_path), gpus=True)
    assert machine.gpu(0) == Gpu(0, "A100")
    assert machine.free("gpu:1").notes == ("this machine shows 1 GPU, no gpu:1: GPU 1 is lost", "a note")
    assert machine.host.bytes
    assert machine.disk.bytes is not None
    assert machine.cpus.usable


def test_importing_is_light() -> None:
    """Importing the package imports neither pynvml nor TensorFlow, NumPy or importlib.metadata."""
    code = "import sys, safedata.machine; print(*sorted(sys.modules))"
    path = str(Path(host.__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert host.__name__ in loaded
    assert not loaded & {
        "pynvml",
        "ctypes",
        "safedata.machine.gpus",
        "tensorflow",
        "numpy",
        "importlib.metadata",
        "asyncio",
    }
