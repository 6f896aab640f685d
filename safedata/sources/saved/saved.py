"""`saved`: elements that `tf.data.Dataset.save` has written."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

from pydantic import Field, NonNegativeInt

from safedata.fields import Size
from safedata.problem import Fault, did_you_mean
from safedata.scope import Scope
from safedata.sources._fingerprint import digest
from safedata.sources._listing import Found, local, look_at, unreadable
from safedata.sources._records import READ_BUFFER, Places, damaged
from safedata.sources.base import Inspected, Source
from safedata.sources.saved._facts import Seen, is_open, read_file, take, typed
from safedata.sources.saved._graph import Component, ParseTensors, SavedRoot
from safedata.sources.saved._spec import (
    Metadata,
    Part,
    RefusedError,
    SpecError,
    read_metadata,
    read_spec,
)
from safedata.sources.saved._survey import PARSED_BYTES, Looked, look
from safedata.sources.tfrecord._framing import Compression
from safedata.sources.tfrecord._reader import TfrecordRoot
from safedata.types import Dim

if TYPE_CHECKING:
    from safedata.measured import Question
    from safedata.sources._shelf import Work

_LARGEST: Final = 1 << 24
"""Bytes of a file beside the elements that is read."""


class Saved(Source):
    """Elements of a directory that `tf.data.Dataset.save` wrote, in the order of its files.

    Their type is read from `dataset_spec.pb` without TensorFlow, and nothing is unpickled: a directory that has its
    type as a pickle alone, from an early TensorFlow, is refused. A check reads the length in front of every record
    and parses the records, of large files some, so strings and dimensions that differ are bounded by what was saved.
    One reader goes through the files; whether they are compressed is seen from them.
    """

    example: ClassVar[str] = "saved: {path: data/prepared, names: [image, label]}"
    main: ClassVar[str | None] = "path"

    path: str
    """The directory that was saved to."""
    names: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] | None = None
    """The components' names, in order; those of a saved mapping unless said. A tuple has none, and needs them."""
    max: dict[str, NonNegativeInt] = Field(default_factory=dict)
    """By component, the most entries of each dimension that differs."""
    max_bytes: dict[str, Size] = Field(default_factory=dict)
    """By component, the longest string, as a size."""

    def inspect(self, scope: Scope) -> Inspected:
        """Return what the directory and its records say.

        Raises:
            Fault: it is no such directory, was not written to its end, or has components that are not read.
        """
        folder, meta, parts = self._read(scope)
        names = self._names(parts)
        self._check_fields(dict(zip(names, parts, strict=True)))
        found = _files(folder, meta)
        compression = _compression(found[0].path)
        known = self._known(found, parts, scope)
        looked = look(found, compression, parts, known, meta.elements or 0, scope)
        evidence = (looked.lengths, looked.inside)
        for name, part, seen in zip(names, parts, looked.seen, strict=True):
            self._check_declared(name, part, seen, scope)
        made = tuple(
            Component(
                name,
                typed(name, part, seen, self.max, self.max_bytes, evidence),
                Dim.at_most(seen.record, looked.lengths),
            )
            for name, part, seen in zip(names, parts, looked.seen, strict=True)
        )
        root = _root(found, compression, made, looked, meta.elements or 0)
        files = tuple(file.path for file in found)
        return Inspected(root, (ParseTensors(made),), digest(found), files, looked.notes)

    def _read(self, scope: Scope) -> tuple[str, Metadata, list[Part]]:
        folder = local(self.path, scope)
        if not os.path.exists(os.path.join(folder, "dataset_spec.pb")):
            raise _no_spec(folder)
        meta_path, spec_path = (
            os.path.join(folder, name) for name in ("snapshot.metadata", "dataset_spec.pb")
        )
        try:
            meta, parts = read_metadata(_bytes(meta_path)), read_spec(_bytes(spec_path))
        except SpecError as error:
            raise damaged(folder, f"is no saved dataset that can be read: {error}", at=("path",)) from None
        except RefusedError as error:
            way_out = "save it again with dense or ragged tensors alone"
            raise Fault("SD413", f"{error}, which is not read", ("path",), help=way_out) from None
        if meta.version != 2:
            what = f"the elements are of version {meta.version} of the format, and version 2 is read"
            raise Fault("SD413", what, ("path",), help="save them again with `tf.data.Dataset.save`")
        if not meta.finished or meta.elements is None:
            raise damaged(folder, "was not written to its end", at=("path",), way_out="save it again")
        if not parts:
            raise damaged(folder, "has elements without components", at=("path",))
        return folder, meta, parts

    def _names(self, parts: Sequence[Part]) -> tuple[str, ...]:
        if self.names is not None:
            names = self.names
            if len(names) != len(parts):
                what = f"`names` has {len(names)} names, and elements {len(parts)} components"
                shown = ", ".join("/".join(part.path) or "value" for part in parts)
                raise Fault("SD203", what, ("names",), notes=(f"in order: {shown}",))
        elif len(parts) == 1 and not parts[0].path:
            names = ("value",)
        elif all(part.named for part in parts):
            names = tuple("_".join(part.path) for part in parts)
        else:
            example = ", ".join(f"part{number}" for number in range(len(parts)))
            what = f"the saved elements are tuples of {len(parts)} components without names"
            raise Fault("SD104", what, ("names",), help=f"write `names: [{example}]`, in their order")
        for number, name in enumerate(names):
            if not name or name[0] == "#" or names.count(name) > 1:
                what = "stands there twice" if names.count(name) > 1 else "is not a name for a component"
                at = ("names", number) if self.names is not None else ("path",)
                raise Fault("SD105", f"`{name}` {what}", at, help="give each component its own in `names`")
        return names

    def _check_fields(self, parts: Mapping[str, Part]) -> None:
        for field in ("max", "max_bytes"):
            for name in getattr(self, field):
                if name not in parts:
                    known = did_you_mean(name, parts, what="components")
                    raise Fault("SD201", f"there is no component `{name}`", (field, name), help=known)
                text = parts[name].dtype == "string"
                if not (text if field == "max_bytes" else None in parts[name].shape):
                    raise Fault("SD103", f"`{name}` takes no `{field}`", (field, name), help="remove it")

    def _check_declared(self, name: str, part: Part, seen: Seen, scope: Scope) -> None:
        """Report what is declared smaller than what was saved, unless what is larger will be left out."""
        sizes = [size for size, wanted in zip(seen.sizes, part.shape, strict=False) if wanted is None]
        largest = max([*sizes, seen.longest_row], default=0)
        for field, found in (("max", largest), ("max_bytes", seen.longest)):
            declared = getattr(self, field).get(name)
            if declared is not None and found > declared and scope.on_error != "skip":
                what = (
                    f"`{name}` has up to {found} {'entries' if field == 'max' else 'bytes'}, over {declared}"
                )
                raise Fault("SD404", what, (field, name), help=f"write {found} at least")

    def _known(self, found: Sequence[Found], parts: Sequence[Part], scope: Scope) -> dict[str, Any]:
        """Return what was measured of each file, by path; nothing where a check reads all of it anyway."""
        if sum(file.size for file in found) <= PARSED_BYTES:
            return {}
        from safedata.sources._shelf import Shelf, renewed

        question = self._question(parts, scope)
        values = Shelf.of(question, scope, lambda value: _checked(value, parts)).values(found)
        renewed(scope, sum(file.path not in values for file in found) if values else 0, len(found))
        return values

    def _question(self, parts: Sequence[Part], scope: Scope) -> Question:
        from safedata.sources._shelf import asked

        return asked("saved", os.path.join(self.path, "*"), scope, repr(parts))

    def to_measure(self, scope: Scope) -> tuple[Work, ...]:
        """Return the files, where a check parses a sample of their records."""
        folder, meta, parts = self._read(scope)
        found = tuple(_files(folder, meta))
        if sum(file.size for file in found) <= PARSED_BYTES or not any(map(is_open, parts)):
            return ()
        from safedata.sources._shelf import Work, no_summary

        compression = _compression(found[0].path)

        def read(path: str, tick: Callable[[int], None]) -> Any:
            return read_file(path, compression, parts, tick)

        def bad(values: Mapping[str, Any]) -> tuple[int, Sequence[tuple[str, str]]]:
            taken = [(path, *take(value, parts)[2:]) for path, value in values.items()]
            first = [(path + where, why) for path, _, one in taken for where, why in one]
            return sum(count for _, count, _ in taken), first

        def check(value: Any) -> None:
            _checked(value, parts)

        question = self._question(parts, scope)
        return (Work(question, found, digest(found), read, no_summary, bad, check, by_bytes=True),)


def _checked(value: Any, parts: Sequence[Part]) -> None:
    """Raise `CorruptError` for a value that cannot have been kept of a file."""
    take(value, parts)


def _bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise unreadable(path, error) from None
    if len(data) > _LARGEST:
        raise damaged(path, "is too large for what it should be", at=("path",))
    return data


def _no_spec(folder: str) -> Fault:
    """Return the fault of a folder that has no type of its elements."""
    known = ("element_spec", "dataset_element_spec.pb", "chunks", "streams")
    there = {name for name in known if os.path.exists(os.path.join(folder, name))}
    if "element_spec" in there:
        what = "the type of the elements is saved as a pickle, which is code and is never loaded"
        return Fault(
            "SD413",
            what,
            ("path",),
            help="load it where you trust it, and save it again with this TensorFlow",
        )
    if there:
        what = "the directory was written by the tf.data service (`distributed_save`), and is not read"
        return Fault("SD413", what, ("path",), help="save it with `tf.data.Dataset.save`")
    what = f"`{folder}` has no `dataset_spec.pb`: it is no saved dataset"
    return Fault("SD403", what, ("path",), help="name the directory that `tf.data.Dataset.save` was given")


def _files(folder: str, meta: Metadata) -> tuple[Found, ...]:
    """Return the files of the elements, shard by shard."""
    run = os.path.join(folder, os.path.basename(meta.run) or "?")
    try:
        shards = sorted(entry.path for entry in os.scandir(run) if entry.name.endswith(".shard"))
        paths = [
            path
            for shard in shards
            for path in sorted(entry.path for entry in os.scandir(shard))
            if path.endswith(".snapshot")
        ]
    except OSError as error:
        raise unreadable(str(error.filename or run), error) from None
    found = tuple(look_at(paths))
    if not found or not meta.elements:
        way_out = "save a dataset that has elements"
        raise Fault("SD403", f"`{folder}` has no elements", ("path",), help=way_out)
    return found


def _compression(path: str) -> Compression:
    """Return how files are compressed, which `tf.data.Dataset.save` writes nowhere: by the first bytes."""
    with open(path, "rb") as file:
        return "gzip" if file.read(3) == b"\x1f\x8b\x08" else "none"


def _root(
    found: Sequence[Found], compression: Compression, made: tuple[Component, ...], looked: Looked, count: int
) -> SavedRoot:
    """Return the reader; where each element lies is known where every header was read."""
    files = tuple(file.path for file in found)
    places = records = None
    if looked.counts is not None:
        places, records = Places("element", paths=files), Places("record", paths=files)
        for number, one in enumerate(looked.counts):
            places.add_run(number, 0, one)
            records.add_run(number, 0, one * len(made))
        count = places.count
    largest = max(seen.record for seen in looked.seen)
    width = count * len(made)
    reader = TfrecordRoot(
        files, compression, READ_BUFFER, largest, looked.lengths, records, width, "measured"
    )
    return SavedRoot(reader, made, places, count)
