"""The root of `tfrecord`: the records of TFRecord files, one after the other."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from safedata.cardinality import UNKNOWN, exactly
from safedata.lowering import Lowering, Values, as_written, rewrapped
from safedata.memory import HOST, MIB, Evidence, Hold, add, times
from safedata.problem import Fault
from safedata.scope import Scope
from safedata.sources._interleave import FileRoot
from safedata.sources._records import READ_BUFFER, RECORD, Places
from safedata.sources._stream import Budget
from safedata.sources.tfrecord._framing import Compression, Scan, find_damage, scan
from safedata.sources.tfrecord._recovery import CHUNK, FOOTER, HEADER, Loss, data_sound, resume
from safedata.sources.tfrecord._unparsed import first_unparsed, unparsed
from safedata.types import Dim, Strata, Stratification, Stream, Tensor

_OFFSET = re.compile(r"(?:corrupted|truncated) record at ([0-9]{1,18})", re.ASCII)
_LOST: Final = b"\x07"
"""No message of protobuf, so that parsing it fails and the loss is recorded like any bad record."""
_SEARCH: Final = 3 * CHUNK
"""Bound on the bytes of a file in Python at once while the next sound record is looked for: a chunk, and copies."""
_SUMMED: Final = 8 << 20
"""Bytes of a record whose checksum is worked out for a report: 2 s."""
_MAPPED_MOST: Final = 32 * MIB
"""glibc's `DEFAULT_MMAP_THRESHOLD_MAX`: a larger block has a mapping of its own each time."""
_INFLATE: Final = 2
"""Buffers of one compressed reader: what is read, and what it becomes."""


@dataclass(frozen=True)
class TfrecordRoot(FileRoot):
    """Records in the order of the files, not parsed yet.

    Under `on_error: skip` TensorFlow's reader leaves out the rest of a file behind a damaged record. An uncompressed
    file is then read on from where its next sound record begins. What is lost is stood in for by a record that cannot
    be parsed, so it is counted, named, and no index moves. Files without damage are read as they are under `fail`.
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
    seen: Stratification = field(default=(), repr=False)
    """How many records are of which length."""
    searched: bool = False
    """Whether bytes between sound records were looked for and counted as one record each."""

    def title(self) -> str:
        """Return the source's name."""
        return "tfrecord"

    @property
    def record(self) -> Tensor:
        """The type of a record: a scalar string no longer than the longest."""
        return Tensor("string", (), Dim.at_most(self.largest, self.evidence))

    def strata(self, after: Stream) -> Strata:
        """Return how many records are of which length."""
        return {RECORD: (self.seen,)} if self.seen else {}

    def infer(self, scope: Scope) -> Stream:
        """Return scalar strings no longer than the longest record."""
        record = self.record
        cardinality = UNKNOWN if self.count is None else exactly(self.count)
        return Stream({RECORD: record}, cardinality, evidence=self.counted)

    def holds(self, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the reader: its buffers, the record that it reads, and the one handed on.

        Source: `readers (buf + max_record)` (memory facts, 3.1), one reader at a time.
        """
        buffers = self.buffer * (1 if self.compression == "none" else 1 + _INFLATE)
        yield Hold(HOST, buffers, "the reader's buffer")
        yield from self.common()
        yield Hold(
            HOST, times(2, add(after.bytes)), "a record being read, and the one handed on", self.evidence
        )
        if scope.on_error == "skip" and self._goes_on:
            yield Hold(HOST, _SEARCH, "the search for the next sound record, where one is damaged")

    def common(self) -> Iterator[Hold]:
        """Yield what glibc keeps at a heap's end: twice the largest block, up to 32 MiB, that had a mapping of its own.

        That is how it adapts its `M_TRIM_THRESHOLD`. Measured: 24 files with buffers of 8 MiB, epochs broken off, 266
        MiB alive, 319 MiB.
        """
        if READ_BUFFER < self.buffer <= _MAPPED_MOST:
            yield Hold(HOST, 2 * self.buffer, "what the heap keeps of such buffers")

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
        lost = tf.data.Dataset.from_tensors(_LOST)
        found = self._read(tf, file).ignore_errors()
        if self._goes_on:
            found = found.concatenate(self._rest(tf, file, lost))
        return found.concatenate(lost.repeat(count)).take(count)

    @property
    def _goes_on(self) -> bool:
        """Whether a file can be read from the middle."""
        return self.compression == "none" and self.places is not None

    def _rest(self, tf: Any, file: Any, lost: Any) -> Any:
        """Return what follows the first damaged record of a file; nothing of it is looked at before that is met.

        A stretch of sound records is read twice: to see where it ends, and to hand its records on.
        """
        written = tf.autograph.experimental.do_not_convert
        plain = tf.data.Options()
        plain.autotune.enabled = False
        plain.experimental_optimization.apply_default_optimizations = False

        def onward(position: Any) -> Any:
            found = tf.numpy_function(_resume(self.searched), [file, position], tf.int64, stateful=False)
            return tf.ensure_shape(found, [])

        def stretch(start: Any, number: Any) -> Any:
            none = tf.constant(0, tf.int64)
            # with its own rewrites TensorFlow would write the dataset down, and its reader forgets where it starts
            sound = self._read_from(tf, file, start).ignore_errors().with_options(plain)
            records, size = sound.reduce((none, none), written(_counted(tf)))
            return onward(start + size), (number, start, records)

        def elements(number: Any, start: Any, records: Any) -> Any:
            again = tf.where(number > 0, records, 0)  # those of the first stretch have been handed on
            return self._read_from(tf, file, start).take(again).concatenate(lost)

        def there(_: Any, start: Any, __: Any) -> Any:
            return start >= 0

        def guarded(start: Any, number: Any) -> Any:
            return tf.cond(
                start < 0,
                lambda: (start, (number, start, tf.constant(0, tf.int64))),
                lambda: stretch(start, number),
            )

        numbers = tf.data.Dataset.range(tf.int64.max)
        stretches = numbers.scan(tf.constant(0, tf.int64), written(guarded)).take_while(written(there))
        return stretches.flat_map(written(elements))

    def _read_from(self, tf: Any, file: Any, start: Any) -> Any:
        """Return the dataset of a file's records from a byte on."""
        variant = tf.raw_ops.TFRecordDatasetV2(
            filenames=file[tf.newaxis],
            compression_type="",
            buffer_size=tf.constant(self.buffer, tf.int64),
            byte_offsets=start[tf.newaxis],
        )
        return rewrapped(tf, variant, tf.TensorSpec([], tf.string), ())

    def describe(self, index: int) -> str:
        """Return the file, the record's number in it, counted from 0, and the byte where it starts."""
        found = self.places.find(index) if self.places else None
        if found is None:
            return super().describe(index)
        path, number = found
        headers = self._headers(path, number)
        if headers is None:
            return f"{path} record {number}"
        return f"{path} record {number}, byte {headers.offsets[number]}"

    def located(self, index: int) -> dict[str, Any]:
        """Return the same in parts; `bytes` are those of a piece of the file that is no record."""
        found = self.places.find(index) if self.places else None
        headers = self._headers(*found) if found else None
        if found is None or headers is None:
            return super().located(index)
        loss = headers.losses.get(found[1])
        size = {} if loss is None else {"bytes": loss.end - loss.start}
        return {**super().located(index), "byte": headers.offsets[found[1]], **size}

    def reason(self, index: int, message: str) -> str | None:
        """Return what is lost of the file, where this stands for something that is no sound record."""
        found = self.places.find(index) if self.places else None
        headers = self._headers(*found) if found else None
        if found is None or headers is None:
            return None
        number = found[1]
        if number in headers.losses:
            return f"SD404: {headers.losses[number].lost}"
        start, length = headers.offsets[number], headers.lengths[number]
        if self.compression != "none" or length > _SUMMED or data_sound(found[0], start):
            return None
        end = start + HEADER.size + length + FOOTER
        return f"SD404: {Loss(start, end, 'the checksum of the data is wrong').lost}"

    def _headers(self, path: str, number: int) -> Scan | None:
        """Return what the headers of a file say up to a record; None where they do not reach it."""
        try:
            recover = -1 if self.searched else None
            found = scan(path, self.compression, Budget(number + 2, None), recover=recover)
        except Fault:
            return None
        return found if number < len(found.offsets) else None

    def diagnose(self, message: str) -> str | None:
        """Return the file whose record TensorFlow found damaged, or could not parse, and where it stands there.

        A damaged one is found by verifying the record at that offset of each file: a checksum takes about 0.2 s for
        each MB of it, and a compressed file is read from its start. One that is no example is found by reading all.
        """
        unit = "byte" if self.compression == "none" else "decompressed byte"
        try:
            if found := _OFFSET.search(message):
                place = find_damage(self.files, self.compression, int(found[1]))
                return f"{place[0]}, {unit} {place[1]}" if place else None
            if unparsed(message):
                wrong = first_unparsed(self.files, self.compression)
                return f"{wrong[0]} record {wrong[1]}, {unit} {wrong[2]}" if wrong else None
        except (Fault, OSError):  # what was there is gone
            return None
        return None


def _counted(tf: Any) -> Any:
    """Return the function that adds a record to the number of records, and to the bytes of a file that they take."""

    def counted(state: Any, record: Any) -> Any:
        size = HEADER.size + FOOTER + tf.strings.length(record, unit="BYTE")
        return state[0] + 1, state[1] + tf.cast(size, tf.int64)

    return counted


def _resume(search: bool) -> Any:
    """Return the function that the graph calls to learn where a damaged file's records go on."""

    def found(path: bytes, position: Any) -> Any:
        import numpy

        return numpy.int64(resume(os.fsdecode(path), int(position), search=search))

    return found
