"""The root of `tfrecord`: the records of TFRecord files, one after the other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from safedata.cardinality import UNKNOWN, exactly
from safedata.lowering import Lowering, Values, as_written
from safedata.memory import HOST, Evidence, Hold, add, times
from safedata.problem import Fault
from safedata.scope import Scope
from safedata.sources._interleave import FileRoot
from safedata.sources._records import RECORD, Places
from safedata.sources._stream import Budget
from safedata.sources.tfrecord._framing import Compression, find_damage, scan
from safedata.types import Dim, Stream, Tensor

_OFFSET = re.compile(r"(?:corrupted|truncated) record at ([0-9]{1,18})", re.ASCII)
_LOST: Final = b"\x07"
"""No message of protobuf, so that parsing it fails and the loss is recorded like any bad record."""
_INFLATE: Final = 2
"""Buffers of one compressed reader: what is read, and what it becomes."""


@dataclass(frozen=True)
class TfrecordRoot(FileRoot):
    """Records in the order of the files, not parsed yet.

    Under `on_error: skip` TensorFlow leaves out the rest of a file behind a damaged record. Each lost record
    is then stood in for by one that cannot be parsed, so it is counted, named, and no index moves.
    """

    files: tuple[str, ...]
    compression: Compression
    buffer: int
    """Bytes of a reader's buffer."""
    largest: int
    """Bytes of the longest record."""
    evidence: Evidence
    """What `largest` rests on."""
    places: Places | None
    """Where each record lies; None where they were not counted."""
    count: int | None
    """The number of records: counted, or declared; None when unknown."""
    counted: Evidence = "measured"

    def title(self) -> str:
        """Return the source's name."""
        return "tfrecord"

    def infer(self, scope: Scope) -> Stream:
        """Return scalar strings no longer than the longest record."""
        record = Tensor("string", (), Dim.at_most(self.largest, self.evidence))
        cardinality = UNKNOWN if self.count is None else exactly(self.count)
        return Stream({RECORD: record}, cardinality, evidence=self.counted)

    def holds(self, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the reader: its buffers, the record that it reads, and the one handed on.

        Source: `readers (buf + max_record)` (memory facts, 3.1), one reader at a time.
        """
        buffers = self.buffer * (1 if self.compression == "none" else 1 + _INFLATE)
        yield Hold(HOST, buffers, "the reader's buffer")
        yield Hold(
            HOST, times(2, add(after.bytes)), "a record being read, and the one handed on", self.evidence
        )

    def lower(self, low: Lowering) -> Any:
        """Return the dataset of records."""
        tf = low.tf
        if low.skipped is not None and self.places is not None:
            records = self._guarded(tf, self.places)
        else:
            records = self._read(tf, list(self.files))
        if self.count is not None:
            records = records.apply(tf.data.experimental.assert_cardinality(self.count))

        def named(record: Any) -> Values:
            return {RECORD: record}

        return records.map(named)

    def numbering(self) -> Places | None:
        """Return where each element lies; None where they were not all read."""
        return self.places

    def of_file(self, low: Lowering, file: Any, count: Any) -> Any:
        """Return the dataset of one file's records."""
        guarded = low.skipped is not None and self.places is not None
        records = self._guard(low.tf, file, count) if guarded else self._read(low.tf, file)

        def named(record: Any) -> Values:
            return {RECORD: record}

        return records.map(as_written(low, named))

    def _read(self, tf: Any, files: Any) -> Any:
        compression = "" if self.compression == "none" else self.compression.upper()
        return tf.data.TFRecordDataset(files, compression, self.buffer)

    def _guarded(self, tf: Any, places: Places) -> Any:
        """Return the records with a stand-in for each one that cannot be read, file by file."""
        counts = [0] * len(self.files)
        for run, file in enumerate(places.files):
            end = places.starts[run + 1] if run + 1 < len(places.starts) else places.count
            counts[file] += end - places.starts[run]

        def guarded(file: Any, count: Any) -> Any:
            return self._guard(tf, file, count)

        slices = (list(self.files), tf.constant(counts, tf.int64))
        return tf.data.Dataset.from_tensor_slices(slices).flat_map(guarded)

    def _guard(self, tf: Any, file: Any, count: Any) -> Any:
        """Return one file's records, as many as it is known to have."""
        lost = tf.data.Dataset.from_tensors(_LOST).repeat(count)
        return self._read(tf, file).ignore_errors().concatenate(lost).take(count)

    def describe(self, index: int) -> str:
        """Return the file, the record's number in it, counted from 0, and the byte where it starts."""
        found = self.places.find(index) if self.places else None
        if found is None:
            return super().describe(index)
        path, number = found
        try:
            offsets = scan(path, self.compression, Budget(number + 1, None)).offsets
        except Fault:
            offsets = None
        at = f", byte {offsets[number]}" if offsets is not None and number < len(offsets) else ""
        return f"{path} record {number}{at}"

    def origin(self, tf: Any, index: Any) -> Any:
        """Return the file and the record's number inside the graph."""
        return (
            self.places.origin(tf, index) if self.places and self.places.count else super().origin(tf, index)
        )

    def diagnose(self, message: str) -> str | None:
        """Return the file whose record TensorFlow found damaged, by verifying that record in each file.

        A checksum takes about 0.2 s for each MB of the record; a compressed file is read from its start.
        """
        found = _OFFSET.search(message)
        if not found:
            return None
        try:
            place = find_damage(self.files, self.compression, int(found[1]))
        except Fault:
            return None
        unit = "byte" if self.compression == "none" else "decompressed byte"
        return f"{place[0]}, {unit} {place[1]}" if place else None
