"""The Python function that a `call` names: `package.module:function`."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final, cast

from safedata.external.allowing import MODULE, allowed, is_allowed, refusal
from safedata.problem import Fault, did_you_mean
from safedata.records import record

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)


@record(frozen=True, slots=True)
class Target:
    """A function, by the module that defines it and its name there."""

    module: str
    function: str

    def __str__(self) -> str:
        return f"{self.module}:{self.function}"


def parse_target(text: str, *, known: bool = False) -> Target:
    """Return the function that a text such as `acme.vision:cut` names; nothing is imported.

    Args:
        text: what the spec says.
        known: whether the caller's leave was asked for before; `find` asks for it once more.

    Raises:
        Fault: SD105, it is no such text; SD231, the caller does not allow the module.
    """
    module, colon, function = text.partition(":")
    if not colon or not MODULE.fullmatch(module) or not _NAME.fullmatch(function):
        message = f"`{text}` names no function of a module; names that start with `_` are the module's own"
        raise Fault("SD105", message, ("call",), help="write `package.module:function`")
    if not known and not is_allowed(module, allowed()):
        raise refusal(f"`{text}` is a function of", module).under("call")
    return Target(module, function)


def find(target: Target) -> Callable[..., Any]:
    """Import the module of a target and return its function.

    A module can be asked only for what it, or another allowed module, defines: what it merely imports, `os.system`
    say, is no function of its own.

    Raises:
        Fault: SD231, the module is not allowed; SD232, it cannot be imported, or has no such function of its own.
    """
    if not is_allowed(target.module, allowed()):
        raise refusal(f"`{target}` is a function of", target.module).under("call")
    module = imported(target.module)
    made = getattr(module, target.function, None)
    if made is None:
        message = f"`{target.module}` has no function `{target.function}`"
        raise _unusable(message, did_you_mean(target.function, _functions(module), what="its functions"))
    if not callable(made) or isinstance(made, type):
        kind = "class" if isinstance(made, type) else type(made).__name__
        raise _unusable(f"`{target}` is no function, but a {kind}", "write a function around it, with `def`")
    if not _own(made):
        home = getattr(made, "__module__", None) or "no module of Python's"
        way_out = f"define a function in `{target.module}` that calls it, with `def`"
        raise _unusable(f"`{target}` is not defined there, but in `{home}`", way_out)
    return cast("Callable[..., Any]", made)


def imported(module: str) -> ModuleType:
    """Import a module that the caller allows, from wherever Python finds it.

    Raises:
        Fault: SD232, there is none, or it fails while it is imported; its exception is the cause.
    """
    try:
        return importlib.import_module(module)
    except Exception as error:  # whatever somebody else's module raises
        way_out = "mend what its import raises"
        if isinstance(error, ModuleNotFoundError) and error.name:
            way_out = f"install the package that has `{error.name}`, or put its folder into PYTHONPATH"
        raise _unusable(f"`{module}` cannot be imported: {type(error).__name__}: {error}", way_out) from error


def _unusable(message: str, way_out: str) -> Fault:
    return Fault("SD232", message, ("call",), help=way_out)


def _functions(module: ModuleType) -> list[str]:
    return [name for name, one in vars(module).items() if _NAME.fullmatch(name) and _own(one)]


def _own(made: object) -> bool:
    home = getattr(made, "__module__", None)
    return (
        callable(made)
        and not isinstance(made, type)
        and isinstance(home, str)
        and is_allowed(home, allowed())
    )
