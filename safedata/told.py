"""What is told while the entries of caches on disk are made ready."""

from __future__ import annotations

from collections.abc import Callable

from safedata.records import record
from safedata.store.lock import Holder


@record(frozen=True, slots=True)
class Writing:
    """How far the writing of an entry has come."""

    rows: int
    of: int | None
    """Rows in all, at most; None when unknown."""
    row_bytes: int
    """Bytes of one, on average."""
    began: int
    """Rows that an earlier run had written."""
    seconds: float

    @property
    def done(self) -> None:
        """Return nothing: it is not there yet."""


@record(frozen=True, slots=True)
class Waiting:
    """Another process writes the entry; this one waits for it."""

    holder: Holder
    folder: str

    @property
    def done(self) -> None:
        """Return nothing: it is not there yet."""


@record(frozen=True, slots=True)
class Alone:
    """The entry is made by one process, though there are several to make it."""

    folder: str
    why: str

    @property
    def done(self) -> None:
        """Return nothing: it is not there yet."""


@record(frozen=True, slots=True)
class Kept:
    """One entry that a pipeline uses."""

    folder: str
    rows: int
    bytes: int
    written: int
    """Rows that were written now: 0 where all of them were there."""
    seconds: float
    skipped: int = 0
    """Bad elements that were left out when it was written."""
    report: str | None = None
    """Where `on_error: quarantine` wrote them down then."""

    @property
    def done(self) -> Kept:
        """Return this."""
        return self


Telling = Writing | Waiting | Alone | Kept
"""What may be told while entries are made ready."""
Told = Callable[["Telling"], None]
"""Is told a few times a second how far the writing is, once for each process waited for, and of each entry used."""
