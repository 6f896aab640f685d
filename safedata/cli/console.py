"""Where text goes: data to stdout, everything else to stderr; colour only on a terminal."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    import argparse


class Console:
    """The two streams of one command.

    A reader that goes away (`safedata schema | head`) is no error: the rest is dropped, and the exit status
    stays what the command has found.
    """

    def __init__(self, *, quiet: bool = False, no_color: bool = False) -> None:
        self.quiet = quiet
        self.no_color = no_color

    @classmethod
    def of(cls, args: argparse.Namespace) -> Console:
        """Return the console that the common flags ask for."""
        return cls(quiet=args.quiet, no_color=args.no_color)

    def data(self, text: str) -> None:
        """Write what was asked for, as lines on stdout.

        Raises:
            DataError: SD408, stdout cannot be written to.
        """
        try:
            emit(sys.stdout, text + "\n")
        except OSError as error:
            from safedata.problem import DataError, Problem

            message = f"cannot write the output: {error.strerror}"
            raise DataError([Problem("SD408", message, help="send it somewhere with room")]) from None

    def note(self, text: str) -> None:
        """Write a remark on stderr, unless `--quiet` was given."""
        if not self.quiet:
            self.error(text)

    def error(self, text: str) -> None:
        """Write what must be said on stderr."""
        try:
            emit(sys.stderr, text + "\n")
        except OSError:  # nobody is left to be told
            return

    @property
    def color(self) -> bool:
        """Whether stdout takes colour."""
        return self._colored(sys.stdout)

    @property
    def error_color(self) -> bool:
        """Whether stderr takes colour."""
        return self._colored(sys.stderr)

    @property
    def live(self) -> bool:
        """Whether stderr can show a line that changes."""
        return not self.quiet and _is_terminal(sys.stderr)

    def _colored(self, stream: TextIO | None) -> bool:
        if self.no_color or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
            return False
        return _is_terminal(stream)


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty()


def emit(stream: TextIO | None, text: str) -> None:
    """Write and flush; what the encoding lacks becomes escapes, a closed pipe is let go.

    Raises:
        OSError: it cannot be written; the stream is let go too, or Python would end with a status of its own.
    """
    if stream is None:
        return
    try:
        try:
            stream.write(text)
        except UnicodeEncodeError:
            encoding = stream.encoding or "ascii"
            stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    except BrokenPipeError:
        _let_go(stream)
    except OSError:
        _let_go(stream)
        raise


def _let_go(stream: TextIO) -> None:
    """Point the stream at nothing, so that the flush when Python ends is quiet too."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, stream.fileno())
    os.close(nothing)
