"""The other side of `safedata.isolated`: the process that is sent one call, and sends back what came of it.

Both sides speak over one socket. A message is its length in 8 bytes and a pickled tuple of plain values; what the
program's own classes are needed for is pickled inside it once more, so that a failure there can be told apart.
Only the standard library: a child is ready after some 60 ms, before it imports anything of the call.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import os
import pickle
import runpy
import signal
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any, Final, NamedTuple

HEADER: Final = struct.Struct("<Q")
"""What stands before a message: the number of its bytes."""
MAIN: Final = "__mp_main__"
"""What the program's script is called while a child loads it, as with `multiprocessing`: not `__main__`."""

loading_main = False
"""Whether this process is a child that loads the program's script: a call of `isolated` then has no guard."""


class Request(NamedTuple):
    """What a child needs to make a call."""

    call: bytes
    """The function, its arguments and its keyword arguments, pickled."""
    script: tuple[str, str] | None
    """How to load the program's `__main__`: `module` and its name, or `file` and its path; None where it has none."""
    path: list[str]
    argv: list[str]


class Reply(NamedTuple):
    """What came of a call."""

    kind: str
    """`returned`, `raised`; `unsent`: there is a result, and it cannot be pickled; `unloaded`: there was no call."""
    value: bytes | None
    """The result or the exception, pickled; None where it cannot be."""
    name: str = ""
    """The type of the result or the exception."""
    text: str = ""
    """Why it cannot be pickled, or what the exception says."""
    trace: str = ""


def pack(message: Request | Reply) -> bytes:
    """Return a message as the bytes that cross."""
    body = pickle.dumps(tuple(message), pickle.HIGHEST_PROTOCOL)
    return HEADER.pack(len(body)) + body


def main(handle: int) -> None:
    """Take one call from the socket `handle`, make it, and send what came of it."""
    # Registered first, so it runs last: TensorFlow's threads must not keep or break the end of the process.
    atexit.register(_leave)
    os.set_inheritable(handle, False)
    link = socket.socket(fileno=handle)
    request = Request(*pickle.loads(_receive(link)))
    sys.path[:], sys.argv[:] = request.path, request.argv
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # inherited from a shell's background; ours ends it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_end_with_parent, args=(link,), daemon=True).start()
    reply = _answer(request)
    with contextlib.suppress(OSError):  # the parent has gone, and waits for nothing
        link.sendall(pack(reply))


def _leave() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or not there
            stream.flush()
    os._exit(0)


def _receive(link: socket.socket) -> bytes:
    def exactly(count: int) -> bytes:
        body = bytearray()
        while len(body) < count:
            part = link.recv(min(count - len(body), 1 << 20))
            if not part:
                os._exit(1)  # the parent has gone
            body += part
        return bytes(body)

    return exactly(HEADER.unpack(exactly(HEADER.size))[0])


def _end_with_parent(link: socket.socket) -> None:
    """End this process as soon as the parent's end of the socket closes: a killed parent leaves no child."""
    with contextlib.suppress(OSError):
        while link.recv(1):
            pass
    os._exit(1)


def _answer(request: Request) -> Reply:
    try:
        function, args, kwargs = unpickle(request.call, lambda: _load_script(request.script))
    except BaseException as error:
        return _raised(error, "raised" if _ours(error) else "unloaded")
    try:
        result = function(*args, **kwargs)
    except BaseException as error:  # SystemExit and KeyboardInterrupt too: the caller raises them again
        return _raised(error, "raised")
    try:
        return Reply("returned", pickle.dumps(result, pickle.HIGHEST_PROTOCOL))
    except Exception as error:
        return Reply("unsent", None, _name(result), f"{type(error).__name__}: {error}")


def _ours(error: BaseException) -> bool:
    return type(error).__module__ == "safedata.problem"


def unpickle(data: bytes, script: Callable[[], ModuleType]) -> Any:
    """Return what `data` has pickled; names of the program's script are looked up in `script()`."""

    class Unpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            if module in ("__main__", MAIN):
                found: Any = script()
                for part in name.split("."):
                    found = getattr(found, part)
                return found
            return super().find_class(module, name)

    return Unpickler(io.BytesIO(data)).load()


def _load_script(script: tuple[str, str] | None) -> ModuleType:
    """Load the program's script under another name, so that what it guards with `__name__` does not run again."""
    global loading_main
    if MAIN in sys.modules:
        return sys.modules[MAIN]
    if script is None:
        raise LookupError("it is defined in an interactive session, which another process cannot load")
    kind, name = script
    loading_main = True
    try:
        run = runpy.run_module(name, run_name=MAIN, alter_sys=True) if kind == "module" else None
        module = ModuleType(MAIN)
        module.__dict__.update(runpy.run_path(name, run_name=MAIN) if run is None else run)
    finally:
        loading_main = False
    sys.modules["__main__"] = sys.modules[MAIN] = module
    return module


def _raised(error: BaseException, kind: str) -> Reply:
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    text = "".join(traceback.format_exception(type(error), error, trace))
    return Reply(kind, _sendable(error), _name(error), _said(error), text)


def _said(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # an exception's own `__str__` may fail
        return "(no text)"


def _sendable(error: BaseException) -> bytes | None:
    """Return an exception pickled, whole or with what of it can be; None where its type cannot be named."""
    for again in _copies(error):
        with contextlib.suppress(
            Exception
        ):  # whatever `__reduce__` and `__init__` of the program's classes raise
            data = pickle.dumps(again(), pickle.HIGHEST_PROTOCOL)
            copy = pickle.loads(data)
            if type(copy) is type(error):
                str(copy)  # a part that is missing shows here
                return data
    return None


def _copies(error: BaseException) -> Iterable[Callable[[], object]]:
    """Yield ways to send an exception: as it pickles itself; made without its `__init__`; with its text alone."""
    yield lambda: error
    yield lambda: Rebuilt(type(error), error.args, _only_sendable(error.__dict__))
    yield lambda: Rebuilt(type(error), (_said(error),), _only_sendable(error.__dict__))


class Rebuilt(NamedTuple):
    """An exception to be made without a call of its `__init__`, which may want other arguments than `args`."""

    kind: type[BaseException]
    args: tuple[Any, ...]
    state: dict[str, Any]

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuild, tuple(self)


def rebuild(kind: type[BaseException], args: tuple[Any, ...], state: dict[str, Any]) -> BaseException:
    """Return an exception with these `args` and attributes; its `__init__` does not run."""
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


def _only_sendable(state: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in state.items():
        with contextlib.suppress(Exception):
            pickle.loads(pickle.dumps(value))
            kept[name] = value
    return kept


def _name(value: object) -> str:
    kind = type(value)
    module = kind.__module__.replace(MAIN, "__main__")
    return kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"
