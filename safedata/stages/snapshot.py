"""`snapshot`: elements materialised in a folder that jobs share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from safedata.fields import Size
from safedata.lowering import Lowering
from safedata.memory import Hold
from safedata.scope import Scope
from safedata.stages._shelved import KEYS, Compression, counted_anew, refuse_endless, shelved
from safedata.stages.base import Node, Stage
from safedata.types import Stream


class Snapshot(Stage):
    """Materialise every element in a folder that jobs share: the first one that needs it writes it, all others read it.

    It is written whole, and appears in one step, before the first element leaves: by `safedata build`, or by the first
    job that loads the spec. A job that comes meanwhile waits, and says for whom. Each change of what stands before it,
    or of the data, is another snapshot beside the first, so a folder may serve many specs, also on a file system that
    several machines have.

    It is the same entry that `cache: {path: ...}` would write, with one difference: it belongs to no one job, so
    `safedata cache gc` leaves it, for whichever spec it tidies up; `safedata cache rm` removes it by its key.
    """

    example: ClassVar[str] = "snapshot: /shared/snapshots"
    main: ClassVar[str | None] = "path"
    freezes: ClassVar[bool] = True

    path: Annotated[str, Field(min_length=1)]
    """The folder that jobs share; what was made of what is told apart in it."""
    verify: Literal["times", "content"] | None = None
    """How the data is seen to be the same: by names, sizes and times of its files, or `content`: by names and bytes,
    so that a copy is the same data, on another machine too. A file is read for it once."""
    compression: Compression = "none"
    """How elements are compressed, as in a `cache` on disk: `zstd` (`pip install 'safedata[zstd]'`), or `zlib`."""
    max_bytes: Size | None = None
    """What it may take of the disk at most."""

    @property
    def on_disk(self) -> bool:
        """Return true."""
        return True

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the same stream, its elements counted anew."""
        refuse_endless("snapshot", before, scope)
        return counted_anew(before)

    def requires(self, after: frozenset[str]) -> frozenset[str]:
        """Return what must come in: elements are counted as they are read, and have no epoch of their own."""
        return after - KEYS

    def told(self, after: frozenset[str]) -> Node:
        """Return the step that keeps these components on disk."""
        return shelved(self, self.path, after, self.verify, self.max_bytes, self.compression, shared=True)

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield what its entry takes of the disk."""
        yield from self.told(frozenset(after.visible)).holds(before, after, scope)

    def lower(self, data: Any, low: Lowering) -> Any:
        """Raise: what runs before it and what runs behind it are two datasets."""
        raise TypeError("a plan is cut at its snapshots before it is lowered")
