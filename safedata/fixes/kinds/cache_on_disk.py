"""A cache kept on disk instead of in memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import Final

from safedata.change import SetField
from safedata.fixes.case import SLOWER, Case, Proposal
from safedata.stages.cache import Cache

_FOLDER: Final = "cache"
"""Beside the spec."""
_COST: Final = "`build` or the first run writes it, and each element is read from there in every epoch"


def propose(case: Case) -> Iterator[Proposal]:
    """Yield each cache in memory, the largest first, to be kept in a folder beside the spec."""
    held = case.held
    steps = case.program.steps
    caches = [
        number
        for number, step in enumerate(steps)
        if isinstance(step.stage, Cache) and not step.stage.on_disk and step.path in held
    ]
    for number in sorted(caches, key=lambda one: -held[steps[one].path]):
        path = _path(case, number, len(caches))
        change = SetField(number, "path", path)
        text = f"keep the `cache` {case.where(number)} on disk, as `{{path: {path}}}`"
        yield Proposal((change,), text, _COST, SLOWER)


def _path(case: Case, number: int, caches: int) -> str:
    """Return a folder beside the spec with the spec's name in it."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", PurePath(case.verdict.spec).stem).strip("-") or "spec"
    return f"{_FOLDER}/{name}" if caches == 1 else f"{_FOLDER}/{name}-{number}"
