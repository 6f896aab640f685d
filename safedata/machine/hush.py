"""What libraries write on stderr while they start, kept back unless that fails."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from typing import IO


@contextmanager
def held_back() -> Generator[None, None, None]:
    """Keep what is written to file descriptor 2 in a file; write it out when an exception passes."""
    try:
        kept = os.dup(2)
    except OSError:  # stderr is closed
        yield
        return
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(kept, 2)
            _show(file)
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _show(file: IO[bytes]) -> None:
    file.seek(0)
    sys.stderr.write(file.read().decode("utf-8", "replace"))
