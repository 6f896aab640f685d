"""`safedata.isolated`: a function in a process of its own, which takes its memory along when it ends."""

from __future__ import annotations

import functools
import os
import pickle
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType, ModuleType
from typing import Any, Final, TypeVar, cast

from safedata.isolation import child
from safedata.isolation.child import Reply, Request
from safedata.isolation.process import Ended, Process
from safedata.memory import format_size
from safedata.problem import IsolatedError, Problem

T = TypeVar("T")


class IsolatedTimeoutError(IsolatedError, TimeoutError):
    """A function that did not return in the time that its caller gave it."""


class RemoteTraceback(Exception):
    """The cause of an exception that came from another process: its traceback there, as text."""

    def __str__(self) -> str:
        return f"\n\n{self.args[0]}"


def isolated(function: Callable[..., T], /, *args: Any, timeout: float | None = None, **kwargs: Any) -> T:
    """Return `function(*args, **kwargs)`, called in a fresh process; its memory, GPU memory too, ends with it.

    The process starts without TensorFlow and without what this one has set up. The function, its arguments and its
    result cross as pickles: the function by its module and name, so it must be at the top level of a module or of
    the script. A script's own functions are found by loading it under another name, as `multiprocessing` does, so
    the call in it stands under `if __name__ == "__main__":`. What the function prints goes where this process prints.

    For Linux and macOS.

    Args:
        function: what to call.
        args: its arguments.
        timeout: seconds after which the process is ended. For an argument of the function with this name, use
            `functools.partial`.
        kwargs: its keyword arguments.

    Raises:
        IsolatedError: SD507, the function, an argument or the result cannot be sent; SD508, the process ended before
            it returned: `signal` and `peak` say how.
        IsolatedTimeoutError: SD508, it did not return in time.
        BaseException: what the function raised, of the same type; its cause is the traceback there.
    """
    with started(function, args, kwargs, timeout) as process:
        end = process.run()
    return cast("T", outcome(function, end, timeout))


def started(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any] = MappingProxyType({}),
    timeout: float | None = None,
) -> Process:
    """Return a fresh process that calls a function as soon as its `run` is called; arguments as for `isolated`.

    Raises:
        IsolatedError: SD507, the function or an argument cannot be sent.
    """
    if child.loading_main:
        raise _unguarded(function)
    request = Request(_packed(function, args, dict(kwargs)), _script(), list(sys.path), list(sys.argv))
    return Process(child.pack(request), timeout)


def outcome(function: Callable[..., Any], end: Ended, timeout: float | None = None) -> Any:
    """Return what the function of a process returned, or raise what it raised; as for `isolated`.

    Args:
        function: what it called.
        end: how it ended.
        timeout: the seconds that it had.
    """
    if end.reply is None:
        raise _without_reply(function, end, timeout)
    return _outcome(function, Reply(*pickle.loads(end.reply)))


def _script() -> tuple[str, str] | None:
    """Return how another process loads this one's `__main__`; None where it has no file."""
    main = sys.modules["__main__"]
    name = getattr(getattr(main, "__spec__", None), "name", None)
    if name is not None:
        return "module", name
    path = getattr(main, "__file__", None)
    return ("file", os.path.abspath(path)) if path and os.path.isfile(path) else None


def _main() -> ModuleType:
    return sys.modules["__main__"]


def _packed(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    if not callable(function):
        raise TypeError(f"`isolated` takes a function and its arguments, not a `{type(function).__name__}`")
    try:
        return pickle.dumps((function, args, kwargs), pickle.HIGHEST_PROTOCOL)
    # Whatever a class' own way of pickling raises.
    except Exception as error:
        raise _unsendable(function, args, kwargs, error) from error


def _unsendable(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], error: Exception
) -> IsolatedError:
    """Return the error that names which part of a call cannot be pickled, and why."""
    reason = _reason(function)
    if reason is not None or not _pickles(function):
        message = f"the function `{_title(function)}` cannot be sent to another process: {reason or error}"
        return _sd507(
            message, "define it with `def` at the top level of a module, and give what it needs as arguments"
        )
    named = [(f"argument {number}", value) for number, value in enumerate(args, 1)]
    named += [(f"the argument `{name}`", value) for name, value in kwargs.items()]
    which = next(
        (f"{name}, a `{_kind(value)}`," for name, value in named if not _pickles(value)), "an argument"
    )
    message = f"{which} of `{_title(function)}` cannot be sent to another process: {error}"
    return _sd507(
        message, "send what it is made from, such as a path or numbers, and make it in the function"
    )


def _reason(function: Callable[..., Any]) -> str | None:
    inner = function
    while isinstance(inner, functools.partial):
        inner = inner.func
    name = getattr(inner, "__qualname__", "")
    if "<lambda>" in name:
        return "it is a lambda, which has no name to find it by"
    return "it is defined inside another function" if "<locals>" in name else None


def _pickles(value: object) -> bool:
    try:
        pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    except Exception:  # whatever a class' own way of pickling raises
        return False
    return True


def _title(function: Callable[..., Any]) -> str:
    inner = function
    while isinstance(inner, functools.partial):
        inner = inner.func
    return str(getattr(inner, "__qualname__", type(inner).__qualname__))


def _kind(value: object) -> str:
    return type(value).__qualname__


def _sd507(message: str, way_out: str) -> IsolatedError:
    return IsolatedError([Problem("SD507", message, help=way_out)])


def _unguarded(function: Callable[..., Any]) -> IsolatedError:
    message = f"the script calls `isolated({_title(function)}, ...)` again while the new process loads it"
    return _sd507(
        message, 'put the call under `if __name__ == "__main__":`, or the function in a module of its own'
    )


def _outcome(function: Callable[..., Any], reply: Reply) -> Any:
    """Return what the function returned, or raise what it raised.

    Raises:
        IsolatedError: SD507, the result cannot be sent or read.
        BaseException: the function's own.
    """
    title = _title(function)
    if reply.kind == "unsent":
        message = f"the result of `{title}`, a `{reply.name}`, cannot be sent back: {reply.text}"
        raise _sd507(
            message, "return what can be pickled, such as numbers, arrays, or the path of a file it wrote"
        )
    if reply.kind == "unloaded":
        message = f"`{title}` cannot be loaded in the new process: {reply.name}: {reply.text}"
        way_out = 'put it in a module that can be imported, and the script\'s work under `if __name__ == "__main__":`'
        raise _sd507(message, way_out) from RemoteTraceback(reply.trace)
    try:
        value = None if reply.value is None else child.unpickle(reply.value, _main)
    # Whatever a class' own way of unpickling raises.
    except Exception as error:
        message = f"what `{title}` sent back cannot be read here: {type(error).__name__}: {error}"
        raise _sd507(message, "return plain values, such as numbers and arrays") from error
    if reply.kind == "returned":
        return value
    cause = RemoteTraceback(reply.trace)
    if isinstance(value, BaseException):
        raise value from cause
    message = f"`{title}` raised `{reply.name}`: {reply.text}"
    raise _sd507(
        message, "define the exception at the top level of a module, so that it can be sent"
    ) from cause


def _without_reply(function: Callable[..., Any], ended: Ended, timeout: float | None) -> IsolatedError:
    """Return the error for a process that ended, or was ended, before its function returned."""
    title = _title(function)
    kind = IsolatedError
    if ended.late:
        kind = IsolatedTimeoutError
        message, way_out = (
            f"`{title}` did not return within {timeout:g} s and was ended",
            "give it a longer `timeout`",
        )
    elif ended.signal is None:
        how = "" if ended.status is None else f" with status {ended.status}"
        message = f"the process of `{title}` ended{how} before the function returned"
        way_out = "look for a call of `os._exit`, and at what the process printed"
    else:
        name, meaning, way_out = _SIGNALS.get(ended.signal, _OTHER)
        message = f"the process of `{title}` {meaning} ({name or f'signal {ended.signal}'})"
    if ended.peak is not None:
        message += f"; it held up to {format_size(ended.peak)} of host memory"
    error = kind([Problem("SD508", message, help=way_out)])
    error.signal, error.peak = ended.signal, ended.peak
    return error


_OTHER: Final = ("", "was ended by a signal", "look for what sends it")
_SIGNALS: Final = {
    2: ("SIGINT", "was interrupted", "look for what sends the interrupt"),
    4: ("SIGILL", "crashed on an instruction that this CPU lacks", "install a TensorFlow made for this CPU"),
    6: ("SIGABRT", "gave up", "look at what it printed: a failed check in a library ends so"),
    7: ("SIGBUS", "crashed on memory that is gone", "look for a file that got shorter, or a full /dev/shm"),
    8: ("SIGFPE", "crashed in arithmetic", "run the function here with `python -X faulthandler`"),
    9: (
        "SIGKILL",
        "was killed by the system, most likely because memory ran out",
        "lower its batch or buffers until `safedata check` says that it fits, or see `dmesg` for what was killed",
    ),
    11: ("SIGSEGV", "crashed in a library", "run the function here with `python -X faulthandler`"),
    15: (
        "SIGTERM",
        "was told to end by another process",
        "look for what sends it: a scheduler's time limit, say",
    ),
}
"""For each signal its name, what it means as a verb, and one thing to do."""
