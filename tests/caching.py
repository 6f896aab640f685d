"""Specs with a cache on disk for tests, and what came of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import safedata
from safedata.memory import DISK
from safedata.store import writer as writing

ROOT = Path(__file__).parent.parent
Write = Callable[..., Path]

COUNTED = """
safedata: 1
source: {range: 1000}
steps:
  - shuffle: {buffer: 100, seed: 3}
  - map: {y: "= value * 2.5", m: "= value % 2 == 0"}
  - cache: {path: store}
BEHIND
"""


def spec(*behind: str, text: str = COUNTED) -> str:
    """Return a spec with steps behind its cache."""
    return text.replace("BEHIND", "".join(f"  - {step}\n" for step in behind))


def column(dataset: Any, name: str) -> list[Any]:
    """Return a component of all elements, batches one after the other."""
    parts = [np.atleast_1d(element[name].numpy()) for element in dataset]
    found: list[Any] = np.concatenate(parts).tolist()
    return found


def entries(store: Path) -> list[Path]:
    """Return what lies in a store."""
    return sorted(store.iterdir()) if store.exists() else []


class OnDisk(NamedTuple):
    """The bytes of an entry: those counted for its rows and its manifest, and those that its files have."""

    rows: int
    manifest: int
    rows_used: int
    manifest_used: int


def written(path: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> OnDisk:
    """Write the cache of a spec in many small blocks, and return what it was counted and what it takes."""
    monkeypatch.setattr(writing, "BLOCK_BYTES", 64)
    monkeypatch.setattr("safedata.stages._shelve.BLOCK_BYTES", 64)
    rows, manifest = (line.hold.bytes for line in safedata.check(path).lines if line.hold.place == DISK)
    assert rows is not None
    assert manifest is not None
    safedata.load(path)
    [entry] = entries(store)
    sizes = {file.name: file.stat().st_size for file in entry.iterdir()}
    listed = sizes.pop("manifest.json")
    return OnDisk(rows, manifest, sum(sizes.values()), listed)
