"""`fixed_length`: records of one length in binary files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from pydantic import Field, NonNegativeInt

from safedata.cardinality import exactly
from safedata.fields import Int
from safedata.lowering import Lowering, Values, as_written
from safedata.memory import HOST, Hold, times
from safedata.problem import Fault
from safedata.records import record
from safedata.scope import Scope
from safedata.sources._fingerprint import digest
from safedata.sources._interleave import FileRoot, Interleave, in_turn
from safedata.sources._listing import look_at
from safedata.sources._records import READ_BUFFER, Places, damaged, find_files
from safedata.sources.base import Inspected, Source
from safedata.types import Dim, Stream, Tensor

_NAME = "bytes"


class FixedLength(Source):
    """Records of one length in binary files, file by file, each as the string `bytes` of that length.

    `decode_raw` makes numbers of it. The files hold nothing but records between their headers and footers:
    a rest at the end is an error when the spec is checked.
    """

    example: ClassVar[str] = "fixed_length: {path: data/cifar/*.bin, record_bytes: 3073}"

    path: str | Annotated[tuple[str, ...], Field(strict=False)]
    """A file, a pattern such as `data/*.bin`, or a list of them."""
    record_bytes: Annotated[Int, Field(gt=0)]
    """Bytes of one record."""
    header_bytes: NonNegativeInt = 0
    """Bytes at the start of each file that are left out."""
    footer_bytes: NonNegativeInt = 0
    """Bytes at the end of each file that are left out."""
    interleave: Interleave | None = None
    """Take turns between this many files, `8` or `{cycle: 8, block: 16}`; one after the other unless said."""

    def inspect(self, scope: Scope) -> Inspected:
        """Return how many records there are, by the files' sizes.

        Raises:
            Fault: a file is missing, or its size is not that of whole records.
        """
        files = find_files(self.path, scope)
        found = tuple(look_at(files))
        places = Places("record", paths=files)
        for number, file in enumerate(found):
            count = self._records(file.path, file.size)
            if count:
                places.add_run(number, 0, count)
        if not places.count:
            raise Fault("SD403", "the files have no records", ("path",), help="name files with records")
        root = FixedRoot(files, self.record_bytes, self.header_bytes, self.footer_bytes, places)
        return Inspected(in_turn(root, self.interleave), (), digest(found), files)

    def _records(self, path: str, size: int) -> int:
        """Return the number of records in a file of so many bytes."""
        around = self.header_bytes + self.footer_bytes
        count, rest = divmod(size - around, self.record_bytes)
        if size < around:
            what = f"has {size} bytes, fewer than the {around} of `header_bytes` and `footer_bytes`"
            raise damaged(path, what, at=("path",), way_out="leave it out")
        if rest:
            what = f"has {size} bytes: {count} records of {self.record_bytes}, and {rest} left over"
            fields = ("record_bytes", "header_bytes", "footer_bytes")
            way_out = f"mend it; or {', '.join(f'`{one}`' for one in fields[:2])} or `{fields[2]}` is wrong"
            raise damaged(path, what, at=("path",), way_out=way_out)
        return count


@record(frozen=True)
class FixedRoot(FileRoot):
    """The records of the files, in their order."""

    files: tuple[str, ...]
    size: int
    """Bytes of one record."""
    header: int
    footer: int
    places: Places

    def title(self) -> str:
        """Return the source's name."""
        return "fixed_length"

    def infer(self, scope: Scope) -> Stream:
        """Return strings of exactly a record's length."""
        return Stream({_NAME: Tensor("string", (), Dim.exactly(self.size))}, exactly(self.places.count))

    def holds(self, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the reader's buffer, the record that it reads, and the one handed on.

        Source: `readers (buf + max_record)` (memory facts, 3.1), one reader at a time.
        """
        yield Hold(HOST, READ_BUFFER, "the reader's buffer")
        yield Hold(HOST, times(2, after.bytes), "a record being read, and the one handed on")

    def lower(self, low: Lowering) -> Any:
        """Return the dataset of records."""
        tf = low.tf

        def named(record: Any) -> Values:
            return {_NAME: record}

        records = tf.data.FixedLengthRecordDataset(
            list(self.files), self.size, self.header, self.footer, READ_BUFFER
        )
        counted = records.apply(tf.data.experimental.assert_cardinality(self.places.count))
        return counted.map(as_written(low, named))

    def numbering(self) -> Places:
        """Return where each record lies."""
        return self.places

    def located(self, index: int) -> dict[str, Any]:
        """Return the file, the record's number in it, counted from 0, and the byte where it starts."""
        found = self.places.find(index)
        byte = {} if found is None else {"byte": self.header + found[1] * self.size}
        return {**super().located(index), **byte}

    def of_file(self, low: Lowering, file: Any, count: Any) -> Any:
        """Return the dataset of one file's records."""

        def named(record: Any) -> Values:
            return {_NAME: record}

        records = low.tf.data.FixedLengthRecordDataset(file, self.size, self.header, self.footer, READ_BUFFER)
        return records.map(as_written(low, named))
