"""Free disk space where something is to be written."""

from __future__ import annotations

import os

from safedata.machine.files import read_text
from safedata.machine.limits import Free
from safedata.memory import format_size


def disk_free(path: str, root: str = "/") -> Free:
    """Return the bytes that an ordinary user may still write on the file system that will hold `path`.

    `path` need not exist: its nearest existing parent counts. A read-only file system has 0 bytes free.

    Args:
        path: A file or folder, relative to the working directory or absolute.
        root: Where `/proc` lies, which says what kind of file system it is.
    """
    if path.partition("://")[0].isalnum() and "://" in path:
        return Free(None, (f"`{path}` is on no disk of this machine",))
    try:
        parent = os.path.abspath(path)
    except FileNotFoundError:
        return Free(None, (f"the current directory, where `{path}` would be, does not exist any more",))
    while not os.path.lexists(parent) and os.path.dirname(parent) != parent:
        parent = os.path.dirname(parent)
    notes = (
        () if os.path.lexists(path) else (f"`{path}` does not exist yet; its nearest parent is `{parent}`",)
    )
    try:
        system = os.statvfs(parent)
    except (OSError, ValueError, AttributeError) as error:  # AttributeError: no statvfs on Windows
        reason = getattr(error, "strerror", None) or str(error)
        return Free(None, (f"the free space of `{parent}` cannot be read: {reason}", *notes))
    if system.f_flag & os.ST_RDONLY:
        return Free(0, (f"`{parent}` is on a read-only file system", *notes))
    if not os.access(parent, os.W_OK):
        notes = (*notes, f"`{parent}` may not be written to by this user")
    free = system.f_bavail * system.f_frsize
    return Free(
        free,
        (f"{format_size(free)} free on the file system of `{parent}`", *_in_memory(parent, root), *notes),
    )


def _in_memory(path: str, root: str) -> tuple[str, ...]:
    """Return the note for a file system that is host memory under another name."""
    best, kind = "", ""
    for line in (read_text(root, "/proc/self/mountinfo") or "").splitlines():
        place, _, rest = line.partition(" - ")
        words = place.split()
        point = words[4] if len(words) > 4 else ""
        holds = point == "/" or path == point or path.startswith(point + "/")
        if point and holds and len(point) >= len(best):  # the last mount on a point hides the others
            best, kind = point, rest.split(" ", 1)[0]
    if kind not in ("tmpfs", "ramfs"):
        return ()
    return (f"`{best}` is a {kind}: what is written there is taken from host memory",)
