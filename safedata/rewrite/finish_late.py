"""Read files and parse records behind the shuffles that follow the source."""

from __future__ import annotations

from safedata.internal.keys import Epoch, Identify, Readable
from safedata.rewrite.entry import Entry


def rewrite(entries: list[Entry]) -> tuple[list[Entry], str | None]:
    """Move what finishes the source's elements behind the steps that only reorder or leave out.

    A shuffle then holds paths in place of files, and no file is read that `take` or `shard` leaves out.
    The elements and their order stay the same: these steps do not look at what they pass on.
    """
    late = [entry for entry in entries if entry.late]
    others = [entry for entry in entries if not entry.late]
    if not late:
        return entries, None
    at = 0
    moved: list[str] = []
    while at < len(others) and _passes(others[at]):
        moved += [f"`{others[at].node.title()}`"] if others[at].path else []
        at += 1
    rearranged = [*others[:at], *late, *others[at:]]
    if not moved:
        return rearranged, None
    what = " and ".join(f"`{entry.node.title()}`" for entry in late)
    return rearranged, f"{what} moved behind {', '.join(moved)}: these then hold no file contents"


def _passes(entry: Entry) -> bool:
    return entry.node.unseeing or isinstance(entry.node, (Identify, Epoch, Readable))
