"""The report of `on_error: quarantine`: a line of JSON for each element that was left out, and why."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Generator, Mapping
from typing import Any, Final

from safedata.problem import DataError, Problem

_LONGEST: Final = 1000
"""Characters of one text in a line."""


class Report:
    """One run's part of a report, which later runs add to.

    A line is written as a whole and at once, behind whatever is there: several processes may write to one file, and
    what is written stays when the process is killed.
    """

    def __init__(self, path: str, spec: str | None) -> None:
        """Take the file, and the spec that its lines name.

        Raises:
            DataError: SD408, the file cannot be written to.
        """
        self.path = path
        self.run = (
            f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}-{time.monotonic_ns() % 10**6:06}"
        )
        """What the lines of this run have in common, and those of no other."""
        self.spec = spec
        _check_writable(path)

    def write(self, entry: Mapping[str, Any]) -> None:
        """Add a line.

        Raises:
            DataError: SD408, it cannot be written.
        """
        whole = {
            "run": self.run,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "spec": self.spec,
        }
        line = json.dumps({key: _short(one) for key, one in {**whole, **entry}.items()}, ensure_ascii=True)
        try:
            _append(self.path, line.encode() + b"\n")
        except OSError as error:
            raise _unwritable(self.path, (error.strerror or str(error)).lower()) from None


def default_path(spec: str | None, folder: str) -> str:
    """Return where the report goes unless the spec says so: beside the spec, `x.yaml` to `x.quarantine.jsonl`."""
    if spec is None:
        return os.path.join(folder, "quarantine.jsonl")
    return os.path.splitext(os.path.abspath(spec))[0] + ".quarantine.jsonl"


def _short(value: Any) -> Any:
    return f"{value[:_LONGEST]}..." if isinstance(value, str) and len(value) > _LONGEST else value


def _append(path: str, line: bytes) -> None:
    """Add a line to a file, all of it or nothing; behind a line that a full disk has cut off, on a line of its own."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o644)
    try:
        with _locked(handle):
            size = os.fstat(handle).st_size
            if size:
                os.lseek(handle, size - 1, os.SEEK_SET)
                line = line if os.read(handle, 1) == b"\n" else b"\n" + line
            if os.write(handle, line) < len(line):
                os.ftruncate(handle, size)
                raise OSError("no space left on device")
    finally:
        os.close(handle)


@contextlib.contextmanager
def _locked(handle: int) -> Generator[None, None, None]:
    """Keep other processes from the file, where the system and the file's disk can."""
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX)  # let go with the file
    except (ImportError, OSError):
        pass
    yield


def _check_writable(path: str) -> None:
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise _unwritable(path, "its folder does not exist")
    if os.path.isdir(path):
        raise _unwritable(path, "it is a folder")
    if not os.access(path if os.path.exists(path) else folder, os.W_OK):
        raise _unwritable(path, "it cannot be written to")


def _unwritable(path: str, why: str) -> DataError:
    message = f"cannot write the report {path}: {why}"
    way_out = "name another file: `on_error: {quarantine: {report: PATH}}`"
    return DataError([Problem("SD408", message, help=way_out)])
