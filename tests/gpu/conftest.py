"""The GPU, for the tests that need one."""

from __future__ import annotations

import subprocess
import sys
from functools import cache

import pytest


@cache
def has_gpu() -> bool:
    """Return whether TensorFlow sees a GPU, asked in a process of its own: asking starts it."""
    code = "import tensorflow as tf; print(len(tf.config.list_physical_devices('GPU')))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    return done.stdout.strip() not in ("", "0")


@pytest.fixture
def gpu() -> None:
    """Skip the test where there is no GPU."""
    if not has_gpu():
        pytest.skip(
            "no GPU: the memory that CUDA gives out, and its peak, exist on nothing else; "
            "the same graphs run on a second device in test_crossing.py, and kernels are looked up in test_kernels.py"
        )
