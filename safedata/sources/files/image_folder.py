"""`image_folder`: encoded images in a folder, one subfolder for each class."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from safedata.internal.read import Read
from safedata.problem import Fault, did_you_mean
from safedata.scope import Scope
from safedata.sources import _listing as listing
from safedata.sources._fingerprint import digest
from safedata.sources.base import Inspected, Source
from safedata.sources.files._images import Images, bad_files, max_size_for, strata_of
from safedata.sources.files._labels import ByPattern, Classes, labels, numbered, told
from safedata.sources.files._table import TableRoot, text_column
from safedata.types import IMAGE_LEAST, Dim, Tensor

if TYPE_CHECKING:
    from safedata.measured import Question
    from safedata.sources._shelf import Work

_CLASSES = ("classes",)


def _lowered(extensions: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(one.lower().removeprefix(".") for one in extensions)


class ImageFolder(Source):
    """The images in a folder: `image`, their encoded bytes; `label`, their class; `path`.

    Each subfolder is a class, and a label is the place of its class among the sorted names, or in `classes`.
    The images of a class may lie in folders of their own below it. Elements come class by class, in the order
    of labels, and within a class folder by folder in the order of names.

    Every file's size is read when the spec is checked, and the headers of up to 4096 files: they bound the
    bytes and the decoded sizes. `safedata measure` reads all headers where there are more. Hidden files and
    other extensions are left out, and a note counts them.
    """

    example: ClassVar[str] = "image_folder: {path: data/photos, labels: directory}"
    main: ClassVar[str | None] = "path"

    path: str
    """The folder, relative to the spec."""
    labels: Literal["directory", "none"] | ByPattern | None = "directory"
    """`directory`: a class for each subfolder; `none`: no `label`, and images anywhere below `path`;
    `{regex: "^([a-z]+)_"}`: images anywhere below `path`, each of the class that the pattern's group has in its path
    below that folder, `/` between its parts. A path that does not match is an error."""
    classes: Classes = None
    """The names of the subfolders, or of the pattern's classes, in the order of their labels; all of them, sorted,
    when left out."""
    extensions: Annotated[tuple[str, ...], Field(strict=False, min_length=1), AfterValidator(_lowered)] = (
        "jpg",
        "jpeg",
        "png",
        "gif",
        "bmp",
        "webp",
    )
    """Files with other extensions are left out."""

    def inspect(self, scope: Scope) -> Inspected:
        """Return the images' paths and labels, and what their sizes and headers say.

        Raises:
            Fault: SD401 to SD406, the folder or a file is missing, unreadable, empty or no image.
        """
        folder = listing.local(self.path, scope)
        if not os.path.isdir(folder):
            raise listing.no_folder(self.path, folder)
        found = self._list(folder)
        if not found.files:
            raise self._nothing(found)
        paths = tuple(file.path for file in found.files)
        fingerprint = digest(found.files)
        headers, sampled = Images(partial(_question, folder), found.files, fingerprint).headers(scope)
        empty = [file.path for file in found.files if not file.size]
        notes = listing.bad_images(empty, headers, scope)
        largest = Dim.at_most(max(file.size for file in found.files), "measured")
        image = Tensor("string", length=largest, encoded=headers.encoded)
        seen = strata_of(image, [file.size for file in found.files], headers)
        columns = {"path": text_column(paths)}
        said: tuple[str, ...] = ()
        if found.labels is not None:
            columns["label"] = labels(found.labels, len(found.classes))
        elif isinstance(self.labels, ByPattern):
            below = [os.path.relpath(path, folder) for path in paths]
            names = self.labels.classes_of(below, self.path)
            columns["label"], classes = numbered(names, self.classes)
            said = tuple(told(names, classes))
        return Inspected(
            TableRoot("image_folder", columns, "path"),
            (Read("image", image, least=IMAGE_LEAST, seen=seen),),
            fingerprint,
            paths,
            (*notes, *sampled, *said, *found.notes()),
            max_size_for(image.encoded),
        )

    def to_measure(self, scope: Scope) -> tuple[Work, ...]:
        """Return the images whose headers a check samples, where there are so many."""
        folder = listing.local(self.path, scope)
        files = self._list(folder).files
        return Images(partial(_question, folder), files, digest(files)).works(bad_files)

    def _list(self, folder: str) -> _Listed:
        wanted, ignored = self._wanted, listing.Ignored()
        if self.labels != "directory":
            return _Listed(list(listing.walk(folder, wanted, ignored)), None, (), ignored)
        beside = 0
        folders: dict[str, str] = {}
        for entry in listing.entries(folder):
            if entry.name[0] == ".":
                ignored.hidden += 1
            elif listing.is_folder(entry):
                folders[entry.name] = entry.path
            elif wanted(entry.name):
                beside += 1
            else:
                ignored.count(entry.name)
        classes = self._classes(folders)
        files: list[listing.Found] = []
        labels: list[int] = []
        for label, name in enumerate(classes):
            files += listing.walk(folders[name], wanted, ignored)
            labels += [label] * (len(files) - len(labels))
        return _Listed(files, labels, classes, ignored, beside)

    def _classes(self, folders: dict[str, str]) -> tuple[str, ...]:
        """Return the names of the classes, in the order of their labels."""
        if self.classes is None:
            return tuple(folders)
        for number, name in enumerate(self.classes):
            if name not in folders:
                way_out = did_you_mean(name, set(folders) - set(self.classes), what="folders without a class")
                raise Fault(
                    "SD401",
                    f"the class `{name}` has no folder in `{self.path}`",
                    (*_CLASSES, number),
                    help=way_out,
                )
        unknown = sorted(set(folders) - set(self.classes))
        if unknown:
            what = f"`{self.path}` has folders that `classes` does not name: {listing.some(unknown)}"
            raise Fault(
                "SD404", what, _CLASSES, help=f"add `{unknown[0]}` to `classes`, or move its folder away"
            )
        return self.classes

    def _wanted(self, name: str) -> bool:
        return os.path.splitext(name)[1].lower()[1:] in self.extensions

    def _nothing(self, found: _Listed) -> Fault:
        notes = (f"looked for {', '.join(self.extensions)}", f"there is: {found.ignored or 'nothing'}")
        way_out = "name the folder that holds the images"
        if found.beside:
            what = f"`{self.path}` has no folder with images, and {found.beside} images of its own"
            return Fault(
                "SD403", what, listing.AT, help="write `labels: none`, or make a folder for each class"
            )
        if any(kind[1:] not in self.extensions and kind for kind in found.ignored.others):
            way_out += ", or their extensions with `extensions`"
        return Fault("SD403", f"there is no image in `{self.path}`", listing.AT, notes=notes, help=way_out)


def _question(folder: str) -> Question:
    from safedata.measured import Question

    return Question("images", folder, "image_folder")


@dataclass(frozen=True, slots=True)
class _Listed:
    """The files of an image folder, in order."""

    files: Sequence[listing.Found]
    labels: Sequence[int] | None
    classes: tuple[str, ...]
    ignored: listing.Ignored
    beside: int = 0
    """Images beside the class folders."""

    def notes(self) -> Iterator[str]:
        """Yield what was left out."""
        if self.beside:
            yield f"{self.beside} images beside the class folders have no class and were left out"
        if self.ignored:
            yield f"files left out: {self.ignored}"
        filled = set(self.labels or ())
        empty = [name for label, name in enumerate(self.classes) if label not in filled]
        if empty:
            yield f"classes without an image: {listing.some(empty)}"
