"""Rewrites: each makes a plan's steps smaller or faster without changing one element."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from safedata.rewrite import drop_unused, finish_late, fuse_reading
from safedata.rewrite.entry import Entry


def apply(entries: Sequence[Entry], after: frozenset[str] = frozenset()) -> tuple[list[Entry], list[str]]:
    """Return the entries after every rewrite, and a sentence for each that changed something.

    Args:
        entries: the steps behind one source.
        after: the components that must leave the last of them; none behind the output's structure.
    """
    notes: list[str] = []
    for rule in (finish_late.rewrite, partial(drop_unused.rewrite, after=after), fuse_reading.rewrite):
        entries, note = rule(list(entries))
        notes += [note] if note else []
    return list(entries), notes
