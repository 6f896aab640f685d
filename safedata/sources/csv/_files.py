"""CSV files that take turns: each is read on its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from safedata.lowering import Lowering
from safedata.memory import Hold
from safedata.records import record
from safedata.scope import Scope
from safedata.sources._interleave import FileRoot
from safedata.sources._records import Places
from safedata.sources.csv._graph import CsvRoot
from safedata.types import Stream


@record(frozen=True)
class CsvFiles(FileRoot):
    """The rows of CSV files, which can be had file by file."""

    inner: CsvRoot
    files: tuple[str, ...]

    def title(self) -> str:
        """Return the source's name."""
        return self.inner.title()

    def infer(self, scope: Scope) -> Stream:
        """Return scalar strings no longer than the longest row."""
        return self.inner.infer(scope)

    def holds(self, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield one reader's buffer, and the copies of a row."""
        yield from self.inner.holds(after, scope)

    def lower(self, low: Lowering) -> Any:
        """Return the rows, file by file."""
        return self.inner.lower(low)

    def numbering(self) -> Places | None:
        """Return where each row lies; None where they were not all read."""
        return self.inner.places

    def of_file(self, low: Lowering, file: Any, count: Any) -> Any:
        """Return the dataset of one file's rows."""
        return dataclasses.replace(self.inner, files=(file,), count=None).lower(low)

    def describe(self, index: int) -> str:
        """Return the file and the line where the row starts."""
        return self.inner.describe(index)

    def origin(self, tf: Any, index: Any) -> Any:
        """Return the same inside the graph."""
        return self.inner.origin(tf, index)
