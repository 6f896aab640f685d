"""Rewrites: each makes a plan's steps smaller or faster without changing one element."""

from __future__ import annotations

from collections.abc import Sequence

from safedata.rewrite import drop_unused, finish_late, fuse_reading
from safedata.rewrite.entry import Entry


def apply(entries: Sequence[Entry]) -> tuple[list[Entry], list[str]]:
    """Return the entries after every rewrite, and a sentence for each that changed something."""
    notes: list[str] = []
    for rule in (finish_late.rewrite, drop_unused.rewrite, fuse_reading.rewrite):
        entries, note = rule(list(entries))
        notes += [note] if note else []
    return list(entries), notes
