"""Rows of an entry in a graph, for tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from safedata.store.entry import Entry
from safedata.store.reader import InGraph, Rows


def gathering(tf: Any, rows: Rows, entry: Entry) -> Callable[[Any], dict[str, Any]]:
    """Return the function of a map that gives the rows of a vector of numbers, by component."""
    reading = InGraph(rows, lambda rows, places: rows.read(places))

    def gathered(places: Any) -> dict[str, Any]:
        types = [(column.dtype, (*places.shape, *column.shape)) for column in entry.columns]
        names = [column.name for column in entry.columns]
        return dict(zip(names, reading.tensors(tf, [places], types), strict=True))

    return gathered
