"""What the tests of `safedata measure` share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from safedata.headers import inspect_images
from safedata.sources.csv import csv
from safedata.sources.files import _images
from safedata.sources.tfrecord import tfrecord
from tests.measure.data import COUNT, SPECS, put


@pytest.fixture(autouse=True)
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Little data is much data, and the user's cache is the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(_images, "MANY_FILES", 4)
    monkeypatch.setattr(inspect_images, "__kwdefaults__", {"most": 4})
    monkeypatch.setattr(csv, "WHOLE", 200)
    monkeypatch.setattr(tfrecord, "PARSED", 4)
    monkeypatch.setattr(tfrecord, "SAMPLED", 2)
    monkeypatch.setattr(tfrecord, "PARSED_BYTES", 1 << 20)


@pytest.fixture(params=SPECS)
def kind(request: pytest.FixtureRequest) -> str:
    """The source."""
    return str(request.param)


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str], Path]:
    """A function that writes a spec of some kind over nine files, and returns the spec."""

    def made(kind: str) -> Path:
        (tmp_path / "data").mkdir()
        for number in range(COUNT):
            put(tmp_path / "data", kind, f"{number}", 20 if number == 3 else 5)
        listed = "".join(f"data/{number}.png\n" for number in range(COUNT))
        (tmp_path / "list.csv").write_text(f"path\n{listed}")
        path = tmp_path / "spec.yaml"
        path.write_text(f"safedata: 1\n{SPECS[kind]}\n")
        return path

    return made
