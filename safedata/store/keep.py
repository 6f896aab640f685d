"""One entry, made by whoever comes first: the others wait for it, or go on where a dead one stopped."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from safedata.store.entry import Column, Entry, Frames, read_entry
from safedata.store.frames import opened
from safedata.store.lock import Holder, Lock
from safedata.store.writer import Writer

_LOOK: Final = 0.2
"""Seconds between two looks at whether the one who writes is done."""


def kept(
    root: str,
    key: str,
    columns: Sequence[Column],
    make: Callable[[Writer], None],
    made: Mapping[str, Any],
    waiting: Callable[[Holder], None] | None = None,
    frames: Frames | None = None,
) -> Entry:
    """Return the entry of a key, made now if nobody has made it yet.

    Args:
        root: the store's folder; it is made where it is missing.
        key: the entry's key.
        columns: its components.
        make: appends all rows from number `rows` of the writer on.
        made: what the manifest shall say about where the rows are from.
        waiting: called once for each other process that is waited for.
        frames: how rows are compressed, None where they are not.

    Raises:
        OSError: it cannot be written. Where the disk is full what was written of this entry is removed; other entries
            are never touched.
        Damage: what is published there is not what was written.
    """
    os.makedirs(root, exist_ok=True)
    final, told = os.path.join(root, key), set[Holder]()
    with Lock(f"{final}.lock") as lock:
        while (entry := read_entry(final)) is None:
            holder = lock.acquire()
            if holder is None:
                return read_entry(final) or _written(root, key, columns, make, made, frames)
            if waiting is not None and holder not in told:
                told.add(holder)
                waiting(holder)
            time.sleep(_LOOK)
        return entry


def _written(
    root: str,
    key: str,
    columns: Sequence[Column],
    make: Callable[[Writer], None],
    made: Mapping[str, Any],
    frames: Frames | None,
) -> Entry:
    try:
        with opened(root, key, columns, frames) as writer:
            make(writer)
            return writer.publish(made)
    except OSError as error:
        # Somebody else, who took this process for dead, has published the same meanwhile.
        if (entry := read_entry(os.path.join(root, key))) is not None:
            return entry
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            with contextlib.suppress(OSError):
                shutil.rmtree(os.path.join(root, f"{key}.part"))
        raise
