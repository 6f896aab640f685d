"""Operations that are not ours: those of the calling program, and those of installed packages that it allows.

A package says which it has under `[project.entry-points."safedata.ops"]`. Reading that imports nothing of it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, TypeVar, overload

from safedata import registry
from safedata.external.allowing import allowed, is_allowed, refusal
from safedata.external.target import imported
from safedata.ops.base import Op
from safedata.problem import Fault, Problem, SpecError
from safedata.registry import Registered, registered

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP: Final = "safedata.ops"
"""The group of entry points that packages use: `clahe = "acme.vision:Clahe"`."""
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", re.ASCII)
_TAKEN: Final = ("call", "from")
_loading: Final[ContextVar[str | None]] = ContextVar("loading", default=None)
"""The installed package whose operations are being imported for a spec."""

_Class = TypeVar("_Class", bound=type[Op])


@overload
def op(cls: _Class, /) -> _Class: ...
@overload
def op(*, name: str | None = None, version: str | int | None = None) -> Callable[[_Class], _Class]: ...
def op(
    cls: _Class | None = None, /, *, name: str | None = None, version: str | int | None = None
) -> _Class | Callable[[_Class], _Class]:
    """Make a class an operation that specs can name, as `@safedata.op` or `@safedata.op(version=2)`.

    Args:
        cls: a subclass of `safedata.ops.base.Op`, with a docstring and an `example`.
        name: what specs call it; by default the class's name in small letters: `RandomFog` is `random_fog`.
        version: another one says that it makes other elements than before; it goes into manifests.

    Raises:
        SpecError: SD235, the class or the name cannot be one of an operation; SD237, the name is taken.
    """

    def made(found: _Class) -> _Class:
        _register(found, name, None if version is None else str(version))
        return found

    return made if cls is None else made(cls)


def _register(cls: type[Op], name: str | None, version: str | None) -> None:
    flaw = _flaw(cls)
    if flaw is not None:
        raise _refused("SD235", f"`{getattr(cls, '__name__', cls)}` {flaw}", "see `safedata explain SD235`")
    key = name or _snake(cls.__name__)
    if not _NAME.fullmatch(key):
        raise _refused("SD235", f"`{key}` is no name for an operation", "write small letters: `random_fog`")
    new = Registered(cls, version, _loading.get())
    old = registered.get(key)
    if key in registry.names("ops") or key in _TAKEN:
        message = f"`{key}` of `{new.home}` has the name of one of safedata's own operations"
        raise _refused("SD237", message, f'give it a name of its own: `@safedata.op(name="my_{key}")`')
    if old is not None and old.home != new.home:  # the same again is a module that was loaded anew
        message = f"`{key}` is an operation of `{old.home}` and of `{new.home}`"
        raise _refused("SD237", message, "give one of them another name: `@safedata.op(name=...)`")
    setattr(cls, "key", classmethod(lambda _: key))  # noqa: B010  # to type checkers a method is not assigned
    registered[key] = new


def _flaw(cls: object) -> str | None:
    """Return what keeps a class from being an operation, as the rest of a sentence."""
    if not (isinstance(cls, type) and issubclass(cls, Op)):
        return "is no subclass of `safedata.ops.base.Op`"
    if inspect.isabstract(cls):
        return f"does not define {', '.join(f'`{one}`' for one in sorted(cls.__abstractmethods__))}"
    if not (vars(cls).get("__doc__") or "").strip():
        return "has no docstring, which is what people read of it"
    return None if isinstance(vars(cls).get("example"), str) else "has no `example`, a chain's entry as text"


def _refused(code: str, message: str, way_out: str) -> SpecError:
    return SpecError([Problem(code, message, help=way_out)])


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def find(name: str) -> bool:
    """Return whether `name` is an operation that is not ours, imported where a package that is allowed has it.

    Raises:
        Fault: SD231, a package has it that the caller does not allow; SD232, it cannot be imported; SD235, the
            package's entry leads to something else; SD237, several have it.
    """
    made, entries = registered.get(name), [one for one in _entries() if one.name == name]
    homes = {*(_home(one) for one in entries), *([made.home] if made is not None else [])}
    if len(homes) > 1:
        every = " and ".join(f"`{one}`" for one in sorted(homes))
        raise Fault("SD237", f"`{name}` is an operation of {every}", help="use one of them in this program")
    if made is not None:
        if made.package is not None and not is_allowed(made.op.__module__, allowed()):
            raise refusal(f"`{name}` is an operation of the package {made.package}, from", made.op.__module__)
        return True
    if not entries:
        return False
    if not is_allowed(entries[0].module, allowed()):
        raise refusal(
            f"`{name}` is an operation of the package {_package(entries[0])}, from", entries[0].module
        )
    _import(entries[0])
    return True


def names() -> list[str]:
    """Return the names of all operations that are not ours, allowed or not; nothing is imported."""
    return sorted({*registered, *(one.name for one in _entries())})


def load(allow: Collection[str]) -> list[str]:
    """Import the operations of the packages that are allowed; return the names of all that specs may then use.

    Raises:
        Fault: as `find`.
    """
    wanted = {one.name for one in _entries() if is_allowed(one.module, allow)}
    usable = {name for name, one in registered.items() if one.package is None}
    return sorted(name for name in wanted | usable if find(name))


def _entries() -> Iterator[EntryPoint]:
    from importlib.metadata import entry_points  # reads the metadata of every installed package

    seen: set[tuple[str, str]] = set()
    for one in entry_points(group=GROUP):
        if (one.name, one.value) not in seen:  # a package that lies on the path twice
            seen.add((one.name, one.value))
            yield one


def _home(entry: EntryPoint) -> str:
    return f"{entry.module}.{entry.attr}"


def _package(entry: EntryPoint) -> str:
    return entry.module.partition(".")[0] if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"


def _import(entry: EntryPoint) -> None:
    token = _loading.set(_package(entry))
    try:
        module = imported(entry.module)
    finally:
        _loading.reset(token)
    made = registered.get(entry.name)
    if made is None or getattr(module, entry.attr, None) is not made.op:
        package = _package(entry)
        message = (
            f"the package {package} says that `{_home(entry)}` is the operation `{entry.name}`, and it is not"
        )
        way_out = f'its author writes `@safedata.op(name="{entry.name}")` before that class'
        raise Fault("SD235", message, help=way_out)
