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
            "TensorFlow lists no GPU, and this looks at tensors on one; what needs none is tested beside it"
        )
