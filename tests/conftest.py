"""What every test shares: TensorFlow when it is asked for, a folder of small images, specs as text."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# A shell's background process ignores interrupts, and all that it starts do, too: tests of Ctrl-C would wait in vain.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def tf() -> ModuleType:
    """TensorFlow, imported once for all tests that want it."""
    from safedata.compile import tensorflow

    module: ModuleType = tensorflow()
    return module


@pytest.fixture(scope="session")
def specs() -> Path:
    """The folder of shipped examples."""
    return ROOT / "specs"


@pytest.fixture
def undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process in which no allocator was chosen and TensorFlow has not started."""
    from safedata import allocator

    monkeypatch.setattr(allocator, "_chosen", {})
    monkeypatch.setitem(sys.modules, "tensorflow.python.eager.context", SimpleNamespace(_context=None))
    for name in (allocator.POOL, allocator.LIMIT):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.fixture
def write(tmp_path: Path) -> object:
    """A function that writes a spec's text to a file in the test's folder and returns the path."""

    def write_spec(text: str, name: str = "spec.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write_spec
