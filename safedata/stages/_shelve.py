"""Elements on their way to disk: the step that stands for a cache there, and the one that hands rows to its writer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Final

from safedata.lowering import Lowering
from safedata.memory import DISK, HOST, KIB, MIB, Hold, add, times, weakest
from safedata.problem import Fault
from safedata.scope import Scope
from safedata.stages._elements import batched, is_broken, slot_bytes
from safedata.stages._packed import packed
from safedata.stages.base import Node
from safedata.stages.batch import Batch
from safedata.stages.cache import within
from safedata.store.entry import Column, storable
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

    def __init__(
        self,
        stage: Node,
        path: str,
        names: frozenset[str],
        *,
        by_content: bool = False,
        max_bytes: int | None = None,
        shared: bool = False,
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

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the bytes of all rows, to the byte for an exact number of them, and the entry's manifest."""
        if not all(_fits(tensor, after.batch_dims) for tensor in after.visible.values()):
            return
        kept = packed(after)
        columns, count = self.columns(after), before.cardinality.most
        row = sum(column.row_bytes for column in columns)
        number = "elements, of which the number is not known" if count is None else f"{count} elements"
        with_texts = [tensor for tensor in kept.visible.values() if tensor.dtype == "string"]
        texts = add(*(_characters(tensor) for tensor in with_texts))
        size = f"of {row} B" if not with_texts else f"of at most {add(row, texts)} B"
        yield Hold(
            DISK, times(count, add(row, texts)), f"{number} {size}", weakest(before.weakest, after.weakest)
        )
        blocks = None if count is None else -(-count // max(1, BLOCK_BYTES // max(1, row)))
        blocks = add(blocks, None if count is None or texts is None else count * texts // BLOCK_BYTES)
        listed = times(blocks, _BLOCK_TEXT + _SUM_TEXT * (len(columns) + 2 * len(with_texts)))
        heads = sum(256 + 6 * len(column.name) + 32 * len(column.shape) for column in columns)
        yield Hold(DISK, add(_LISTED + heads, listed), "their manifest, with a checksum of every block")

    def lower(self, data: Any, low: Lowering) -> Any:
        """Raise: what runs before it and what runs behind it are two datasets."""
        raise TypeError("a plan is cut at its caches on disk before it is lowered")


class Write(Node):
    """Hand on rows by the chunk, while the chunk before is written."""

    ahead: ClassVar[bool] = True

    def __init__(self, rows: int, name: str = "cache") -> None:
        self.rows = rows
        self.name = name

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

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the dataset of chunks."""
        return Batch(size=self.rows).lower(data, low).prefetch(1)


def chunk_rows(stream: Stream) -> int:
    """Return how many of a stream's elements make a chunk."""
    row = element_bytes(stream.visible)
    return max(1, min(CHUNK_ROWS, CHUNK_BYTES // max(1, CHUNK_BYTES if row is None else row)))


def text_bytes(stream: Stream) -> int | None:
    """Return what the texts of one element take in Python: the bytes of all together, and each as an object."""
    total: int | None = 0
    for tensor in stream.visible.values():
        if tensor.dtype == "string":
            total = add(total, times(2, _characters(tensor)), times(_TEXT_OBJECT, tensor.elements))
    return total


def _characters(tensor: Tensor) -> int | None:
    return times(tensor.elements, tensor.length.most)


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
