"""The operations of a chain, read from its entries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final, NoReturn, Protocol, cast

from pydantic import ValidationError

from safedata import registry
from safedata.problem import Fault, Path, did_you_mean, near
from safedata.records import record

if TYPE_CHECKING:
    from safedata.ops.base import Op


@record(frozen=True, slots=True)
class Link:
    """One operation of a chain, and where in the step it stands."""

    op: Op
    path: Path


Links = tuple[Link, ...]
_TYPO: Final = 0.7
"""How much a name is like an operation's that was only mistyped."""


class Place(Protocol):
    """Where in a spec a value stands, and where its faults go; `stages.base.Parsing` is one."""

    @property
    def path(self) -> Path:
        """From the document's top."""
        ...

    @property
    def relative(self) -> Path:
        """Below the step's value."""
        ...

    @property
    def invalid(self) -> Callable[[ValidationError, Path], None]:
        """Takes what a model refused, with the path of its value."""
        ...

    @property
    def context(self) -> object:
        """What operations ask for the files that they name: the spec's `safedata.artifacts.Artifacts`, or nothing."""
        ...

    def at(self, *path: str | int) -> Place:
        """Return the place `path` below this one."""
        ...

    def fault(self, fault: Fault) -> None:
        """Report a fault found at this place."""
        ...


@record(frozen=True, slots=True)
class Known:
    """A place in an operation that has been read before, without a fault."""

    path: Path = ()

    @property
    def relative(self) -> Path:
        """The path below the operation's value."""
        return self.path

    @property
    def invalid(self) -> Callable[[ValidationError, Path], None]:
        """Raises what a model refused."""
        return _refuse

    @property
    def context(self) -> object:
        """Nothing: no file is opened again."""
        return None

    def at(self, *path: str | int) -> Known:
        """Return the place `path` below this one."""
        return Known((*self.path, *path))

    def fault(self, fault: Fault) -> None:
        """Raise the fault."""
        raise fault.under(*self.path)


def _refuse(error: ValidationError, _: Path) -> NoReturn:
    raise error


def parse_links(entries: Sequence[object], place: Place, first: int = 0) -> Links | None:
    """Return the operations of a list of entries from number `first` on, or None after faults were reported."""
    found = [parse_link(entry, place.at(number)) for number, entry in enumerate(entries[first:], first)]
    links = tuple(link for link in found if link is not None)
    return links if len(links) == len(found) else None


def parse_link(entry: object, place: Place) -> Link | None:
    """Return the operation of one entry, or None after its faults were reported."""
    given = cast("dict[str, object]", entry) if isinstance(entry, dict) else {}
    if isinstance(entry, str):
        name, fields, here = entry, None, place
    elif "call" in given:
        return _parse_call(given, place)
    elif len(given) == 1:
        [(name, fields)] = given.items()
        here = place.at(name)
    else:
        way_out = "write `resize` or `{resize: [224, 224]}`, one operation for each entry"
        place.fault(Fault("SD105", "an entry of a chain is one operation", help=way_out))
        return None
    known = registry.names("ops")
    if name not in known and not _find(name, known, here):
        return None
    op = registry.op(name).parse(fields, here)
    return None if op is None else Link(op, here.relative)


def _parse_call(given: dict[str, object], place: Place) -> Link | None:
    from safedata.ops._call import PythonCall

    op = PythonCall.parse(given, place)
    return None if op is None else Link(op, place.relative)


def _find(name: str, known: dict[str, str], here: Place) -> bool:
    """Return whether a name that is none of ours is an operation of the caller's, or of a package that it allows."""
    if name in ("call", "from"):
        _unknown(name, known, here)
        return False
    if isinstance(here, Known) and name in registry.registered:
        return True  # it was found with the caller's leave when it was read first
    from safedata.ops._registered import find, names  # few specs have one, and then only by a mistake

    try:
        if find(name):
            return True
    except Fault as fault:
        here.fault(fault)
        return False
    _unknown(name, (*known, *names()), here)
    return False


def _unknown(name: str, known: Iterable[str], here: Place) -> None:
    if name == "call":
        way_out = 'write `{call: "package.module:function", returns: {image: "uint8[224, 224, 3]"}, workspace: 1MiB}`'
        here.fault(Fault("SD105", "`call` needs the function that it calls", help=way_out))
    elif name == "from":
        here.fault(Fault("SD207", "`from` stands first in a chain", help="move it to the front of the list"))
    else:
        way_out = did_you_mean(name, known, what="the nearest operations", lists="`safedata schema`")
        first = here.relative[1:] in ((), (0,)) and name not in here.relative  # and has no arguments
        if first and near(name, known, _TYPO) is None:
            stop = "" if way_out.endswith("?") else "."
            way_out += f"{stop} For a component's value start the chain with `{{from: {name}}}`"
        here.fault(Fault("SD106", f"there is no operation `{name}`", help=way_out))
