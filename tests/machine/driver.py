"""A driver of NVIDIA's that the tests make: a library with NVML's interface, which tells of GPUs that are not there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
needed = pytest.mark.skipif(
    sys.platform != "linux" or COMPILER is None,
    reason="the driver library is compiled here, for Linux: without a C compiler there is none to ask",
)


def make(folder: Path) -> Path:
    """Compile the library into a folder, and return the folder."""
    source = Path(__file__).with_name("fake_nvml.c")
    target = folder / "libnvidia-ml.so.1"
    subprocess.run([str(COMPILER), "-Wall", "-Werror", "-shared", "-fPIC", "-o", target, source], check=True)
    return folder


def environment(library: Path, mode: str) -> dict[str, str]:
    """Return the environment of a process that asks this driver, in one of its modes."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CUDA_", "TF_"))}
    paths = os.pathsep.join(one for one in sys.path if one)
    return kept | {
        "LD_LIBRARY_PATH": str(library),
        "FAKE_NVML": mode,
        "FAKE_NVML_LOG": str(library / "sessions"),
        "PYTHONPATH": paths,
    }
