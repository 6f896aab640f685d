"""Finds a source, stage or operation by its name: one module for each, named like it.

Only the modules that a spec names are imported, so a check costs the same however large the
vocabulary grows. `random_crop` lives in `random_crop.py`, in a family folder for operations, and
is the class `RandomCrop` there.
"""

from __future__ import annotations

import importlib
import os
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple, cast

if TYPE_CHECKING:
    from safedata.ops.base import Op
    from safedata.sources.base import Source
    from safedata.stages.base import Stage

_HERE = os.path.dirname(__file__)


@cache
def names(package: str) -> dict[str, str]:
    """Return each name in `sources`, `stages` or `ops` with the module that defines it."""
    found: dict[str, str] = {}
    _collect(os.path.join(_HERE, package), f"safedata.{package}", found)
    return dict(sorted(found.items()))


def _collect(folder: str, package: str, found: dict[str, str]) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name[0] in "_.":
                continue
            if entry.is_dir():
                _collect(entry.path, f"{package}.{entry.name}", found)
            elif entry.name.endswith(".py") and entry.name != "base.py":
                name = entry.name[:-3]
                found[name] = f"{package}.{name}"


def source(name: str) -> type[Source]:
    """Return the class of the source with this name, one of `names("sources")`."""
    return cast("type[Source]", _load("sources", name))


def stage(name: str) -> type[Stage]:
    """Return the class of the stage with this name, one of `names("stages")`."""
    return cast("type[Stage]", _load("stages", name))


def op(name: str) -> type[Op]:
    """Return the class of the operation with this name, one of `names("ops")` or of `registered`."""
    if name in registered:
        return registered[name].op
    if name == "call":  # which is no name: an entry that has it as a key is one
        return cast("type[Op]", importlib.import_module("safedata.ops._call").PythonCall)
    return cast("type[Op]", _load("ops", name))


class Registered(NamedTuple):
    """An operation that is not ours, made known with `safedata.op`."""

    op: type[Op]
    version: str | None
    package: str | None
    """The installed package that it was loaded from for a spec; None where the program imported it itself."""

    @property
    def home(self) -> str:
        """The class, with its module."""
        return f"{self.op.__module__}.{self.op.__qualname__}"


registered: Final[dict[str, Registered]] = {}
"""The operations that are not ours, by name; `safedata.ops._registered` fills it."""


def _load(package: str, name: str) -> object:
    module = importlib.import_module(names(package)[name])
    return getattr(module, class_name(name))


def class_name(name: str) -> str:
    """Return the class that the module of this name defines: `random_crop` gives `RandomCrop`."""
    return "".join(part.capitalize() for part in name.split("_"))
