"""One child process with a socket to it, which is gone when its `with` block is left."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Final, NamedTuple

from safedata.isolation.child import HEADER
from safedata.machine import resident
from safedata.machine.files import read_table

if TYPE_CHECKING:
    from typing_extensions import Self

_LOOK: Final = 0.1
"""Seconds between two looks at whether the child still runs, and how much it holds."""
_GRACE: Final = 5.0
"""Seconds that a child has to end after it was interrupted."""


class Ended(NamedTuple):
    """How a child ended."""

    reply: bytes | None
    """The message that it sent, without its header; None where it sent none, or not all of it."""
    status: int | None
    """What it exited with; None after a signal, and where somebody else took its status."""
    signal: int | None
    peak: int | None
    """The most resident bytes that it had; None where the system does not tell."""
    late: bool
    """Whether it was ended because its time was over."""


class Process:
    """A fresh interpreter that runs `main` of `child`. It starts by `exec`: TensorFlow does not survive a fork."""

    def __init__(self, message: bytes, timeout: float | None) -> None:
        """Start the child.

        Args:
            message: what it is sent, header included.
            timeout: seconds until it is ended; None for never.
        """
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._out = memoryview(message)
        self._in = bytearray()
        self._status: int | None = None
        self._gone = False
        self._late = False
        self._looked = 0.0
        self._own_peak = resident().peak or 0
        self._peak: int | None = None
        self._link, theirs = socket.socketpair()
        with theirs:
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or not there
                    stream.flush()
            self._link.setblocking(False)
            try:
                self._process = subprocess.Popen(
                    _command(theirs.fileno()), stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(),)
                )
            except BaseException:
                self._link.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._end()
        finally:
            self._link.close()

    def run(self) -> Ended:
        """Send the message, wait for the reply and for the end of the child."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._link, selectors.EVENT_READ | selectors.EVENT_WRITE)
            while not self._look():
                self._exchange(selector)
                if self._deadline is not None and time.monotonic() > self._deadline:
                    self._late = self._reply() is None
                    self._end()
            self._drain()
        code = None if self._status is None else os.waitstatus_to_exitcode(self._status)
        by = None if code is None or code >= 0 else -code
        return Ended(self._reply(), None if by else code, by, self._peak, self._late)

    def leave(self) -> None:
        """Have `run` end the child now; for another thread than that of `run`."""
        self._deadline = time.monotonic()

    def _exchange(self, selector: selectors.BaseSelector) -> None:
        """Send and receive what can be, waiting for it a little."""
        if not selector.get_map():  # its end of the socket is closed
            time.sleep(0.005)
            return
        for _, events in selector.select(_LOOK):
            if events & selectors.EVENT_WRITE:
                self._send()
                if not self._out:
                    selector.modify(self._link, selectors.EVENT_READ)
            if events & selectors.EVENT_READ and not self._drain():
                selector.unregister(self._link)

    def _send(self) -> None:
        try:
            self._out = self._out[self._link.send(self._out[: 1 << 20]) :]
        except BlockingIOError:
            pass
        except OSError:  # it has ended; why is told by its status
            self._out = self._out[:0]

    def _drain(self) -> bool:
        """Take what has arrived; return whether more may come."""
        while True:
            try:
                part = self._link.recv(1 << 20)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not part:
                return False
            self._in += part

    def _reply(self) -> bytes | None:
        if self._late or len(self._in) < HEADER.size:
            return None
        size = HEADER.unpack_from(self._in)[0]
        whole = len(self._in) >= HEADER.size + size
        return bytes(memoryview(self._in)[HEADER.size : HEADER.size + size]) if whole else None

    def _look(self, *, wait: bool = False) -> bool:
        """Return whether the child has ended; note what it holds, or what it held in all."""
        if self._gone:
            return True
        now = time.monotonic()
        if now - self._looked >= _LOOK:  # not for every part of a long message
            self._looked = now
            seen = (read_table("/", f"/proc/{self._process.pid}/status") or {}).get("VmHWM")
            self._peak = max(self._peak or 0, seen) if seen else self._peak
        try:
            pid, status, usage = os.wait4(self._process.pid, 0 if wait else os.WNOHANG)
        except ChildProcessError:  # a handler of SIGCHLD in the program was faster
            self._gone, self._process.returncode = True, -1
            return True
        if not pid:
            return False
        self._gone, self._status = True, status
        self._process.returncode = os.waitstatus_to_exitcode(status)
        most = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        # Linux counts the parent's pages from before `exec`: only above the parent's own peak is it the child's.
        if most > self._own_peak:
            self._peak = max(self._peak or 0, most)
        return True

    def _end(self) -> None:
        """End the child: by an interrupt, so that its `with` blocks are left, and by force where that takes long."""
        if self._look():
            return
        try:
            self._signal(signal.SIGINT)
            over = time.monotonic() + _GRACE
            while not self._look() and time.monotonic() < over:
                time.sleep(0.02)
        finally:  # also when this wait is interrupted
            if not self._look():
                self._signal(signal.SIGKILL)
                self._look(wait=True)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, number)


def _command(handle: int) -> list[str]:
    """Return the command of a child: this interpreter with its options, and this package wherever it lies."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    code = (
        f"import sys; sys.path.insert(0, {root!r}); from safedata.isolation.child import main; main({handle})"
    )
    options = [f"-W{option}" for option in sys.warnoptions] + ["-O"] * sys.flags.optimize
    given = sys._xoptions  # pyright: ignore[reportPrivateUsage]  # documented, for CPython
    options += [f"-X{name}" if value is True else f"-X{name}={value}" for name, value in given.items()]
    return [sys.executable, *options, "-c", code]
