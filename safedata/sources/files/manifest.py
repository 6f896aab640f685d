"""`manifest`: files that a table lists, with what it says of each."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from safedata.internal.read import Read
from safedata.problem import Fault, did_you_mean
from safedata.scope import Scope
from safedata.sources import _listing as listing
from safedata.sources._fingerprint import digest
from safedata.sources.base import Inspected, Source
from safedata.sources.files._columns import ColumnType, Rows, typed
from safedata.sources.files._images import Images, bad_files, max_size_for, strata_of
from safedata.sources.files._rows import read_rows
from safedata.sources.files._table import Column, TableRoot
from safedata.types import IMAGE_LEAST, Dim, Tensor

if TYPE_CHECKING:
    from safedata.measured import Question
    from safedata.sources._shelf import Bad, Work


class Manifest(Source):
    """The files that a table lists: their bytes, and the table's columns.

    The table is a csv or tsv with a header, or a jsonl with a mapping on each line. Each column becomes a
    component; its type is found by looking at all values (bool, int64, float32, string, in a jsonl also lists of
    them), or declared in `columns`. Elements come in the order of the rows. All rows are held in memory, the files'
    bytes are not. Where the files are images, `decode_image` knows their sizes from their headers.
    """

    example: ClassVar[str] = "manifest: data/photos.csv"
    main: ClassVar[str | None] = "path"

    path: str
    """The table, relative to the spec: `.csv`, `.tsv` or `.jsonl`."""
    file: str = "path"
    """The column that names the files."""
    component: str = Field(default="image", alias="as", min_length=1, pattern="^[^#]")
    """The component that gets the files' bytes."""
    columns: dict[str, ColumnType] = Field(default_factory=dict[str, ColumnType])
    """The types of columns, where they should not be found by looking at the values: `label: int32`, and for lists
    `boxes: "float32[<=20, 4]"`, `words: "string[<=16B][?]"`; a csv has these as JSON, `[[0, 0, 8, 9]]`."""
    root: str | None = None
    """The folder that the table's paths are relative to; the table's own when left out."""

    def inspect(self, scope: Scope) -> Inspected:
        """Return the rows, and what the files' sizes and, for images, their headers say.

        Raises:
            Fault: SD107, a column is not there; SD401 to SD406, the table or a file is missing or bad.
        """
        table, folder = self._places(scope)
        rows = read_rows(table, self.path)
        self._check_names(rows)
        columns, left_out = self._columns(rows)
        files, bad = self._look(columns[self.file].values, folder)
        images = self._images(table, folder, files)
        read, sampled = images.headers(scope)
        headers = read if read.images else None
        if headers is not None:
            damaged = {
                **dict(headers.damaged),
                **{one.path: "it is empty" for one in files.values() if not one.size},
            }
            bad |= {row: damaged[file.path] for row, file in files.items() if file.path in damaged}
        notes = listing.bad_data(
            [(f"row {row + 1}: {columns[self.file].values[row]}", bad[row]) for row in sorted(bad)],
            len(rows.lines),
            scope,
            of="rows",
        )
        size = Dim.at_most(max(file.size for file in files.values()), "measured")
        encoded = None if headers is None else headers.encoded
        image = Tensor("string", length=size, encoded=encoded)
        seen = strata_of(image, [file.size for file in files.values()], headers)
        least = 0 if headers is None else IMAGE_LEAST
        return Inspected(
            TableRoot("manifest", columns, self.file, rows_of=self.path),
            (Read(self.component, image, self.file, folder, least, seen),),
            images.fingerprint,
            (table, *(file.path for file in files.values())),
            (*notes, *rows.notes, *left_out, *(sampled if headers is not None else ())),
            max_size_for(encoded),
        )

    def to_measure(self, scope: Scope) -> tuple[Work, ...]:
        """Return the images whose headers a check samples, where there are so many."""
        table, folder = self._places(scope)
        rows = read_rows(table, self.path)
        self._check_names(rows)
        paths = typed(rows, self.file, "string", self.path, ("path",), single=True)
        files, _ = self._look(() if paths is None else paths.values, folder)
        return self._images(table, folder, files).works(_bad_images)

    def _places(self, scope: Scope) -> tuple[str, str]:
        """Return the table, and the folder that its paths are relative to."""
        table = listing.local(self.path, scope)
        if self.root is None:
            return table, os.path.dirname(table)
        return table, listing.local(self.root, scope, at=("root",))

    def _images(self, table: str, folder: str, files: Mapping[int, listing.Found]) -> Images:
        [stamp] = listing.look_at([table])
        listed = list(files.values())
        return Images(partial(self._question, table, folder), listed, digest([stamp, *listed]))

    def _question(self, table: str, folder: str) -> Question:
        from safedata.measured import Question

        asked = "\0".join(("manifest", os.path.relpath(table, folder or os.curdir), self.file))
        return Question("images", folder, asked)

    def _check_names(self, rows: Rows) -> None:
        """Raise SD107 for a field that names a column which is not there, or gives a name twice."""
        if self.file not in rows.names:
            way_out = did_you_mean(self.file, rows.names, what="columns")
            raise Fault("SD107", f"`{self.path}` has no column `{self.file}`", ("file",), help=way_out)
        for name in self.columns:
            if name not in rows.names:
                way_out = did_you_mean(name, rows.names, what="columns")
                raise Fault("SD107", f"`{self.path}` has no column `{name}`", ("columns", name), help=way_out)
        if self.component in rows.names:
            what = f"`{self.path}` has a column `{self.component}`, the name that the files' bytes get"
            raise Fault("SD107", what, ("as",), help="give the bytes another name: `as: bytes`")

    def _columns(self, rows: Rows) -> tuple[dict[str, Column], list[str]]:
        """Return the columns that can be components, and notes on the others."""
        found: dict[str, Column] = {}
        notes: list[str] = []
        for name in rows.names:
            declared, single = self.columns.get(name), name == self.file
            at = ("path",) if declared is None else ("columns", name)
            one = typed(rows, name, "string" if single else declared, self.path, at, single=single)
            if one is None:
                notes.append(f"column `{name}` has mappings in it and was left out")
            else:
                found[name] = one
        return found, notes

    def _look(self, paths: Sequence[str], folder: str) -> tuple[dict[int, listing.Found], dict[int, str]]:
        """Return the file of each row that has one, and what is wrong with the other rows.

        Raises:
            Fault: SD404, no row has one; SD406, a path is on another file system.
        """
        files: dict[int, listing.Found] = {}
        bad: dict[int, str] = {}
        for row, path in enumerate(paths):
            listing.refuse_remote(path)
            found = _status(os.path.join(folder, path)) if path else "the path is empty"
            if isinstance(found, str):
                bad[row] = found
            else:
                files[row] = found
        if not files:
            what = f"no file that `{self.path}` names can be read"
            way_out = f"paths are taken to be relative to `{folder or '.'}`; `root` names another folder"
            raise Fault("SD404", what, listing.AT, notes=(f"row 1: `{paths[0]}`: {bad[0]}",), help=way_out)
        return files, bad


def _status(path: str) -> listing.Found | str:
    """Return a file's status, or why it cannot be read."""
    try:
        return listing.look(path) or "it is no file"
    except OSError as error:
        return (error.strerror or str(error)).lower()
    except ValueError:  # the system's paths end at a NUL
        return "the path has a NUL character in it"


def _bad_images(values: Mapping[str, Any]) -> Bad:
    """Return the files that are no images, where some are."""
    count, found = bad_files(values)
    return (count, found) if count < len(values) else (0, ())
