"""Which record TensorFlow could not parse: its error quotes the record's bytes, and does not say where they stand."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from safedata.said import NO_EXAMPLE
from safedata.sources._stream import Budget
from safedata.sources.tfrecord._example import parse_record
from safedata.sources.tfrecord._framing import Compression, Scan, scan
from safedata.sources.tfrecord._recovery import HEADER

RECORDS: Final = 500_000
"""Records that are looked at: about 10 s. The run has ended by then, and `safedata measure` looks at all."""
BYTES: Final = 1 << 30
"""Bytes of records that are looked at."""


def unparsed(message: str) -> bool:
    """Return whether a message of TensorFlow's says that a record is no example."""
    return any(sign in message for sign in NO_EXAMPLE)


def first_unparsed(files: Sequence[str], compression: Compression) -> tuple[str, int, int] | None:
    """Return file, number and byte of the first record that is no example; None where none of those looked at is.

    Raises:
        Fault: a file cannot be read.
        OSError: it cannot be read any more.
    """
    budget, look = Budget(RECORDS, BYTES), _Look(BYTES)
    for path in files:
        headers = scan(path, compression, budget, look)
        if compression == "none":
            _each(headers, look)
        if look.found is not None:
            return path, *look.found
        if look.done or budget.spent:
            break
    return None


@dataclass(slots=True)
class _Look:
    """Takes the records of files one by one, and keeps the place of the first that is no example."""

    left: int
    """Bytes of records that are still looked at."""
    found: tuple[int, int] | None = None

    @property
    def done(self) -> bool:
        """Whether there is nothing left to look for."""
        return self.found is not None or self.left <= 0

    def __call__(self, number: int, offset: int, data: bytes) -> None:
        if self.done:
            return
        self.left -= len(data)
        try:
            parse_record(data)
        except ValueError:
            self.found = number, offset


def _each(headers: Scan, look: _Look) -> None:
    """Hand on the records of an uncompressed file."""
    with open(headers.path, "rb", buffering=0) as file:
        for number, (offset, length) in enumerate(zip(headers.offsets, headers.lengths, strict=True)):
            if look.done:
                return
            if number not in headers.losses:
                look(number, offset, os.pread(file.fileno(), length, offset + HEADER.size))
