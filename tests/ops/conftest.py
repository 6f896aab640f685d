"""Measures what one call of an operation takes, in a process of its own."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from safedata.types import Tensor

HERE = Path(__file__).parent


@pytest.fixture
def peak(tmp_path: Path) -> Callable[[str, Tensor, list[Any]], int]:
    """A function that warms an operation up with one value and returns the bytes that a second one takes."""

    def measure(text: str, x: Tensor, values: list[Any]) -> int:
        given = tmp_path / "given.pickle"
        given.write_bytes(pickle.dumps((text, x, values)))
        done = subprocess.run(
            [sys.executable, str(HERE / "measure_op.py"), str(given)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return int(done.stdout.split()[-1])

    return measure
