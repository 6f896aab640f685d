"""Specs with a cache on disk for tests, and what came of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

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
