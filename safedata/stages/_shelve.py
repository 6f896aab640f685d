"""Elements on their way to disk: the step that stands for a cache there, and the one that hands rows to its writer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Final

from safedata.lowering import Lowering
from safedata.memory import DISK, HOST, KIB, MIB, Hold, add, largest, times, weakest
from safedata.problem import Fault
from safedata.scope import Scope
from safedata.stages._elements import batched, is_broken, largest_of, slot_bytes
from safedata.stages._packed import packed
from safedata.stages.base import Node
from safedata.stages.batch import Batch
from safedata.stages.cache import within
from safedata.store.codec import CODECS, PACKING_BYTES, missing
from safedata.store.entry import Column, Frames, storable
from safedata.store.frames import FRAME_BESIDE, FRAME_BYTES, frame_bytes
from safedata.store.writer import BLOCK_BYTES
from safedata.types import Stream, Tensor, element_bytes

CHUNK_BYTES: Final = MIB
"""About the bytes of rows that are written, or read, in one go."""
CHUNK_ROWS: Final = 4096
"""The most rows of one chunk: each is an element of its own, with its objects, before it is written."""
_LISTED: Final = 64 * KIB
"""Bound on what an entry's manifest says of where the rows are from."""
_BLOCK_TEXT: Final = 192
"""Bound on the bytes of one block's line in the journal and its piece of the manifest, without the checksums."""
_SUM_TEXT: Final = 64
"""The same for one checksum, or one size, in both."""
_TEXT_OBJECT: Final = 128
"""What a text takes in Python beside its bytes: 33 of the object, its block's rounding, where it ends, and three
references to it."""


class Shelve(Node):
    """Keep the components that are needed behind it in an entry of a store; what runs before it ends here."""

    shelves: ClassVar[bool] = True
    once: ClassVar[bool] = True

    def __init__(
        self,
        stage: Node,
        path: str,
        names: frozenset[str],
        *,
        by_content: bool = False,
        max_bytes: int | None = None,
        shared: bool = False,
        codec: str | None = None,
    ) -> None:
        self.stage = stage
        self.path = path
        """The store's folder, as the spec says it."""
        self.names = names
        self.by_content = by_content
        """Whether its key has the bytes of the data's files in it, and not their times."""
        self.max_bytes = max_bytes
        """What the spec lets it keep."""
        self.shared = shared
        """Whether its entry is for other jobs too: a snapshot."""
        self.codec = codec
        """What its rows are compressed with, None where they are not."""

    def title(self) -> str:
        """Return the stage's name."""
        return self.stage.title()

    def requires(self, after: frozenset[str]) -> frozenset[str]:
        """Return what must come in, whichever part of it is needed behind."""
        return self.stage.requires(after)

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the stream of what is kept, its elements counted in the order in which they are."""
        after = self.stage.infer(before, scope)
        visible = after.visible
        kept = self.names if visible.keys() & self.names else self.names | visible.keys()
        after = after.with_element({name: one for name, one in after.element.items() if name in kept})
        for name, tensor in after.visible.items():
            if not tensor.broken and not _fits(tensor, after.batch_dims):
                scope.fault(_unfit(name, tensor, "a snapshot" if self.shared else "a cache on disk"))
        if self.codec is not None and (package := missing(self.codec)) is not None:
            scope.fault(_uninstalled(self.codec, package))
        if self.max_bytes is not None and not is_broken(after):
            within(self.title(), self.max_bytes, lambda one: self._kept(one, after, scope), before, scope)
        return after

    def _kept(self, before: Stream, after: Stream, scope: Scope) -> int | None:
        return add(*(hold.bytes for hold in self.holds(before, after, scope)))

    def columns(self, after: Stream) -> tuple[Column, ...]:
        """Return the columns of the entry, in the order of their names."""
        return tuple(
            Column(name, tensor.dtype, tuple(dim.most or 0 for dim in tensor.shape))
            for name, tensor in sorted(packed(after).visible.items())
        )

    def frames(self, after: Stream) -> Frames | None:
        """Return how its rows are compressed, None where they are not."""
        if self.codec is None:
            return None
        return Frames(self.codec, _rows_within(packed(after), FRAME_BYTES))

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the bytes of all rows, to the byte for an exact number of them, and the entry's manifest.

        Compressed rows take at most what they would take otherwise, and what each frame has beside them.
        """
        if not all(_fits(tensor, after.batch_dims) for tensor in after.visible.values()):
            return
        kept = packed(after)
        columns, count = self.columns(after), before.cardinality.most
        row = sum(column.row_bytes for column in columns)
        number = "elements, of which the number is not known" if count is None else f"{count} elements"
        with_texts = [tensor for tensor in kept.visible.values() if tensor.dtype == "string"]
        texts = add(*(tensor.text for tensor in with_texts))
        size = f"of {row} B" if not with_texts else f"of at most {add(row, texts)} B"
        varying = add(*(_all_characters(name, before, kept) for name in kept.visible))
        rows, unit, heaps = add(times(count, row), varying), row, len(with_texts)
        units, most = count, times(count, texts)
        if varying is not None and count and most is not None and varying < most:
            size = f"of {row + varying // count} B on average"
        if (frames := self.frames(after)) is not None:
            units = None if count is None else -(-count // frames.rows)
            rows = varying = add(rows, times(units, FRAME_BESIDE * len(columns)))
            unit, heaps = frame_bytes(columns, frames), len(columns)
            size += f" in frames of {frames.rows}, if {frames.codec} makes none of them smaller"
        yield Hold(DISK, rows, f"{number} {size}", weakest(before.weakest, after.weakest))
        blocks = None if units is None else -(-units // max(1, BLOCK_BYTES // max(1, unit)))
        blocks = add(blocks, None if varying is None else varying // BLOCK_BYTES)
        listed = times(blocks, _BLOCK_TEXT + _SUM_TEXT * (len(columns) + 2 * heaps))
        heads = sum(256 + 6 * len(column.name) + 32 * len(column.shape) for column in columns)
        yield Hold(DISK, add(_LISTED + heads, listed), "their manifest, with a checksum of every block")

    def lower(self, data: Any, low: Lowering) -> Any:
        """Raise: what runs before it and what runs behind it are two datasets."""
        raise TypeError("a plan is cut at its caches on disk before it is lowered")


class Write(Node):
    """Hand on rows by the chunk, while the chunk before is written."""

    ahead: ClassVar[bool] = True

    def __init__(self, rows: int, name: str = "cache", frames: Frames | None = None) -> None:
        self.rows = rows
        self.name = name
        self.frames = frames
        """How rows are compressed, None where they are not."""

    def title(self) -> str:
        """Return the name of the stage whose rows they are."""
        return self.name

    def skips(self, count: int, before: Stream) -> tuple[int, int] | None:
        """Return the rows of so many chunks, before it."""
        return count * self.rows, 0

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the stream of chunks."""
        return batched(before, self.rows, drop_remainder=False)

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the rows gathered for the chunk in work, that chunk, the next to be written, and the copy of one."""
        yield Hold(
            HOST, times(self.rows, slot_bytes(before, scope)), f"{self.rows} rows gathered", before.weakest
        )
        yield Hold(HOST, times(3, slot_bytes(after, scope)), "3 chunks on their way to disk", after.weakest)
        if any(tensor.dtype == "string" for tensor in before.visible.values()):
            python = times(self.rows, text_bytes(before))
            yield Hold(HOST, python, "a chunk's texts on their way through Python", before.weakest)
        if self.frames is not None:
            yield compressing(self.frames.codec, before)

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the dataset of chunks."""
        return Batch(size=self.rows).lower(data, low).prefetch(1)


def compressing(codec: str, stream: Stream) -> Hold:
    """Return what compressing rows takes: a frame's texts as one, what they become in pieces, and these put together.

    Of numbers, which need not be put together first, as many rows may wait for a whole frame.
    """
    size = add(times(3, frame_size(stream)), PACKING_BYTES, CODECS[codec].module_bytes)
    return Hold(HOST, size, f"a frame that {codec} compresses", stream.weakest)


def frame_size(stream: Stream) -> int | None:
    """Return the bytes of a frame of a stream's elements at most: of several of them, or of one that is larger.

    They hold for any entry of these elements, also for one whose frames another bound on texts gave other rows.
    """
    return largest(FRAME_BYTES, element_bytes(stream.visible))


def chunk_rows(stream: Stream, frames: Frames | None = None) -> int:
    """Return how many of a stream's elements make a chunk: of those that are compressed, whole frames."""
    rows = _rows_within(stream, CHUNK_BYTES)
    return rows if frames is None else rows - rows % frames.rows


def _rows_within(stream: Stream, size: int) -> int:
    row = element_bytes(stream.visible)
    return max(1, min(CHUNK_ROWS, size // max(1, size if row is None else row)))


def text_bytes(stream: Stream) -> int | None:
    """Return what the texts of one element take in Python: the bytes of all together, and each as an object."""
    total: int | None = 0
    for tensor in stream.visible.values():
        if tensor.dtype == "string":
            total = add(total, times(2, tensor.text), times(_TEXT_OBJECT, tensor.elements))
    return total


def _all_characters(name: str, before: Stream, kept: Stream) -> int | None:
    """Return the bytes of a component's texts in all rows, as far as it is kept as texts."""
    if kept.element[name].dtype != "string":
        return 0

    def size(tensor: Tensor) -> int | None:
        return packed(before.with_element({name: tensor})).element[name].text

    if name in before.strata:
        return largest_of(name, before, before.cardinality.most, size)
    return times(before.cardinality.most, kept.element[name].text)


def _fits(tensor: Tensor, batch_dims: int) -> bool:
    """Return whether a component can be kept; a batch only where all have the same number of elements."""
    return storable(tensor.dtype) and all(dim.exact for dim in tensor.shape[:batch_dims])


def _unfit(name: str, tensor: Tensor, what: str) -> Fault:
    problem = f"{what} keeps elements, or batches of one size, and `{name}` is {tensor}"
    kind = what.split()[1]
    if not storable(tensor.dtype):
        way_out = f"decode or cast `{name}` before the {kind}, or `drop` it there where nothing needs it"
    else:
        way_out = f"{kind} before the batch, or give it `drop_remainder: true`"
    return Fault("SD110", problem, ("path",), help=way_out, notes=("`cache: memory` keeps any component",))


def _uninstalled(codec: str, package: str) -> Fault:
    problem = f"`compression: {codec}` needs the package {package}, for a check too, and it is not installed"
    way_out = f"install it: `pip install 'safedata[{codec}]'`, or write `compression: zlib`"
    return Fault("SD407", problem, ("compression",), help=way_out)
