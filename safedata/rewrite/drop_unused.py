"""Drop components as soon as nothing needs them any more."""

from __future__ import annotations

from safedata.internal.fused import Fused
from safedata.internal.keys import Keep
from safedata.rewrite.entry import Entry
from safedata.stages.base import ElementNode


def rewrite(entries: list[Entry]) -> tuple[list[Entry], str | None]:
    """Let each map hand on only what a later step needs, so that no buffer behind it holds the rest.

    What is needed is worked out from the end: the output's components, and what each step reads.
    """
    wanted: frozenset[str] = frozenset()
    rewritten: list[Entry] = []
    dropped: list[str] = []
    for entry in reversed(entries):
        after = wanted
        wanted = entry.node.requires(after)
        if isinstance(entry.node, ElementNode):
            dropped += [name for name in sorted(wanted - after) if name[:1] != "#"]
            entry = Entry(Fused((entry.node, Keep(after))), entry.path, entry.late)
        rewritten.append(entry)
    rewritten.reverse()
    names = ", ".join(f"`{name}`" for name in dict.fromkeys(reversed(dropped)))
    return rewritten, f"{names} dropped where nothing needs it any more" if names else None
