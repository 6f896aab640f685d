"""Specs that need no data, and the command line run in this process or a new one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from safedata.__main__ import main

ROOT = Path(__file__).parent.parent.parent

COUNTING = """\
safedata: 1
name: counting
params: {size: 32}
source: {range: 1000}
steps:
  - shuffle: {buffer: 100, seed: 7}
  - batch: "${size}"
  - prefetch: 2
targets:
  small: {host: 4GiB, cpus: 4}
  tiny: {host: 683.88MiB, cpus: 4}
"""


class Ran(NamedTuple):
    """What a command came to."""

    status: int
    out: str
    err: str


Command = Callable[..., Ran]


@pytest.fixture
def counting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A spec of a thousand numbers, with the machine `small` to check against, in the current folder."""
    monkeypatch.chdir(tmp_path)
    path = Path("counting.yaml")
    path.write_text(COUNTING, encoding="utf-8")
    return path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command line in this process."""

    def command(*argv: object) -> Ran:
        capsys.readouterr()
        status = main([str(arg) for arg in argv])
        captured = capsys.readouterr()
        return Ran(status, captured.out, captured.err)

    return command


@pytest.fixture
def fresh(tmp_path: Path) -> Command:
    """Run Python code in a process of its own, in the test's folder."""

    def command(code: str) -> Ran:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        return Ran(done.returncode, done.stdout, done.stderr)

    return command
