"""`files`: whole files, as bytes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, model_validator
from typing_extensions import Self

from safedata.headers import Header, Headers, try_header
from safedata.internal.read import Read
from safedata.problem import Fault
from safedata.scope import Scope
from safedata.sources import _listing as listing
from safedata.sources._fingerprint import digest
from safedata.sources.base import Inspected, Source
from safedata.sources.files._images import Images, max_size_for, strata_of
from safedata.sources.files._labels import ByPattern, Classes, numbered, told
from safedata.sources.files._table import TableRoot, text_column
from safedata.types import Dim, Tensor

if TYPE_CHECKING:
    from safedata.measured import Question
    from safedata.sources._shelf import Bad, Work

_MAGIC = ("*", "?", "[")


class Files(Source):
    """The files that a pattern names: `data`, their bytes; `path`; with `labels` also `label`, their class.

    `*`, `?` and `[...]` stand for characters of one name, `**` for any folders; hidden files are not meant by
    them. Elements come in the order of the paths, folder by folder; a file that several patterns name comes
    once. Where every file is an image, `decode_image` knows their sizes from their headers.
    """

    example: ClassVar[str] = "files: data/photos/**/*.jpg"
    main: ClassVar[str | None] = "path"

    path: str | Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    """A pattern or a list of them, relative to the spec."""
    labels: ByPattern | None = None
    """`{regex: "^([a-z]+)_"}`: a component `label`, the class that the pattern's group has in the path relative to the
    spec, `/` between its parts. A path that does not match is an error."""
    classes: Classes = None
    """With `labels`: the names of the classes in the order of their labels; all of them, sorted, when left out."""

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.classes is not None and self.labels is None:
            raise ValueError("`classes` stands beside `labels`")
        return self

    def inspect(self, scope: Scope) -> Inspected:
        """Return the files' paths, and what their sizes and, for images, their headers say.

        Raises:
            Fault: SD401 to SD406, files are missing, unreadable or not there.
        """
        found = self._list(scope)
        paths = tuple(file.path for file in found)
        fingerprint = digest(found)
        headers: Headers | None = None
        sampled: tuple[str, ...] = ()
        if _starts_with_image(found):
            headers, sampled = Images(partial(self._question, scope), found, fingerprint).headers(scope)
        encoded = headers.encoded if headers and not headers.damaged else None
        size = Dim.at_most(max(file.size for file in found), "measured")
        data = Tensor("string", length=size, encoded=encoded)
        seen = strata_of(data, [file.size for file in found], headers)
        columns = {"path": text_column(paths)}
        said: tuple[str, ...] = ()
        if self.labels is not None:
            below = [os.path.relpath(path, scope.folder or os.curdir) for path in paths]
            names = self.labels.classes_of(below, "files")
            columns["label"], classes = numbered(names, self.classes)
            said = tuple(told(names, classes))
        return Inspected(
            TableRoot("files", columns, "path"),
            (Read("data", data, seen=seen),),
            fingerprint,
            paths,
            (*_notes(headers), *sampled, *said),
            max_size_for(encoded),
        )

    def to_measure(self, scope: Scope) -> tuple[Work, ...]:
        """Return the images whose headers a check samples, where there are so many."""
        found = self._list(scope)
        if not _starts_with_image(found):
            return ()
        return Images(partial(self._question, scope), found, digest(found)).works(_not_bad)

    def _question(self, scope: Scope) -> Question:
        """Return the question that these patterns ask, of the folder that all of them start from."""
        from safedata.sources._shelf import asked

        return asked("images", self.path, scope, "files")

    def _list(self, scope: Scope) -> list[listing.Found]:
        """Return what the patterns name, sorted."""
        if isinstance(self.path, str):
            matches = set(_matches(self.path, scope, listing.AT))
        else:
            matches = {
                path
                for number, pattern in enumerate(self.path)
                for path in _matches(pattern, scope, (*listing.AT, number))
            }
        found = list(listing.look_at(sorted(matches, key=lambda path: path.split(os.sep))))
        if not found:  # devices and pipes alone
            raise listing.unordinary(min(matches))
        return found


def _matches(pattern: str, scope: Scope, at: Sequence[str | int]) -> list[str]:
    """Return the files that one pattern names, in any order.

    Raises:
        Fault: SD401, SD403 or SD406, there is none.
    """
    import glob

    listing.refuse_remote(pattern, at=at)
    literal = scope.path(pattern)
    if os.path.isfile(literal):
        return [literal]
    if not any(sign in pattern for sign in _MAGIC):
        found = listing.local(pattern, scope, at=at)
        if not os.path.isdir(found):
            if os.path.exists(found):
                raise listing.unordinary(found, at=at)
            raise listing.unreadable(found, FileNotFoundError(2, "No such file or directory"), at=at)
        way_out = f"`{os.path.join(pattern, '**')}` names all files in it"
        raise Fault("SD403", f"`{pattern}` is a folder, not a file", tuple(at), help=way_out)
    # The spec's own folder is meant literally, whatever signs its name has.
    whole = os.path.join(glob.escape(scope.folder), os.path.expanduser(pattern))
    found_paths = [
        path for path in map(os.path.normpath, glob.iglob(whole, recursive=True)) if not os.path.isdir(path)
    ]
    if not found_paths:
        raise _no_match(pattern, scope, at)
    return found_paths


def _no_match(pattern: str, scope: Scope, at: Sequence[str | int]) -> Fault:
    """Return SD403 with what lies in the last folder of the pattern that is there, SD401 if it is missing."""
    parts = pattern.split(os.sep)
    plain = next(number for number, part in enumerate(parts) if any(sign in part for sign in _MAGIC))
    above = os.sep.join(parts[:plain]) or ("." if plain == 0 else os.sep)
    folder = listing.local(above, scope, at=at)
    names = listing.names(folder)
    return Fault(
        "SD403",
        f"no file matches `{pattern}`",
        tuple(at),
        notes=(f"`{above}` has {listing.some(names)}" if names else f"`{above}` is empty",),
        help="name a pattern that files match; `**` stands for any folders",
    )


def _starts_with_image(found: Sequence[listing.Found]) -> bool:
    with listing.reading():
        return isinstance(try_header(found[0].path), Header)


def _not_bad(values: Mapping[str, Any]) -> Bad:
    """Return nothing: files may be no images, and then nothing bounds decoded sizes."""
    return 0, ()


def _notes(headers: Headers | None) -> tuple[str, ...]:
    if headers is None:
        return ()
    if headers.damaged:
        path, reason = headers.damaged[0]
        counted = (
            f"{len(headers.damaged)} of {headers.read} files are no images, so nothing bounds decoded sizes"
        )
        return (f"{counted}: `{path}`, {reason}",)
    return ()
