"""What the caches on disk of specs have on disk, and whether a spec still wants it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from safedata.problem import DataError, Problem, SafedataError
from safedata.records import record
from safedata.request import Request, check_request, raise_for
from safedata.store.stock import Stored, in_use, remove, stock, to_free

__all__ = ["Listed", "Stored", "freed", "listed", "removed", "would_free"]

_SHORTEST: Final = 4
"""Characters of a key that name it at least."""


@record(frozen=True, slots=True)
class Listed:
    """An entry of a store."""

    stored: Stored
    wanted: bool | None
    """Whether the spec that made it, or one that was named, would use it now; None where nobody can tell."""

    @property
    def spec(self) -> str | None:
        """The spec that made it, None where that is not known."""
        spec = self.stored.made.get("spec")
        return spec if isinstance(spec, str) else None


def listed(places: Sequence[str], request: Request) -> list[Listed]:
    """Return what lies in stores, the longest unused first.

    Args:
        places: folders of stores, or specs, which stand for the stores that their caches name.
        request: the parameters of these specs, and what they are allowed.

    Raises:
        SpecError: a spec has problems.
        DataError: a place does not exist, or cannot be read.
    """
    known: dict[str, frozenset[str]] = {}
    roots: dict[str, None] = {}
    for place in places:
        for root, key in _wanted(place, request) if os.path.isfile(place) else [(place, "")]:
            roots[os.path.realpath(root)] = None
            known[os.path.abspath(place)] = known.get(os.path.abspath(place), frozenset()) | {key}
        if not os.path.exists(place):
            message = f"there is no store, and no spec, at `{place}`"
            raise DataError(
                [Problem("SD401", message, help="name the folder of `cache: {path: ...}`, or a spec")]
            )
    found = [one for root in roots for one in _stock(root)]
    keys = dict(known)
    for spec in {str(one.made["spec"]) for one in found if one.made.get("spec")} - keys.keys():
        keys[spec] = _keys(spec, request)
    every = frozenset[str]().union(*known.values())
    return [Listed(one, _is_wanted(one, keys, every)) for one in sorted(found, key=lambda one: one.used)]


def _is_wanted(one: Stored, keys: Mapping[str, frozenset[str]], named: frozenset[str]) -> bool | None:
    own = keys.get(str(one.made.get("spec")), frozenset())
    if one.key in named or one.key in own:
        return True
    return False if own else None


def _stock(root: str) -> list[Stored]:
    try:
        return stock(root)
    except OSError as error:
        message = f"cannot read the store {root}: {(error.strerror or str(error)).lower()}"
        raise DataError([Problem("SD402", message, help="name the folder of `cache: {path: ...}`")]) from None


def _keys(spec: str, request: Request) -> frozenset[str]:
    """Return the keys that a spec has now with its own parameters; none where it has problems, or is gone."""
    own = Request({}, allow_env=request.allow_env, allow=request.allow)
    try:
        return frozenset(key for _, key in _wanted(spec, own))
    except SafedataError:
        return frozenset()


def _wanted(spec: str, request: Request) -> list[tuple[str, str]]:
    """Return the stores and keys of a spec's caches on disk."""
    from safedata.phases import phases

    verdict = check_request(spec, request)
    if verdict.plan is None:
        raise_for(verdict)
        return []
    return [
        (one.writes.root, one.writes.key)
        for one in phases(verdict.plan, here=False)
        if one.writes is not None
    ]


def removed(found: Iterable[Listed], names: Sequence[str]) -> list[Listed]:
    """Remove the entries whose keys begin with these names, and return them.

    Raises:
        DataError: SD401, there is none or more than one of a name; SD402, it is in use, or cannot be removed.
    """
    chosen = [_named(list(found), name) for name in names]
    for one in chosen:
        if in_use(one.stored):
            message = f"the cache {one.stored.key} is in use"
            raise DataError(
                [Problem("SD402", message, help="remove it once the process that reads it has ended")]
            )
    for one in chosen:
        _remove(one.stored)
    return chosen


def _named(found: Sequence[Listed], name: str) -> Listed:
    fitting = [one for one in found if len(name) >= _SHORTEST and one.stored.name.startswith(name)]
    if len(fitting) == 1:
        return fitting[0]
    message = f"{len(fitting)} caches have a key that begins with `{name}`"
    if len(name) < _SHORTEST:
        message = f"`{name}` is too short for a key"
    raise DataError([Problem("SD401", message, help="`safedata cache ls` lists the keys; give one of them")])


def freed(found: Iterable[Listed], keep: int) -> list[Listed]:
    """Remove what is longest unused until at most `keep` bytes are left, nothing that is in use; return it.

    Raises:
        DataError: SD402, an entry cannot be removed.
    """
    gone = would_free(found, keep)
    for one in gone:
        _remove(one.stored)
    return gone


def would_free(found: Iterable[Listed], keep: int) -> list[Listed]:
    """Return what `freed` would remove."""
    by_folder = {one.stored.folder: one for one in found}
    chosen = to_free([one.stored for one in by_folder.values()], keep)
    return [by_folder[one.folder] for one in chosen]


def _remove(one: Stored) -> None:
    try:
        remove(one)
    except OSError as error:
        message = f"cannot remove the cache {one.folder}: {(error.strerror or str(error)).lower()}"
        raise DataError([Problem("SD402", message, help="see that the folder may be written to")]) from None
