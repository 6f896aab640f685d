"""`cache`: elements kept, in memory or on disk, so that they are made only once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from safedata.cardinality import exactly
from safedata.fields import Size
from safedata.lowering import Lowering
from safedata.memory import HOST, KIB, MIB, Hold, add, format_size, largest
from safedata.problem import Fault
from safedata.records import replace
from safedata.scope import Scope
from safedata.stages._elements import KEPT_BYTES, is_broken, many_bytes, on_average, rests_on
from safedata.stages._shelved import KEYS, Compression, counted_anew, refuse_endless, shelved
from safedata.stages.base import Node, Stage
from safedata.types import Stream

_LISTED: Final = 36
"""Bytes of the list of elements for each place in it: 24, and half as many of the one that it grows out of."""


class Cache(Stage):
    """Keep every element when it is first made, and give the same ones in every later epoch.

    What stands before it runs once, so whatever is random there is drawn once. In memory the cache is complete at the
    end of the first epoch, and a shuffle directly behind it shares its tensors.

    With `path` the elements are written to that folder before the first one is used, and read from there by this and
    every later run, until something before the cache changes. Another run with the same steps before it uses
    the same files. A `shuffle: all` behind it needs no buffer.

    With `max_bytes` a cache that might keep more is an error before anything runs (SD540), by the bound on what it
    keeps: in memory what TensorFlow has beside each element included, on disk every file.
    """

    example: ClassVar[str] = "cache: memory"
    once: ClassVar[bool] = True
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
    compression: Compression = "none"
    """How elements on disk are compressed: `zstd`, which needs `pip install 'safedata[zstd]'`, or `zlib`, which takes
    three to six times as long for about as few bytes. Rows lie in frames of 64 KiB, or of one larger row, and a row
    that is read at random costs its whole frame. The bound on the disk is that of rows that do not shrink."""
    max_bytes: Size | None = None
    """What it may keep at most, in memory or on disk."""

    @model_validator(mode="after")
    def _on_disk(self) -> Self:
        for name in ("verify", "compression"):
            if name in self.model_fields_set and self.path is None:
                raise ValueError(f"`{name}` is for a cache on disk: give it a `path`, or leave `{name}` out")
        return self

    @property
    def on_disk(self) -> bool:
        """Whether it has a path."""
        return self.path is not None

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the same stream, its tensors shared with a cache in memory, counted anew behind one on disk."""
        endless = refuse_endless("cache", before, scope)
        if self.path is not None:
            return counted_anew(before)
        if self.max_bytes is not None and not endless and not is_broken(before):
            within("cache", self.max_bytes, partial(self._kept_either, scope=scope), before, scope)
        return replace(before, shared="memory cache")

    def requires(self, after: frozenset[str]) -> frozenset[str]:
        """Return what must come in: elements on disk are counted as they are read, and have no epoch of their own."""
        return after if self.path is None else after - KEYS

    def told(self, after: frozenset[str]) -> Node:
        """Return the step that keeps these components on disk; itself for a cache in memory."""
        if self.path is None:
            return self
        return shelved(self, self.path, after, self.verify, self.max_bytes, self.compression)

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield every element of an epoch; on disk what its entry takes.

        Source: `N (e + O)`, and the list of them while it doubles, `36 M` for the power of two `M` from `N` on
        (memory facts, 3.1, cache). Measured for a million int64: 179 B each.
        """
        if self.path is not None:
            yield from self.told(frozenset(after.visible)).holds(before, after, scope)
            return
        count = before.cardinality.most
        what = (
            f"all {count} elements" if count is not None else "all elements, of which the number is not known"
        )
        kept, uneven = self._kept(before, scope)
        yield Hold(HOST, kept, f"{what}{on_average(kept, uneven)}", rests_on(before, uneven), uneven=uneven)

    def _kept_either(self, before: Stream, scope: Scope) -> int | None:
        """Return what is kept, wherever tensors come from."""
        return largest(*(self._kept(before, replace(scope, pooled=pooled))[0] for pooled in (False, True)))

    def _kept(self, before: Stream, scope: Scope) -> tuple[int | None, int]:
        count = before.cardinality.most
        listed = None if count is None else _LISTED * (1 << max(count - 1, 0).bit_length())
        kept, uneven = many_bytes(replace(before, shared=None), count, scope, beside=KEPT_BYTES)
        return add(kept, listed), uneven

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the dataset with a cache in memory."""
        return data.cache()


def within(name: str, most: int, kept: Callable[[Stream], int | None], before: Stream, scope: Scope) -> None:
    """Report a cache that is not known to stay within its `max_bytes`.

    Args:
        name: the stage's.
        most: that limit.
        kept: gives the bound on what it keeps of a stream, in bytes; None where nothing bounds that.
        before: what enters it.
        scope: takes the fault: SD304, there is no bound; SD540, it is over the limit.
    """
    size = kept(before)
    if size is None:
        loose = next((one for one, tensor in before.visible.items() if tensor.bytes is None), None)
        problem = (
            f"nothing bounds what `{name}` keeps, so its `max_bytes` of {format_size(most)} cannot be held to"
        )
        way_out = "bound the number of elements before it, with `take`"
        if loose is not None:
            way_out = f"bound `{loose}` before it: `resize`, `truncate`, or `max_bytes` in the source"
        scope.fault(Fault("SD304", problem, ("max_bytes",), help=way_out))
    elif size > most:
        problem = f"`{name}` may keep {format_size(size)}, over its `max_bytes` of {format_size(most)}"
        unit, ending = (MIB, "MiB") if size > MIB else (KIB, "KiB")
        fewer = _fitting(most, kept, before)
        way_out = f"write `max_bytes: {-(-size // unit)}{ending}`"
        way_out += f", or put `take: {fewer}` before it" if fewer else ""
        note = f"what enters is {before.cardinality} of {before}"
        scope.fault(Fault("SD540", problem, ("max_bytes",), help=way_out, notes=(note,)))


def _fitting(most: int, kept: Callable[[Stream], int | None], before: Stream) -> int:
    """Return how many of the elements fit."""
    fits, too_many = 0, before.cardinality.most or 0
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        size = kept(replace(before, cardinality=exactly(middle)))
        fits, too_many = (middle, too_many) if size is not None and size <= most else (fits, middle)
    return fits
