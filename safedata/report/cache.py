"""What lies in stores, as text and as JSON objects."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from safedata.caches import Listed
from safedata.memory import format_size
from safedata.report.table import table
from safedata.report.text import shown_path

_KEY: Final = 12
"""Digits of a key that are shown: enough to name it."""
_WANTED: Final = {True: "yes", False: "no", None: "unknown"}


def render(found: Sequence[Listed], verb: str = "") -> str:
    """Return a table of entries, and a line with their sum.

    Args:
        found: the entries.
        verb: what was done to them; nothing for a list.
    """
    total = format_size(sum(one.stored.bytes for one in found))
    count = f"{len(found)} cache{'' if len(found) == 1 else 's'}, {total}"
    if not found:
        return f"{verb} nothing".strip()
    rows = [["key", "size", "elements", "last used", "wanted", "spec"], *(_row(one) for one in found)]
    return "\n".join([*table(rows, right=(1, 2)), "", f"{verb} {count}".strip()])


def _row(one: Listed) -> list[str]:
    stored = one.stored
    elements = f"{stored.rows:,}" if stored.rows is not None else stored.state
    used = time.strftime("%Y-%m-%d %H:%M", time.localtime(stored.used))
    spec = shown_path(one.spec) if one.spec is not None else "unknown"
    wanted = "snapshot" if stored.shared else _WANTED[one.wanted]
    return [stored.key[:_KEY], format_size(stored.bytes), elements, used, wanted, spec]


def report_object(found: Sequence[Listed]) -> list[dict[str, object]]:
    """Return entries as JSON objects; sizes are bytes, times are seconds since the epoch."""
    return [
        {
            "key": one.stored.key,
            "folder": one.stored.folder,
            "state": one.stored.state,
            "elements": one.stored.rows,
            "bytes": one.stored.bytes,
            "used": round(one.stored.used, 3),
            "wanted": one.wanted,
            "shared": one.stored.shared,
            "spec": one.spec,
            "made": dict(one.stored.made),
        }
        for one in found
    ]
