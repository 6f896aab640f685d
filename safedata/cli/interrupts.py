"""Ctrl-C that counts wherever it arrives."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_AGAIN: Final = 0.02
"""Seconds until a lost interrupt is sent once more: by then what has lost it is over."""


class _Interrupt(KeyboardInterrupt):
    """One that knows when it is gone."""

    running: bool = True
    """Whether what it should end still runs."""

    def __del__(self) -> None:
        if _Interrupt.running:
            _send_again()


@contextmanager
def heard() -> Generator[None, None, None]:
    """Have an interrupt that gets lost sent again, until it ends what runs.

    Python drops what is raised in a destructor, and libraries what is raised while they ask whether an object has an
    attribute. TensorFlow does both for each element that is read from Python: one Ctrl-C in six was lost there. Whoever
    handles an exception holds it meanwhile; one that is gone while the work goes on has been lost.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:  # ignored, or somebody else's
        yield
        return
    try:
        signal.signal(signal.SIGINT, _raise)
    except ValueError:  # not the main thread, the only one that hears signals
        yield
        return
    _Interrupt.running = True
    told = sys.unraisablehook

    def untold(lost: UnraisableHookArgs) -> None:
        if lost.exc_type is not _Interrupt:
            told(lost)

    sys.unraisablehook = untold
    try:
        yield
    finally:
        _Interrupt.running = False
        sys.unraisablehook = told
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _raise(_signal: int, _frame: FrameType | None) -> None:
    raise _Interrupt


def _send_again() -> None:
    """Interrupt this process a moment later; what is raised by a destructor would be lost once more."""
    from threading import Timer  # few runs are interrupted

    timer = Timer(_AGAIN, _interrupt)
    timer.daemon = True
    timer.start()


def _interrupt() -> None:
    # Once the work is over nobody waits for it any more, and Python would print a traceback as it ends.
    if _Interrupt.running:
        os.kill(os.getpid(), signal.SIGINT)
