"""Which modules a caller allows, and which of these a spec may therefore name."""

from __future__ import annotations

import re
from collections.abc import Collection, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from safedata.problem import Fault

MODULE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*", re.ASCII)
"""A module's dotted name, as an import statement has it."""

_ALLOWED: Final[ContextVar[tuple[str, ...]]] = ContextVar("allowed", default=())
"""What the caller of the running check, or compilation, allows; nothing that a spec says gets in here."""


@contextmanager
def allowing(allow: Collection[str]) -> Generator[None, None, None]:
    """Let specs name these modules while the block runs.

    Raises:
        ValueError: as for `modules`.
    """
    token = _ALLOWED.set(modules(allow))
    try:
        yield
    finally:
        _ALLOWED.reset(token)


def allowed() -> tuple[str, ...]:
    """Return the modules that the running check, or compilation, allows."""
    return _ALLOWED.get()


def modules(allow: Collection[str]) -> tuple[str, ...]:
    """Return the modules that a caller allows.

    Raises:
        ValueError: it is one text and no list, or a part of it is no module's name.
    """
    if isinstance(allow, str):
        raise ValueError(f'`allow` takes a list of modules: `allow=["{allow}"]`')
    for one in allow:
        if not MODULE.fullmatch(str(one)):
            raise ValueError(f"`{one}` is not a module's name; write it as an import does: package.module")
    return tuple(allow)


def is_allowed(module: str, allow: Collection[str]) -> bool:
    """Return whether a module is one of those allowed, or lies inside one that is a package.

    `acme` allows `acme`, `acme.vision` and what is below; `acme.vision` allows neither `acme` nor `acme.visions`.
    """
    return any(module == one or module.startswith(f"{one}.") for one in allow)


def refusal(what: str, module: str) -> Fault:
    """Return the fault of something that needs a module which the caller does not allow.

    Args:
        what: what the spec names, in backticks, and what it is of the module: "`acme.vision:cut` is a function of".
        module: the module's name.
    """
    return Fault(
        "SD231",
        f"{what} `{module}`, which the caller does not allow",
        notes=("a spec cannot allow a module itself; what is not allowed is not imported",),
        help=f'if you trust that code: `--allow {module}`, or `allow=["{module}"]` in Python',
    )
