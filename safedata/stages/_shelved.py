"""What the stages that keep elements on disk have in common: `cache` with a path, and `snapshot`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from safedata.lowering import EPOCH, INDEX, OK, ROW
from safedata.problem import Fault
from safedata.records import replace
from safedata.scope import Scope
from safedata.stages._elements import batch_shape
from safedata.types import SCALAR_INT64, Stream

if TYPE_CHECKING:
    from safedata.stages._shelve import Shelve
    from safedata.stages.base import Node

Compression = Literal["none", "zlib", "zstd"]
"""How rows on disk are compressed."""
KEYS: Final = frozenset({INDEX, EPOCH, ROW, OK})
"""The internal components, none of which is kept: elements are counted as they are read."""


def refuse_endless(name: str, before: Stream, scope: Scope) -> bool:
    """Return whether elements never end; that a stage is to keep all of them is then reported, as SD209."""
    if before.cardinality.kind != "infinite":
        return False
    problem = f"`{name}` keeps every element, and here they never end"
    scope.fault(Fault("SD209", problem, help=f"move `repeat` behind `{name}`, or put `take` before it"))
    return True


def counted_anew(before: Stream) -> Stream:
    """Return the stream of elements that are read from disk: counted in the order in which they lie there."""
    element = {**before.visible, INDEX: SCALAR_INT64.with_leading(*batch_shape(before))}
    return replace(before, element=element, shared=None, narrow=None)


def shelved(
    stage: Node,
    path: str,
    after: frozenset[str],
    verify: str | None,
    max_bytes: int | None,
    compression: Compression,
    *,
    shared: bool = False,
) -> Shelve:
    """Return the step that keeps components on disk.

    Args:
        stage: what the spec says.
        path: the store's folder.
        after: the components that are needed behind it.
        verify: how the data is seen to be the same; `content` is by the files' bytes.
        max_bytes: what it may keep; None for any number.
        compression: how rows are compressed.
        shared: whether the entry is kept for other jobs too.
    """
    from safedata.stages._shelve import Shelve  # few specs have one

    return Shelve(
        stage,
        path,
        after,
        by_content=verify == "content",
        max_bytes=max_bytes,
        shared=shared,
        codec=None if compression == "none" else compression,
    )
