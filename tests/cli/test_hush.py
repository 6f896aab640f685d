"""What TensorFlow's libraries write while they start is kept from a command's output, unless somebody asked for it."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from safedata.cli.hush import start_tensorflow


@pytest.mark.parametrize(("level", "heard"), [(None, False), ("3", False), ("0", True), ("2", True)])
def test_a_start_is_silent_unless_a_level_asks_for_more(
    level: str | None, heard: bool, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without a level, and at the one of silence, what libraries write on stderr before levels count is not seen."""

    started = list[str]()

    def start() -> SimpleNamespace:
        os.write(2, b"I0000 port.cc")
        started.append("by the command, to keep it silent")
        return SimpleNamespace(device=lambda name: nullcontext(), constant=lambda value: value)

    monkeypatch.setattr("safedata.compile.tensorflow", start)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    if level is not None:
        monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", level)
    start_tensorflow(None)
    assert bool(started) is not heard  # it is left to whoever imports it first
    assert capfd.readouterr().err == ""
