"""Paths that come from data, held to the folder that a spec names for them."""

from __future__ import annotations

import os
import stat
from typing import Any, Final


class Looked:
    """What was found at a path."""

    FINE: Final = 0
    GONE: Final = 1
    """Nothing, or nothing that can be read as a file."""
    OUTSIDE: Final = 2
    """It leads out of the folder, or may."""


class Within:
    """Looks at one path after the other, below one folder; a graph calls it."""

    def __init__(self, folder: str) -> None:
        """Take the folder; a link to it is followed now, so that it stays where it was."""
        self.folder = os.path.realpath(os.fsencode(folder))

    def __call__(self, path: bytes) -> tuple[bytes, Any, Any]:
        """Return the file with all links followed, what was found of it (`Looked`), and its size in bytes.

        Args:
            path: as the data has it.
        """
        import numpy as np  # TensorFlow has brought it in

        found, what, size = self.look(path)
        return found, np.int64(what), np.int64(size)

    def look(self, path: bytes) -> tuple[bytes, int, int]:
        """Return the same as Python's numbers; what cannot be read has no path and no size."""
        if path[:1] == b"/" or b".." in path.split(b"/") or os.path.isabs(path):
            return b"", Looked.OUTSIDE, 0
        try:
            found = os.path.realpath(os.path.join(self.folder, path))
            if not found.startswith(os.path.join(self.folder, b"")) and found != self.folder:
                return b"", Looked.OUTSIDE, 0
            status = os.stat(found, follow_symlinks=False)
        except (OSError, ValueError):  # the system's paths end at a NUL
            return b"", Looked.GONE, 0
        if not stat.S_ISREG(status.st_mode) or not os.access(found, os.R_OK):
            return b"", Looked.GONE, 0
        return found, Looked.FINE, status.st_size
