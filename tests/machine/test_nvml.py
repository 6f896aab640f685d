from __future__ import annotations

import builtins
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from safedata.machine.gpus import read_gpus
from safedata.machine.limits import CUDA_CONTEXT
from safedata.memory import GIB, MIB
from tests.machine import driver

CHILD = """
import dataclasses, json
from safedata.machine.gpus import read_gpus
report = read_gpus()
found = report._asdict() | {"gpus": [dataclasses.asdict(gpu) for gpu in report.gpus]}
found["available"] = [gpu.available for gpu in report.gpus]
print(json.dumps(found))
"""
pytestmark = driver.needed


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the fake driver library; return its folder."""
    return driver.make(tmp_path_factory.mktemp("nvml"))


def report(library: Path, mode: str, **environ: str) -> dict[str, Any]:
    """Return what a fresh process reads with the fake driver in one of its modes."""
    log = library / "sessions"
    log.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", CHILD],
        env=driver.environment(library, mode) | environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    # A start of the library is followed by its end, and a failed start by none.
    assert log.exists() == (mode not in ("driver_not_loaded", "no_permission", "mismatch", "strange"))
    assert not log.exists() or log.read_text() == "0"
    return found


def test_two_gpus(library: Path) -> None:
    """Each GPU has its memory, capability, reserve and the processes on it."""
    found = report(library, "two_gpus")
    first, second = found["gpus"]
    assert found["problem"] is None
    assert (first["index"], first["name"], first["uuid"]) == (0, "NVIDIA A100", "GPU-00")
    assert (first["total"], first["free"], first["capability"]) == (40 * GIB, 30 * GIB, [8, 0])
    assert first["processes"] == [
        [4242, "/usr/bin/trainer", 9 * GIB, False],
        [77, None, None, False],
    ]
    assert (found["driver"], found["cuda"], found["nvml"]) == ("550.54.15", "12.4", "12.550.54.15")
    assert found["broken"] is False
    assert found["available"][0] == 30 * GIB - CUDA_CONTEXT - 1536 * MIB
    # Less than 2 GiB is left on the second, so the small reserve holds.
    assert (second["index"], second["reserve"], second["processes"]) == (1, 225 * MIB, [])
    assert "CUDA numbers the fastest first" in found["notes"][0]


def test_the_environment_chooses(library: Path) -> None:
    """Indices are those that TensorFlow gives to the visible GPUs; its own reserve variable is followed."""
    found = report(library, "two_gpus", CUDA_VISIBLE_DEVICES="1,0", TF_DEVICE_MIN_SYS_MEMORY_IN_MB="100")
    assert [(gpu["index"], gpu["uuid"], gpu["reserve"]) for gpu in found["gpus"]] == [
        (0, "GPU-10", 100 * MIB),
        (1, "GPU-00", 100 * MIB),
    ]
    assert "TF_DEVICE_MIN_SYS_MEMORY_IN_MB sets the reserve to 100 MiB" in found["gpus"][0]["notes"]
    assert report(library, "two_gpus", CUDA_VISIBLE_DEVICES="")["gpus"] == []


@pytest.mark.parametrize(
    ("mode", "problem"),
    [
        ("driver_not_loaded", "the NVIDIA driver is not loaded"),
        ("no_permission", "this user may not ask the NVIDIA driver: no permission"),
        (
            "mismatch",
            "the NVIDIA driver and its library libnvidia-ml.so.1 differ in version; a restart loads the same",
        ),
        ("strange", "the NVIDIA driver answers `A strange error`"),
        ("count_fails", "the NVIDIA driver has lost the GPU; a reset or a restart brings it back"),
    ],
)
def test_a_driver_that_fails_is_one_line(library: Path, mode: str, problem: str) -> None:
    """Whatever the driver answers becomes one line of text and no GPU."""
    found = report(library, mode)
    assert (found["gpus"], found["problem"], found["broken"]) == ([], problem, True)


def test_no_gpu_is_no_problem(library: Path) -> None:
    """A driver without a GPU has nothing to complain of."""
    found = report(library, "none")
    assert (found["gpus"], found["problem"], found["notes"], found["broken"]) == ([], None, [], False)


def test_processes_that_draw_count_too(library: Path) -> None:
    """A process that holds memory for drawing is named, and one that does both only once."""
    found = report(library, "drawing")["gpus"][0]["processes"]
    assert [(pid, size) for pid, _, size, _ in found] == [(4242, 9 * GIB), (77, None), (5151, GIB)]


@pytest.mark.parametrize("mode", ["lost", "lost_later"])
def test_a_lost_gpu_leaves_the_others(library: Path, mode: str) -> None:
    """A GPU that fell off the bus is said; the one that answers is still read."""
    found = report(library, mode)
    assert found["problem"] == "GPU 0 cannot be used: the NVIDIA driver answers `GPU is lost`"
    assert [gpu["uuid"] for gpu in found["gpus"]] == ["GPU-10"]


def test_what_the_driver_does_not_tell_is_unknown(library: Path) -> None:
    """Memory and capability that are not told are None, and notes say so."""
    gpu = report(library, "silent")["gpus"][0]
    assert (gpu["total"], gpu["free"], gpu["reserve"], gpu["capability"]) == (None, None, None, None)
    assert "the NVIDIA driver does not tell how much memory is free" in gpu["notes"]
    assert "the compute capability is unknown: the largest reserve is taken" in gpu["notes"]
    assert report(library, "silent")["available"] == [None, None]


def test_a_garbled_name_is_unknown(library: Path) -> None:
    """A name that is no UTF-8 does not hide the GPU."""
    assert [gpu["name"] for gpu in report(library, "garbled")["gpus"]] == [None, None]


def test_mig_shows_one_instance(library: Path) -> None:
    """Of a GPU in MIG mode CUDA shows one instance, with the capability of its GPU."""
    first = report(library, "mig")["gpus"]
    assert [(gpu["uuid"], gpu["total"], gpu["capability"]) for gpu in first] == [("MIG-01", 20 * GIB, [8, 0])]
    second = report(library, "mig", CUDA_VISIBLE_DEVICES="MIG-02")["gpus"]
    assert [(gpu["index"], gpu["uuid"], gpu["free"]) for gpu in second] == [(0, "MIG-02", 19 * GIB)]


def test_mig_without_instances_is_said(library: Path) -> None:
    """A GPU in MIG mode without an instance is a problem, and other GPUs are still read."""
    found = report(library, "mig_empty")
    assert found["problem"] == "GPU 0 is in MIG mode and has no instance that could be used"
    assert [gpu["uuid"] for gpu in found["gpus"]] == ["GPU-10"]


def test_a_file_that_is_no_library(tmp_path: Path) -> None:
    """A driver library that cannot be loaded is told as missing."""
    (tmp_path / "libnvidia-ml.so.1").write_text("not a library")
    done = subprocess.run(
        [sys.executable, "-c", CHILD],
        env={
            **os.environ,
            "LD_LIBRARY_PATH": str(tmp_path),
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert "libnvidia-ml.so.1 is not found" in found["problem"]
    assert found["broken"] is False


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without nvidia-ml-py GPUs cannot be seen, and the problem names the package."""
    real = builtins.__import__

    def refuse(name: str, *rest: Any, **more: Any) -> Any:
        if name == "pynvml":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert read_gpus().problem == "the package nvidia-ml-py is not installed, so GPUs cannot be seen"
