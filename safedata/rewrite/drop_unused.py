"""Drop components as soon as nothing needs them any more."""

from __future__ import annotations

from typing import Final
from weakref import WeakValueDictionary

from safedata.internal.fused import Fused
from safedata.internal.keys import Keep
from safedata.rewrite.entry import Entry
from safedata.stages.base import ElementNode


def rewrite(entries: list[Entry], after: frozenset[str] = frozenset()) -> tuple[list[Entry], str | None]:
    """Let each map hand on only what a later step needs, so that no buffer behind it holds the rest.

    What is needed is worked out from the end: the components in `after`, the output's, and what each step reads.
    """
    wanted = after
    rewritten: list[Entry] = []
    dropped: list[str] = []
    for entry in reversed(entries):
        kept = wanted
        wanted = entry.node.requires(kept)
        if isinstance(entry.node, ElementNode):
            dropped += [name for name in sorted(wanted - kept) if name[:1] != "#"]
            entry = Entry(_kept(entry.node, kept), entry.path, entry.late)
        else:
            entry = entry._replace(node=entry.node.told(kept))
        rewritten.append(entry)
    rewritten.reverse()
    names = ", ".join(f"`{name}`" for name in dict.fromkeys(reversed(dropped)))
    return rewritten, f"{names} dropped where nothing needs it any more" if names else None


def _kept(node: ElementNode, after: frozenset[str]) -> Fused:
    """Return a node that hands on only these components; the one that a plan has already, which knows its types."""
    key = id(node), after
    found = _MADE.get(key)
    if found is None:
        _MADE[key] = found = Fused((node, Keep(after)))
    return found


_MADE: Final[WeakValueDictionary[tuple[int, frozenset[str]], Fused]] = WeakValueDictionary()
"""By the node's identity, which is its own as long as the entry, which keeps the node, is there."""
