"""Run what finishes the source's elements in the same parallel call as the map behind it."""

from __future__ import annotations

from safedata.internal.fused import Fused
from safedata.rewrite.entry import Entry
from safedata.stages.base import ElementNode


def rewrite(entries: list[Entry]) -> tuple[list[Entry], str | None]:
    """Fuse reading or parsing with the map that follows at once: one hand-over less, no bytes in between."""
    first = next((number for number, entry in enumerate(entries) if entry.late), None)
    if first is None:
        return entries, None
    last = first
    while last < len(entries) and entries[last].late:
        last += 1
    behind = entries[last] if last < len(entries) else None
    if behind is None or not isinstance(behind.node, ElementNode) or behind.path is None:
        return entries, None
    nodes = tuple(_parts(entry) for entry in entries[first : last + 1])
    fused = Fused(tuple(part for parts in nodes for part in parts))
    names = " + ".join(f"`{part.title()}`" for part in fused.parts if part.title())
    rest = [*entries[:first], Entry(fused, behind.path), *entries[last + 1 :]]
    return rest, f"{names} run in one call: what is read is not handed over"


def _parts(entry: Entry) -> tuple[ElementNode, ...]:
    node = entry.node
    if isinstance(node, Fused):
        return node.parts
    return (node,) if isinstance(node, ElementNode) else ()
