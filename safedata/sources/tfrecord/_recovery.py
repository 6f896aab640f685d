"""Behind a damaged record: what is lost, and where the next sound one begins.

Where the checksum of a record's length holds, the next record begins behind it. Elsewhere the bytes are searched for
the next place where the checksums of a length and of the data behind it hold. Only a few bytes of a file are in memory.
"""

from __future__ import annotations

import os
import re
import struct
from dataclasses import dataclass
from typing import Final, NamedTuple

from safedata.sources.tfrecord._crc32c import crc32c, mask, masked

HEADER: Final = struct.Struct("<QI")
"""A record's length, and the checksum of these 8 bytes."""
FOOTER: Final = 4
"""Bytes of the checksum behind the data."""
CHUNK: Final = 256 * 1024
"""Bytes that are searched at once."""
SUMMED: Final = 32 << 20
"""Bytes whose checksums a check works out while it looks for sound records: some 6 s. A search itself reads 1 GB/s."""
_SOMETHING: Final = re.compile(rb"[^\0]")


class Loss(NamedTuple):
    """A piece of a file that is no sound record."""

    start: int
    end: int
    why: str

    @property
    def lost(self) -> str:
        """What is lost, in words."""
        return f"bytes {self.start} to {self.end}, {self.end - self.start} bytes, are lost: {self.why}"


class TiredError(Exception):
    """There would be more to search than allowed."""


@dataclass(slots=True)
class Search:
    """Reads headers and checksums of one open file, anywhere in it."""

    handle: int
    size: int
    left: int | None = None
    """Bytes whose checksums may still be worked out; None for all."""

    def length(self, position: int) -> int | None:
        """Return the length that a sound header at `position` says; None where there is none."""
        header = os.pread(self.handle, HEADER.size, position)
        if len(header) < HEADER.size:
            return None
        length, checksum = HEADER.unpack(header)
        return int(length) if masked(header[:8]) == checksum else None

    def end(self, position: int) -> int | None:
        """Return where the record with a sound header at `position` ends; None where the file has no so many bytes."""
        length = self.length(position)
        if length is None:
            return None
        end = position + HEADER.size + length + FOOTER
        return end if end <= self.size else None

    def sound(self, position: int) -> bool:
        """Return whether a record stands at `position` whose data is what was written; 0.2 s for each MB of it.

        Raises:
            TiredError: it is longer than may be summed.
        """
        end = self.end(position)
        if end is None:
            return False
        at, behind = position + HEADER.size, end - FOOTER
        if self.left is not None:
            self.left -= behind - at
            if self.left < 0:
                raise TiredError
        crc = 0
        while at < behind:
            piece = os.pread(self.handle, min(CHUNK, behind - at), at)
            if not piece:
                return False
            crc, at = crc32c(piece, crc), at + len(piece)
        return mask(crc) == int.from_bytes(os.pread(self.handle, FOOTER, behind), "little")

    def next(self, position: int) -> int:
        """Return where the first sound record from `position` on begins; the file's end where there is none.

        Raises:
            TiredError: there is more to look at than allowed.
        """
        # No record is longer than the file: so many of the length's last bytes are zero.
        high = min(7, 8 - (self.size.bit_length() + 7) // 8)
        while position + HEADER.size + FOOTER <= self.size:
            chunk = os.pread(self.handle, CHUNK + HEADER.size, position)
            for place in _places(chunk, high):
                if self.sound(position + place):
                    return position + place
            position += max(1, len(chunk) - HEADER.size + 1)
        return self.size

    def behind(self, position: int) -> int:
        """Return where to go on behind a record at `position` that cannot be read.

        Raises:
            TiredError: there is more to look at than allowed.
        """
        end = self.end(position)
        if end is None:
            return self.next(position + 1)
        if end == self.size or self.length(end) is not None:
            return end
        return self.next(position + HEADER.size)  # bytes were put in, or are missing: it ends elsewhere


def _places(chunk: bytes, high: int) -> list[int]:
    """Return where in a chunk a header with a sound checksum stands, whose length has so many zero bytes at its end."""
    found: list[int] = []
    low, zeros = 8 - high, bytes(high)
    place = chunk.find(zeros, low) - low
    while 0 <= place <= len(chunk) - HEADER.size:
        header = chunk[place : place + HEADER.size]
        if not any(header):  # a block of zeros: its last header starts right before something else
            other = _SOMETHING.search(chunk, place)
            if other is None:
                break
            place = max(place + 1, other.start() - HEADER.size + 1)
        else:
            if masked(header[:8]) == int.from_bytes(header[8:], "little"):
                found.append(place)
            place += 1
        at = chunk.find(zeros, place + low)
        if at < 0:
            break
        place = at - low
    return found


def resume(path: str, position: int, *, search: bool) -> int:
    """Return where a file's records go on behind one at `position` that cannot be read; -1 where they do not.

    Args:
        path: an uncompressed file.
        position: where the header of that record stands, or should.
        search: whether to look for another record where the header does not say where the next one is.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except OSError:
        return -1
    try:
        one = Search(handle, os.fstat(handle).st_size)
        end = one.behind(position) if search else one.end(position)
        return -1 if end is None or end >= one.size else end
    except OSError:
        return -1
    finally:
        os.close(handle)


def data_sound(path: str, position: int) -> bool:
    """Return whether the record at a place of an uncompressed file is what was written."""
    try:
        with open(path, "rb", buffering=0) as file:
            return Search(file.fileno(), os.fstat(file.fileno()).st_size).sound(position)
    except OSError:
        return False
