"""The names under which a program refers to an object: variables, attributes, what a function closes over."""

from __future__ import annotations

import gc
import inspect
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from types import (
    AsyncGeneratorType,
    CellType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    ModuleType,
    TracebackType,
)
from typing import Any, Final, cast

_STEPS: Final = 8
"""How far it goes from an object to what names it: item of a list, of a dict, of an attribute, ..."""
_WIDTH: Final = 500
"""How many objects it looks at in one such step."""
_SECONDS: Final = 0.5
"""After this time it begins no further step, if it has a name."""
_PATIENCE: Final = 10.0
"""After this time it begins none in any case."""


def name_holders(targets: Sequence[object], ignore: Sequence[object] = ()) -> list[str]:
    """Return who refers to any of `targets`, directly or through containers, each once, in words.

    Args:
        targets: the objects.
        ignore: objects that are no answer, and that are not looked behind.

    One step through all of Python's objects takes some 30 ms with TensorFlow loaded; it stops after half
    a second, on a busy machine once it has a name.
    """
    search = _Search([*targets, *ignore, targets, ignore])
    level: list[object] = list(targets)
    began = time.monotonic()
    for _ in range(_STEPS):
        if not level or time.monotonic() - began > (_SECONDS if search.found else _PATIENCE):
            break
        level = search.step(level)
    return list(search.found)


class _Search:
    """A walk from objects to what refers to them, one step for all at a time, until something has a name."""

    def __init__(self, known: Sequence[object]) -> None:
        self.found: dict[str, None] = {}
        self.seen = {id(one) for one in known}
        # Locals of running functions are on no list of the collector's: they are read from the frames.
        self.locals = _running_locals()
        self.keys: dict[int, list[object]] = {}
        """The keys under which a dict that is no module has what is looked for, by its `id`."""
        self.seen |= {
            id(self),
            id(self.keys),
            id(self.__dict__),
            id(self.found),
            id(self.seen),
            id(self.locals),
        }
        self.modules: dict[int, str] = {}
        for name, module in _modules():  # `__mp_main__` is another name of `__main__`
            self.modules.setdefault(id(module.__dict__), name)

    def step(self, level: list[object]) -> list[object]:
        """Note the names of what refers to `level`, and return what has none."""
        for one in level:
            self.found |= dict.fromkeys(self.locals.get(id(one), ()))
        own = {id(level), id(inspect.currentframe())}
        children = {id(one) for one in level}
        further: list[object] = []
        for referrer in gc.get_referrers(*level):
            if id(referrer) in self.seen or id(referrer) in own:
                continue
            self.seen.add(id(referrer))
            names = self._names(referrer, children)
            self.found |= dict.fromkeys(names)
            if not names and not isinstance(referrer, FrameType):
                further.append(referrer)
        return further[:_WIDTH]

    def _names(self, referrer: object, children: set[int]) -> list[str]:
        """Return the names that `referrer` gives one of `children`; none for a mere container."""
        if isinstance(referrer, dict):
            module = self.modules.get(id(cast("object", referrer)))
            items = cast("dict[object, object]", referrer)
            if module is None:
                self.keys[id(items)] = _keys(items, children)
                return []
            return [f"the global `{name}` of `{module}`" for name in _keys(items, children)]
        if isinstance(referrer, FunctionType):
            return _function_names(referrer, children)
        frame = _suspended(referrer)
        if frame is not None:
            return [_local(name, frame) for name in _keys(_locals_of(frame), children)]
        if isinstance(referrer, _CONTAINERS) or type(referrer).__module__.startswith(_LIBRARIES):
            return []
        return _attribute_names(referrer, children, self.keys)


_CONTAINERS: Final = (list, tuple, set, frozenset, CellType, TracebackType, ModuleType)
_LIBRARIES: Final = ("tensorflow.", "keras.", "functools", "builtins", "collections", "weakref")
"""Modules whose objects are means, not ends: whoever holds them is the answer."""


def _modules() -> Iterator[tuple[str, ModuleType]]:
    for name, module in list(sys.modules.items()):
        if type(module) is ModuleType:
            yield name, module


def _keys(items: dict[Any, Any], children: set[int]) -> list[object]:
    return [key for key, value in list(items.items()) if id(value) in children]


def _attribute_names(referrer: object, children: set[int], keys: dict[int, list[object]]) -> list[str]:
    """Return the attributes of an object or a class that are one of `children`, or are its `__dict__`."""
    if isinstance(referrer, type):
        names = _keys(dict(vars(referrer)), children)
        return [f"the class attribute `{referrer.__qualname__}.{name}`" for name in names]
    kind = type(referrer)
    own = getattr(referrer, "__dict__", {})
    names = keys[id(own)] if id(own) in children & keys.keys() else _keys(own, children)
    slots = [
        name
        for base in kind.__mro__
        for name in _slots(base)
        if id(getattr(referrer, name, None)) in children
    ]
    whose = f"of a `{kind.__module__}.{kind.__qualname__}`"
    if not names and not slots:
        return [f"a value inside {whose.removeprefix('of ')}"]
    return [f"the attribute `{name}` {whose}" for name in [*names, *slots]]


def _slots(kind: type) -> Iterable[str]:
    slots = kind.__dict__.get("__slots__", ())
    return [slots] if isinstance(slots, str) else slots


def _function_names(function: FunctionType, children: set[int]) -> list[str]:
    where = f"the function `{function.__qualname__}` ({_file(function.__code__.co_filename)}"
    where += f":{function.__code__.co_firstlineno})"
    if id(function.__closure__) in children:
        return [f"a variable that {where} closes over"]
    return [f"a default or an attribute of {where}"]


def _suspended(referrer: object) -> FrameType | None:
    """Return the frame of a generator or coroutine that waits, or of a traceback."""
    if isinstance(referrer, GeneratorType):
        return referrer.gi_frame
    if isinstance(referrer, CoroutineType):
        return referrer.cr_frame
    if isinstance(referrer, AsyncGeneratorType):
        return referrer.ag_frame
    return referrer if isinstance(referrer, FrameType) else None


def _local(name: object, frame: FrameType) -> str:
    code = frame.f_code
    return f"the local variable `{name}` of `{code.co_name}` ({_file(code.co_filename)}:{frame.f_lineno})"


def _file(path: str) -> str:
    """Return a file's path as it is shortest from here, for messages."""
    try:
        relative = os.path.relpath(path)
    except (OSError, ValueError):  # no working directory; another drive
        return path
    return path if relative.startswith("..") or path.startswith("<") else relative


def _running_locals() -> dict[int, list[str]]:
    """Return what the variables of all running functions are called, by the `id` of their values."""
    found: dict[int, list[str]] = {}
    frames = sys._current_frames()  # pyright: ignore[reportPrivateUsage]  # the documented way to other threads
    for top in list(frames.values()):
        frame: FrameType | None = top
        while frame is not None:
            if not _ours(frame) and frame.f_code.co_flags & inspect.CO_OPTIMIZED:
                for name, value in _locals_of(frame).items():
                    found.setdefault(id(value), []).append(_local(name, frame))
            frame = frame.f_back
    return found


def _ours(frame: FrameType) -> bool:
    return frame.f_globals.get("__package__") == __package__


def _locals_of(frame: FrameType) -> dict[str, Any]:
    """Return a function's variables, without leaving them in its frame.

    Up to Python 3.12 reading `f_locals` leaves a dict in the frame that keeps every value alive until the
    function returns, also of variables that are deleted meanwhile. Where nobody else has that dict (the
    program would, by `locals()`; a debugger, by tracing) it is emptied again.
    """
    values = frame.f_locals
    copied = dict(values)
    # Its references: the frame's, `values`, and the argument of `getrefcount`.
    lone = type(values) is dict and sys.getrefcount(values) <= 3
    if lone and frame.f_trace is None and frame.f_code.co_flags & inspect.CO_OPTIMIZED:
        values.clear()
    return copied
