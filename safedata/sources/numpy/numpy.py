"""`numpy`: the rows of arrays in `.npy` files, or in one `.npz` archive."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Final

from pydantic import ConfigDict, Field

from safedata.cardinality import exactly
from safedata.lowering import Lowering
from safedata.memory import HOST, Hold
from safedata.npy import Header, read_header
from safedata.problem import Fault, did_you_mean
from safedata.scope import Scope
from safedata.sources._fingerprint import fingerprint
from safedata.sources._listing import unreadable
from safedata.sources._records import READ_BUFFER, damaged, file_size, find_files
from safedata.sources.base import Inspected, Root, Source
from safedata.sources.numpy._npy import decode_row
from safedata.sources.numpy._npz import load_rows, read_members
from safedata.types import Stream

_PER_BYTE: Final = 32
"""What each byte of a row of text becomes while it is decoded: a string of one character."""
_ZIP_BYTES: Final = 8 << 20
"""What reading an archive takes: its directory, the window of the decompressor, chunks of 1 MiB."""


class Numpy(Source):
    """Rows along the first dimension of arrays, read in step; nothing is loaded that can be streamed.

    Each component names its `.npy` file: `numpy: {image: images.npy, label: labels.npy}`. Or `path` names a
    `.npz` archive whose arrays are the components; or one `.npy` file, whose rows are the component
    `value`. All arrays have the same length. An archive that `numpy.save` compressed cannot be read in
    pieces: its arrays are loaded whole, and the bound counts them.
    """

    model_config = ConfigDict(extra="allow")

    example: ClassVar[str] = "numpy: {path: data/thumbnails_gray.npz}"
    main: ClassVar[str | None] = "path"

    path: str | None = None
    """A `.npz` archive, or one `.npy` file."""
    keys: Annotated[tuple[str, ...], Field(strict=False)] | None = None
    """The arrays of the archive to read; all of them unless said."""

    def inspect(self, scope: Scope) -> Inspected:
        """Return the arrays' headers, from which every bound follows exactly.

        Raises:
            Fault: a file is missing, damaged, or of a kind that cannot be read; lengths differ.
        """
        named = self._named()
        if self.path is not None and named:
            message = "`numpy` takes either `path` or a file for each component"
            raise Fault("SD105", message, (next(iter(named)),), help="remove `path`, or the components")
        if self.path is not None:
            arrays = tuple(self._one(self.path, scope))
        elif named:
            arrays = tuple(_component(name, path, scope, (name,)) for name, path in named.items())
        else:
            way_out = "write `numpy: {image: images.npy}` or `numpy: archive.npz`"
            raise Fault("SD104", "`numpy` names no file", help=way_out)
        rows = _same_length(arrays)
        files = tuple(dict.fromkeys(array.file for array in arrays))
        return Inspected(NumpyRoot(arrays, rows), fingerprint=fingerprint(files), files=files)

    def _named(self) -> dict[str, str]:
        """Return the file of each component that names one."""
        named: dict[str, str] = {}
        for name, path in (self.model_extra or {}).items():
            if not isinstance(path, str):
                raise Fault(
                    "SD105",
                    f"`{name}` takes the path of a .npy file, not `{path}`",
                    (name,),
                    help=f"write `{name}: {name}.npy`",
                )
            named[name] = path
        return named

    def _one(self, written: str, scope: Scope) -> Iterator[Array]:
        [path] = find_files([written], scope)[:1]
        with open_file(path) as file:
            start = file.read(2)
        if start != b"PK":
            if self.keys is not None:
                raise Fault(
                    "SD105", f"`{written}` is no archive, so it has no `keys`", ("keys",), help="remove it"
                )
            yield _component("value", written, scope, ("path",))
            return
        members = {one.name: one for one in read_members(path, file_size(path))}
        for number, name in enumerate(self.keys or members):
            if name not in members:
                known = did_you_mean(name, members, what="arrays")
                raise Fault("SD201", f"`{path}` has no array `{name}`", ("keys", number), help=known)
            if not name or name[0] == "#":
                way_out = "choose others with `keys`, or rename it"
                raise Fault("SD105", f"`{name}` is not a name for a component", ("path",), help=way_out)
            one = members[name]
            size = file_size(path)
            after = 0 if one.start is None else size - one.start - one.header.data_bytes
            yield Array(name, path, one.header, one.start, after)
        if not members:
            raise Fault(
                "SD403",
                f"`{path}` has no arrays",
                ("path",),
                help="name an archive that `np.savez` wrote arrays into",
            )


def open_file(path: str) -> Any:
    """Return a file opened for reading bytes.

    Raises:
        Fault: the system does not let us.
    """
    try:
        return open(path, "rb")
    except OSError as error:
        raise unreadable(path, error) from None


@dataclass(frozen=True, slots=True)
class Array:
    """One array in a file."""

    name: str
    file: str
    header: Header
    start: int | None
    """Where its first row lies in the file; None where it has to be loaded whole."""
    after: int
    """Bytes of the file behind its last row."""


def _component(name: str, written: str, scope: Scope, at: tuple[str, ...]) -> Array:
    if not name or name[0] == "#":
        raise Fault("SD105", f"`{name}` is not a name for a component", at, help="start it with a letter")
    path = scope.path(written)
    try:
        [path] = find_files([written], scope)[:1]
        size = file_size(path)
        with open_file(path) as file:
            start = file.read(2)
            file.seek(0)
            if start == b"PK":
                way_out = f"write `numpy: {{path: {written}, keys: [...]}}`"
                raise damaged(path, "is a .npz archive, not one array", way_out=way_out)
            header = read_header(file.read, path)
    except Fault as fault:
        raise replace(fault, at=at) from None
    except OSError as error:
        raise unreadable(scope.path(written), error, at=at) from None
    after = size - header.offset - header.data_bytes
    if after < 0:
        found = f"its header says {header.offset + header.data_bytes} bytes, {size} were found"
        raise damaged(path, f"is cut off: {found}", at=at)
    return Array(name, path, header, header.offset, after)


def _same_length(arrays: tuple[Array, ...]) -> int:
    lengths = {array.name: array.header.rows for array in arrays}
    if len(set(lengths.values())) > 1:
        notes = tuple(f"`{name}` has {rows} rows" for name, rows in lengths.items())
        raise Fault("SD203", "the arrays differ in length", notes=notes, help="cut them to the same length")
    return arrays[0].header.rows


@dataclass(frozen=True)
class NumpyRoot(Root):
    """Arrays that are read in step."""

    seeks: ClassVar[bool] = True

    arrays: tuple[Array, ...]
    rows: int

    @property
    def whole(self) -> int:
        """Bytes of the arrays that are loaded whole, since they are compressed."""
        return sum(array.header.data_bytes for array in self.arrays if array.start is None)

    def title(self) -> str:
        """Return the source's name."""
        return "numpy"

    def keep(self, names: frozenset[str]) -> Root:
        """Return the root without the arrays that nothing needs; the smallest stays to count the rows."""
        kept = tuple(array for array in self.arrays if array.name in names)
        smallest = min(self.arrays, key=lambda array: array.header.row_bytes)
        return replace(self, arrays=kept or (smallest,))

    def infer(self, scope: Scope) -> Stream:
        """Return the rows' types: everything about them is exact."""
        return Stream({array.name: array.header.tensor for array in self.arrays}, exactly(self.rows))

    def holds(self, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield each reader's buffer and row, each array that is loaded whole, the row being decoded.

        While a row is decoded its bytes, the numbers, and those the other way round may stand side by side.
        """
        for array in self.arrays:
            row = array.header.row_bytes
            if array.start is None:
                what = f"`{array.name}`, which is compressed and so loaded whole"
                yield Hold(HOST, array.header.data_bytes + _ZIP_BYTES, what)
            else:
                yield Hold(HOST, READ_BUFFER + 2 * row, f"the reader of `{array.name}`: its buffer and a row")
            text = _PER_BYTE * row if array.header.text else 0
            yield Hold(HOST, 4 * row + text, f"a row of `{array.name}` while it is decoded")
        yield Hold(HOST, after.bytes, "the element handed on")

    def lower(self, low: Lowering) -> Any:
        """Return the rows of all arrays, zipped and decoded."""
        tf = low.tf
        records = tf.data.Dataset.zip(
            {array.name: self._records(tf, array, low.first) for array in self.arrays}
        )

        def decode(values: dict[str, Any]) -> dict[str, Any]:
            return {array.name: decode_row(tf, values[array.name], array.header) for array in self.arrays}

        return records.map(decode).apply(tf.data.experimental.assert_cardinality(self.rows - low.first))

    def _records(self, tf: Any, array: Array, first: int) -> Any:
        """Return the bytes of each row from one on: a string, or a vector where the array is loaded."""
        header = array.header
        if not header.data_bytes:
            return tf.data.Dataset.from_tensors(b"").repeat(self.rows - first)
        if array.start is None:
            return tf.data.Dataset.range(first, self.rows).map(_pick(tf, array))
        return tf.data.FixedLengthRecordDataset(
            array.file,
            header.row_bytes,
            header_bytes=array.start + first * header.row_bytes,
            footer_bytes=array.after,
            buffer_size=READ_BUFFER,
        )

    def describe(self, index: int) -> str:
        """Return the first array's file and the row."""
        return f"{self.arrays[0].file} row {index}"

    def located(self, index: int) -> dict[str, Any]:
        """Return the same in parts."""
        return {"file": self.arrays[0].file, "row": index}

    def origin(self, tf: Any, index: Any) -> Any:
        """Return the same inside the graph."""
        return tf.strings.join([f"{self.arrays[0].file} row ", tf.strings.as_string(index)])


def _pick(tf: Any, array: Array) -> Callable[[Any], Any]:
    """Return a function that gives one row's bytes, uint8, of an array that is loaded once and not copied."""
    import numpy

    rows = load_rows(array.file, array.name, array.header)
    # DLPack hands the memory over as it is; TensorFlow needs it aligned, which a page is
    shared = numpy.ndarray((array.header.rows, array.header.row_bytes), numpy.uint8, rows)
    every = tf.experimental.dlpack.from_dlpack(shared.__dlpack__())
    return lambda row: tf.gather(every, row)
