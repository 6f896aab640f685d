"""TFRecord files: their headers, read without TensorFlow.

A record is its length (uint64, little endian), the masked CRC-32C of those 8 bytes, the data, the masked
CRC-32C of the data. Compression is of the whole file.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from safedata.problem import Fault
from safedata.sources._listing import unreadable
from safedata.sources._records import damaged, file_size
from safedata.sources._stream import CHUNK, Budget, DamageError, Reader, SpentError, decompressed
from safedata.sources.tfrecord._crc32c import masked
from safedata.sources.tfrecord._recovery import FOOTER, HEADER, Loss, Search, TiredError

Compression = Literal["none", "gzip", "zlib"]


@dataclass(slots=True)
class Scan:
    """What the headers of one file say."""

    path: str
    size: int
    """Bytes of the file."""
    offsets: array[int] = field(default_factory=lambda: array("Q"))
    """Where each record's header lies; in a compressed file, in its decompressed bytes."""
    lengths: array[int] = field(default_factory=lambda: array("Q"))
    complete: bool = True
    """Whether every header was read, up to the end or to the damage."""
    damage: Fault | None = None
    """Why the rest of the file cannot be read."""
    losses: dict[int, Loss] = field(default_factory=dict[int, Loss])
    """Pieces that were found to be lost and passed over, by the number that each has among the records: it has an
    offset, and a length of 0."""

    @property
    def records(self) -> int:
        """How many records there are, what is lost not counted."""
        return len(self.offsets) - len(self.losses)

    @property
    def largest(self) -> int:
        """Bytes of the longest record."""
        return max(self.lengths, default=0)


def scan(
    path: str,
    compression: Compression,
    budget: Budget,
    keep: Callable[[int, int, bytes], None] | None = None,
    recover: int | None = None,
) -> Scan:
    """Return what a file's headers say, as far as the budget reaches.

    Args:
        path: the file.
        compression: how the whole file is compressed.
        budget: what may be read; what is read is taken from it.
        keep: for a compressed file, takes the number, offset and data of each record that is no longer than
            64 MiB: it cannot be read again without decompressing all that is in front of it.
        recover: for an uncompressed file, goes on behind damage; of so many bytes at most the checksums are worked out
            to find where, -1 for all. Where that does not reach, and in a compressed file, the rest is lost.

    Raises:
        Fault: the system does not let us read it.
    """
    found = Scan(path, file_size(path))
    try:
        if compression == "none":
            _scan_plain(found, budget, recover)
        else:
            _scan_stream(found, compression, budget, keep)
    except OSError as error:
        raise unreadable(path, error) from None
    return found


def _scan_plain(found: Scan, budget: Budget, recover: int | None) -> None:
    descriptor = os.open(found.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    search = Search(descriptor, found.size, None if recover == -1 else recover)
    try:
        position = 0
        while position < found.size:
            if not budget.record():
                found.complete = False
                return
            end = _scan_one(found, descriptor, position)
            if end is None:
                if recover is None:
                    return
                end = _pass_over(found, search, position)
            position = end
    except TiredError:
        return  # what `found` says of the damage holds for all that follows
    finally:
        os.close(descriptor)


def _scan_one(found: Scan, descriptor: int, position: int) -> int | None:
    """Take the record at a place and return where it ends; None where it is damaged, which `found` then says."""
    header, number = os.pread(descriptor, HEADER.size, position), len(found.offsets)
    length = _length(found, header, position, number)
    if length is None:
        return None
    end = position + HEADER.size + length + FOOTER
    if end > found.size:
        found.damage = _cut_off(found.path, number, position, end - found.size)
        return None
    found.offsets.append(position)
    found.lengths.append(length)
    return end


def _pass_over(found: Scan, search: Search, position: int) -> int:
    """Take what is lost from a damaged record on, and return where the next sound one begins.

    Where the record before it is no longer what was written, that may not end where its length says: then it is
    part of what is lost, and the next one is looked for behind its header.

    Raises:
        TiredError: that was not found; `found` still says what the damage is.
    """
    assert found.damage is not None
    why = found.damage.message.removeprefix(f"`{found.path}` ")
    start, last = position, len(found.offsets) - 1
    if last >= 0 and last not in found.losses and not search.sound(found.offsets[last]):
        start = found.offsets.pop()
        found.lengths.pop()
    end = search.behind(start)
    found.losses[len(found.offsets)] = Loss(start, end, why)
    found.offsets.append(start)
    found.lengths.append(0)
    found.damage = None
    return end


_KEPT: Final = 64 << 20


def _scan_stream(
    found: Scan, compression: str, budget: Budget, keep: Callable[[int, int, bytes], None] | None
) -> None:
    with open(found.path, "rb") as file:
        reader = Reader(decompressed(file.read, compression, budget))
        try:
            _scan_records(found, reader, budget, keep)
        except DamageError as error:
            number = len(found.offsets)
            what = f"is damaged behind record {number}, byte {reader.position} decompressed: {error}"
            found.damage = damaged(found.path, what, way_out="write it again, or leave it out")
        except SpentError:
            found.complete = False


def _scan_records(
    found: Scan, reader: Reader, budget: Budget, keep: Callable[[int, int, bytes], None] | None
) -> None:
    while True:
        position, number = reader.position, len(found.offsets)
        header = reader.take(HEADER.size)
        if not header:
            return
        if not budget.record():
            raise SpentError
        length = _length(found, header, position, number)
        if length is None:
            return
        wanted = keep is not None and length <= _KEPT
        data = reader.take(length) if wanted else b""
        got = (len(data) if wanted else reader.skip(length)) + reader.skip(FOOTER)
        if got < length + FOOTER:
            found.damage = _cut_off(found.path, number, position, length + FOOTER - got)
            return
        found.offsets.append(position)
        found.lengths.append(length)
        if keep is not None and wanted:
            keep(number, position, data)


def _length(found: Scan, header: bytes, position: int, number: int) -> int | None:
    """Return the length that a header says; None where it is damaged, which `found` then says."""
    if len(header) < HEADER.size:
        found.damage = _cut_off(found.path, number, position, HEADER.size - len(header))
        return None
    length, checksum = HEADER.unpack(header)
    if masked(header[:8]) != checksum:
        what = f"has a wrong checksum in front of record {number}, byte {position}"
        found.damage = damaged(found.path, what, way_out=_remedy(header, number))
        return None
    return int(length)


def _remedy(header: bytes, number: int) -> str:
    if number == 0 and header[:2] == b"\x1f\x8b":
        return "it looks like gzip: add `compression: gzip`"
    if number == 0 and header[:1] == b"\x78" and (header[0] * 256 + header[1]) % 31 == 0:
        return "it looks like zlib: add `compression: zlib`"
    return "write it again, or leave it out"


def _cut_off(path: str, number: int, position: int, missing: int) -> Fault:
    what = f"is cut off: {missing} bytes of record {number}, byte {position}, are missing"
    return damaged(path, what, way_out="write it again, or leave it out")


def find_damage(paths: tuple[str, ...], compression: Compression, offset: int) -> tuple[str, int] | None:
    """Return the file that TensorFlow calls damaged at `offset`, and where that record starts there.

    TensorFlow names no file. It counts from the header where that is damaged, from behind it where the
    data is. Reads one record of each uncompressed file, and its headers where that says nothing; all of a
    compressed one. A checksum takes about 0.2 s for each MB.
    """
    start = offset - HEADER.size
    for path in paths if start >= 0 else ():
        if _data_damaged(path, compression, start):
            return path, start
    for path in paths:
        found = scan(path, compression, Budget(None, None))
        end = found.offsets[-1] + HEADER.size + found.lengths[-1] + FOOTER if found.offsets else 0
        if found.damage is not None and end <= offset <= end + HEADER.size:
            return path, end
    return None


def _data_damaged(path: str, compression: Compression, start: int) -> bool:
    """Return whether a sound header stands at `start`, and wrong data behind it."""
    try:
        with open(path, "rb") as file:
            if compression == "none":
                file.seek(start)
                reader = Reader(lambda: file.read(CHUNK))
            else:
                reader = Reader(decompressed(file.read, compression, Budget(None, None)))
                reader.skip(start)
            header = reader.take(HEADER.size)
            if len(header) < HEADER.size:
                return False
            length, checksum = HEADER.unpack(header)
            if masked(header[:8]) != checksum or (compression == "none" and length > file_size(path)):
                return False
            data, footer = reader.take(length), reader.take(FOOTER)
    except (OSError, Fault, DamageError):
        return False
    return len(data) == length and masked(data) != int.from_bytes(footer, "little")
