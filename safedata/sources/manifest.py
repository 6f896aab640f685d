"""`manifest`: files that a table lists, with what it says of each."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from safedata.headers import Headers, inspect_images
from safedata.internal.read import Read
from safedata.problem import Fault, did_you_mean
from safedata.scope import Scope
from safedata.sources import _listing as listing
from safedata.sources._columns import Dtype, Rows, typed
from safedata.sources._fingerprint import digest
from safedata.sources._rows import read_rows
from safedata.sources._table import Column, TableRoot
from safedata.sources.base import Inspected, Source
from safedata.types import Dim, Encoded, Tensor


class Manifest(Source):
    """The files that a table lists: their bytes, and the table's columns.

    The table is a csv or tsv with a header, or a jsonl with a mapping on each line. Each column becomes a
    component; its type is found by looking at all values (bool, int64, float32, string) or declared in `columns`.
    Elements come in the order of the rows. All rows are held in memory, the files' bytes are not. Where the
    files are images, `decode_image` knows their sizes from their headers.
    """

    example: ClassVar[str] = "manifest: data/photos.csv"
    main: ClassVar[str | None] = "path"

    path: str
    """The table, relative to the spec: `.csv`, `.tsv` or `.jsonl`."""
    file: str = "path"
    """The column that names the files."""
    component: str = Field(default="image", alias="as", min_length=1, pattern="^[^#]")
    """The component that gets the files' bytes."""
    columns: dict[str, Dtype] = Field(default_factory=dict[str, Dtype])
    """The dtypes of columns, where they should not be found by looking at the values."""
    root: str | None = None
    """The folder that the table's paths are relative to; the table's own when left out."""

    def inspect(self, scope: Scope) -> Inspected:
        """Return the rows, and what the files' sizes and, for images, their headers say.

        Raises:
            Fault: SD107, a column is not there; SD401 to SD406, the table or a file is missing or bad.
        """
        table = listing.local(self.path, scope)
        rows = read_rows(table, self.path)
        self._check_names(rows)
        columns = {name: self._column(rows, name) for name in rows.names}
        folder = os.path.dirname(table) if self.root is None else listing.local(self.root, scope, at=("root",))
        [stamp] = listing.look_at([table])
        files, bad = self._look(columns[self.file], folder)
        headers, notes = self._images(files, bad, len(rows.lines), scope)
        bytes_type = Tensor("string", length=_largest(files), encoded=headers)
        return Inspected(
            TableRoot("manifest", columns, self.file, rows_of=self.path),
            (Read(self.component, bytes_type, self.file, folder, least=0 if headers is None else 1),),
            digest([stamp, *files.values()]),
            (table, *(file.path for file in files.values())),
            notes,
        )

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
            what = f"`{self.path}` has a column `{self.component}`, and the files' bytes would have that name too"
            raise Fault("SD107", what, ("as",), help="give the bytes another name: `as: bytes`")

    def _column(self, rows: Rows, name: str) -> Column:
        declared = self.columns.get(name)
        at = ("path",) if declared is None else ("columns", name)
        return typed(rows, name, "string" if name == self.file else declared, self.path, at)

    def _look(self, paths: Column, folder: str) -> tuple[dict[int, listing.Found], dict[int, str]]:
        """Return the file of each row that has one, and what is wrong with the other rows."""
        files: dict[int, listing.Found] = {}
        bad: dict[int, str] = {}
        for row, path in enumerate(paths.values):
            listing.refuse_remote(path, at=("path",))
            found = _status(os.path.join(folder, path)) if path else "the path is empty"
            if isinstance(found, str):
                bad[row] = found
            else:
                files[row] = found
        if not files and self.root is None:
            what = f"none of the {len(bad)} files that `{self.path}` names can be read"
            notes = tuple(f"row {row + 1}: `{paths.values[row]}`: {reason}" for row, reason in list(bad.items())[:1])
            way_out = "paths are relative to the table's folder; `root` names another one"
            raise Fault("SD404", what, ("path",), notes=notes, help=way_out)
        return files, bad
