"""Finds the files that a source names, and says in the user's words what is wrong with them."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from safedata.headers import Headers
from safedata.problem import Fault, near
from safedata.scope import Scope

FIRST: Final = 5
"""How many bad files a message names before it only counts."""
AT: Final = ("path",)
"""The field that faults point at unless told otherwise."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


@dataclass(frozen=True, slots=True)
class Found:
    """One file: its path, its size in bytes, and when it was last written, in nanoseconds."""

    path: str
    size: int
    mtime: int


@dataclass(slots=True)
class Ignored:
    """What a listing left out."""

    hidden: int = 0
    others: Counter[str] = field(default_factory=Counter[str])
    """How many files there are of each extension that was not looked for."""

    def count(self, name: str) -> None:
        """Count a file that was not looked for."""
        self.others[os.path.splitext(name)[1].lower()] += 1

    def __str__(self) -> str:
        kinds = [f"{count} {_extension(kind)}" for kind, count in sorted(self.others.items())]
        return ", ".join([*kinds, f"{self.hidden} hidden"] if self.hidden else kinds)

    def __bool__(self) -> bool:
        return bool(self.hidden or self.others)


def local(path: str, scope: Scope, *, at: Sequence[str | int] = AT) -> str:
    """Return a path of the spec as the file system knows it.

    Raises:
        Fault: SD406, it names another file system; SD401, there is nothing of that name.
    """
    refuse_remote(path, at=at)
    found = scope.path(path)
    if not os.path.lexists(found):
        raise missing(path, scope, at=at)
    return found


def refuse_remote(path: str, *, at: Sequence[str | int] = AT) -> None:
    """Raise SD406 for a path with a scheme, such as `gs://bucket/data`."""
    scheme = _SCHEME.match(path)
    if scheme:
        what = f"`{path}` is on a file system that this version does not read: `{scheme[1]}://`"
        raise Fault("SD406", what, tuple(at), help="copy the data to a local disk and name that path")


def missing(path: str, scope: Scope, *, at: Sequence[str | int] = AT) -> Fault:
    """Return SD401 for a path that does not exist, with the name there that is most like it."""
    parent, wrong = os.path.split(scope.path(path))
    while parent and not os.path.isdir(parent):
        parent, wrong = os.path.split(parent)
    similar = near(wrong, names(parent or "."))
    if similar:
        shown = os.path.relpath(os.path.join(parent, similar), scope.path("."))
        way_out = f"did you mean `{similar if os.path.isabs(path) else shown}`?"
    else:
        way_out = f"paths are relative to the spec's folder: `{scope.path('.')}`"
    return Fault("SD401", f"`{path}` does not exist", tuple(at), help=way_out)


def unreadable(path: str, error: OSError, *, at: Sequence[str | int] = AT) -> Fault:
    """Return SD402 for a file or folder that the system does not let us read."""
    if os.path.islink(path) and not os.path.exists(path):
        what = f"`{path}` is a link to `{os.readlink(path)}`, which cannot be followed"
    else:
        what = f"`{path}` cannot be read: {(error.strerror or str(error)).lower()}"
    return Fault("SD402", what, tuple(at), help="give leave to read it, or remove it")


def unordinary(path: str, *, at: Sequence[str | int] = AT) -> Fault:
    """Return SD402 for a folder, or what is no ordinary file: a device, a pipe, a socket."""
    what = "a folder" if os.path.isdir(path) else "no ordinary file"
    way_out = "name a file, or a pattern such as `folder/*`"
    return Fault("SD402", f"`{path}` is {what}", tuple(at), help=way_out)


def no_folder(path: str, found: str) -> Fault:
    """Return the fault of a path that should be a folder: SD402 if it leads nowhere, else SD403."""
    if not os.path.exists(found):
        return unreadable(found, FileNotFoundError(2, "No such file or directory"))
    return Fault("SD403", f"`{path}` is a file, not a folder", AT, help="name the folder that it lies in")


@contextmanager
def reading(at: Sequence[str | int] = AT) -> Generator[None, None, None]:
    """Turn an error of the system, while files are opened, into SD402."""
    try:
        yield
    except OSError as error:
        raise unreadable(str(error.filename or "a file"), error, at=at) from None


def walk(folder: str, wanted: Callable[[str], bool], ignored: Ignored) -> Iterator[Found]:
    """Yield the files below `folder` that are wanted by name, folder by folder in the order of names.

    Links are followed. Hidden files and folders are left out, and so is whatever is no ordinary file.

    Raises:
        Fault: SD402, a folder or a wanted file cannot be read.
    """
    return _walk(folder, wanted, ignored, (os.path.realpath(folder),))


def _walk(
    folder: str, wanted: Callable[[str], bool], ignored: Ignored, above: tuple[str, ...]
) -> Iterator[Found]:
    for entry in entries(folder):
        name = entry.name
        if name[0] == ".":
            ignored.hidden += 1
        elif is_folder(entry):
            yield from _walk(entry.path, wanted, ignored, _descend(entry, above))
        elif wanted(name):
            found = _look(entry)
            if found is not None:
                yield found
        else:
            ignored.count(name)


def entries(folder: str) -> list[os.DirEntry[str]]:
    """Return what lies in a folder, by name.

    Raises:
        Fault: SD402, the folder cannot be read.
    """
    try:
        with os.scandir(folder) as listed:
            return sorted(listed, key=lambda entry: entry.name)
    except OSError as error:
        raise unreadable(folder, error) from None


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder or a link to one.

    Raises:
        Fault: SD402, the system cannot tell, as for a link to itself.
    """
    try:
        return entry.is_dir()
    except OSError as error:
        raise unreadable(entry.path, error) from None


def _descend(entry: os.DirEntry[str], above: tuple[str, ...]) -> tuple[str, ...]:
    """Return the folders above what lies in `entry`; only a link can lead back to one of them."""
    if not entry.is_symlink():
        return above
    target = os.path.realpath(entry.path)
    if any(target == one or one.startswith(os.path.join(target, "")) for one in above):
        what = f"`{entry.path}` is a link that leads back to a folder above it"
        raise Fault("SD402", what, AT, help="remove the link")
    return (*above, target)


def _look(entry: os.DirEntry[str]) -> Found | None:
    try:
        return look(entry.path, entry.stat())
    except OSError as error:
        raise unreadable(entry.path, error) from None


def look(path: str, stat: os.stat_result | None = None) -> Found | None:
    """Return what a file's status says, None for what is no ordinary file.

    Raises:
        OSError: there is no such file, or it may not be read.
    """
    stat = os.stat(path) if stat is None else stat
    if stat.st_mode & 0o170000 != 0o100000:
        return None
    # Nearly all files are readable by everybody; asking costs a system call for each.
    if stat.st_mode & 0o444 != 0o444 and not os.access(path, os.R_OK):
        raise PermissionError(13, "Permission denied", path)
    return Found(path, stat.st_size, stat.st_mtime_ns)


def look_at(paths: Iterable[str], *, at: Sequence[str | int] = AT) -> Iterator[Found]:
    """Yield what the status of each file says; what is no ordinary file is left out.

    Raises:
        Fault: SD402, a file is not there or may not be read.
    """
    for path in paths:
        try:
            found = look(path)
        except OSError as error:
            raise unreadable(path, error, at=at) from None
        if found is not None:
            yield found


def some(names: Sequence[str]) -> str:
    """Return the first few names, and how many more there are."""
    named = ", ".join(f"`{name}`" for name in names[:FIRST])
    return f"{named} and {len(names) - FIRST} more" if len(names) > FIRST else named


def bad_data(
    bad: Sequence[tuple[str, str]],
    checked: int,
    scope: Scope,
    *,
    of: str = "images",
    at: Sequence[str | int] = AT,
) -> tuple[str, ...]:
    """Return a note on bad data that a run will leave out; without leave to do so, raise SD404.

    Args:
        bad: what is bad, a file or a row, each with the reason.
        checked: how many of its kind were looked at.
        scope: says whether bad data is left out.
        of: what they should be.
        at: the field that a fault points at.
    """
    if not bad:
        return ()
    named = some([name for name, _ in bad])
    if scope.on_error == "skip" and len(bad) < checked:
        return (f"{len(bad)} of {checked} {of} are bad and will be left out: {named}",)
    notes = tuple(f"`{name}`: {reason}" for name, reason in bad[:FIRST])
    if len(bad) == 1:
        what = f"`{bad[0][0]}` is bad data: {bad[0][1]}"
    else:
        what = f"{len(bad)} of {checked} {of} are bad data: {named}"
    way_out = "mend or remove them; or `runtime: {on_error: skip}` leaves bad ones out"
    if len(bad) == checked:
        way_out = f"name a path that holds {of}"
    raise Fault("SD404", what, tuple(at), notes=notes if len(bad) > 1 else (), help=way_out)


def bad_images(
    empty: Sequence[str], headers: Headers, scope: Scope, *, at: Sequence[str | int] = AT
) -> tuple[str, ...]:
    """Do as `bad_data` for empty files and those whose headers are no image's."""
    reasons = {**dict.fromkeys(empty, "it is empty"), **dict(headers.damaged)}
    none = headers.images == 0  # of those opened: then the others hardly are
    return bad_data(list(reasons.items()), len(reasons) if none else headers.count, scope, at=at)


def sampled_note(headers: Headers) -> tuple[str, ...]:
    """Return the note that some headers were not read, if so."""
    if not headers.sampled:
        return ()
    return (f"the headers of {headers.read} of {headers.count} files were read, evenly spaced",)


def names(folder: str) -> list[str]:
    """Return what lies in a folder, hidden things aside, by name; nothing if it cannot be read."""
    try:
        return sorted(name for name in os.listdir(folder) if name[0] != ".")
    except OSError:
        return []


def _extension(kind: str) -> str:
    return kind or "without extension"
