"""`cache`: elements kept, in memory or on disk, so that they are made only once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from safedata.lowering import EPOCH, INDEX, OK, ROW, Lowering
from safedata.memory import HOST, Hold, add, times
from safedata.problem import Fault
from safedata.records import replace
from safedata.scope import Scope
from safedata.stages._elements import batch_shape, slot_bytes
from safedata.stages.base import Node, Stage
from safedata.types import SCALAR_INT64, Stream

_LISTED: Final = 36
"""Bytes of the list of elements for each place in it: 24, and half as many of the one that it grows out of."""


class Cache(Stage):
    """Keep every element when it is first made, and give the same ones in every later epoch.

    What stands before it runs once, so whatever is random there is drawn once. In memory the cache is complete at the
    end of the first epoch, and a shuffle directly behind it shares its tensors.

    With `path` the elements are written to that folder before the first one is used, and read from there by this and
    every later run, until something before the cache changes. Another run with the same steps before it uses
    the same files. A `shuffle: all` behind it needs no buffer.
    """

    example: ClassVar[str] = "cache: memory"
    main: ClassVar[str | None] = "where"
    freezes: ClassVar[bool] = True
    takes: ClassVar[bool] = True

    where: Literal["memory"] = "memory"
    """Where the elements are kept."""
    path: Annotated[str, Field(min_length=1)] | None = None
    """A folder to keep them in instead, for every run."""
    verify: Literal["times", "content"] | None = None
    """How the data is seen to be the same: by names, sizes and times of its files, or `content`: by names and bytes,
    so that a copy is the same data. A file is read for it once, and again when its size or its time changes."""

    @model_validator(mode="after")
    def _on_disk(self) -> Self:
        if self.verify is not None and self.path is None:
            raise ValueError("`verify` is for a cache on disk: give it a `path`, or leave `verify` out")
        return self

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the same stream, its tensors shared with a cache in memory, counted anew behind one on disk."""
        if before.cardinality.kind == "infinite":
            problem = "`cache` keeps every element, and here they never end"
            scope.fault(Fault("SD209", problem, help="move `repeat` behind `cache`, or put `take` before it"))
        if self.path is None:
            return replace(before, shared="memory cache")
        element = {**before.visible, INDEX: SCALAR_INT64.with_leading(*batch_shape(before))}
        return replace(before, element=element, shared=None, narrow=None)

    def requires(self, after: frozenset[str]) -> frozenset[str]:
        """Return what must come in: elements on disk are counted as they are read, and have no epoch of their own."""
        return after if self.path is None else after - {INDEX, EPOCH, ROW, OK}

    def told(self, after: frozenset[str]) -> Node:
        """Return the step that keeps these components on disk; itself for a cache in memory."""
        if self.path is None:
            return self
        from safedata.stages._shelve import Shelve  # few specs have one

        return Shelve(self, self.path, after, by_content=self.verify == "content")

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield every element of an epoch.

        Source: `N (e + O)`, and the list of them while it doubles, `36 M` for the power of two `M` from `N` on
        (memory facts, 3.1, cache). Measured for a million int64: 179 B each.
        """
        count = before.cardinality.most
        what = (
            f"all {count} elements" if count is not None else "all elements, of which the number is not known"
        )
        listed = None if count is None else _LISTED * (1 << max(count - 1, 0).bit_length())
        each = slot_bytes(replace(before, shared=None), scope, settled=True)
        yield Hold(HOST, add(times(count, each), listed), what, before.weakest)

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the dataset with a cache in memory."""
        return data.cache()
