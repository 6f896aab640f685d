"""The columns of Parquet files: their types, and pyarrow itself, which is an extra."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from safedata.problem import Fault, did_you_mean
from safedata.records import record
from safedata.sources._chosen import chosen
from safedata.sources._records import damaged
from safedata.types import Tensor

BUFFER: Final = 1 << 16
"""Bytes that pyarrow reads at once of a column."""
_NUMBERS: Final = {
    "bool": "bool",
    "halffloat": "float16",
    "float": "float32",
    "double": "float64",
    **{name: name for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")},
}
_TIMES: Final = ("timestamp", "date64", "time64", "duration")
_SHORT_TIMES: Final = ("date32", "time32")
_TEXTS: Final = ("string", "large_string", "binary", "large_binary", "string_view", "binary_view")
_WAYS: Final = {
    "struct": "name its fields: `columns: {{name: {0}.{1}}}`",
    "decimal": "write the column as float64, or as text",
    "map": "write the mapping as two list columns: keys and values",
}


def pyarrow(name: str = "pyarrow.parquet") -> Any:
    """Import and return a module of pyarrow.

    Raises:
        Fault: SD407, pyarrow is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "pyarrow":
            raise
        what = "reading `parquet` needs the package pyarrow, for a check too, and it is not installed"
        raise Fault("SD407", what, help="install it: `pip install 'safedata[parquet]'`") from None


@record(frozen=True, slots=True)
class Column:
    """One column of the files, and the component that it becomes."""

    name: str
    path: str
    """The column; a field of a struct stands behind a dot: `image.bytes`."""
    kind: str
    """Its type as pyarrow writes it, to compare files by."""
    tensor: Tensor
    """Scalar for a list's values."""
    listed: bool = False
    size: int | None = None
    """Values of each list where that is fixed."""

    def owns(self, leaf: str) -> bool:
        """Return whether a column chunk, by its path in the file's schema, is one of this column."""
        return leaf == self.path or leaf.startswith(self.path + ".")


def open_parquet(path: str) -> Any:
    """Return pyarrow's reader of a file: bytes from the system's allocator, a buffer at a time.

    pyarrow's own pool keeps what was freed, where the C library gives large blocks back: of a file of 80 MB the
    reader took 30 MB then, and 116 MB as pyarrow sets it up by default (measured, resident memory).

    Raises:
        Fault: SD404, the file is no Parquet file.
        OSError: it cannot be opened.
    """
    parquet, base = pyarrow(), pyarrow("pyarrow")
    before = base.default_memory_pool()
    base.set_memory_pool(base.system_memory_pool())
    try:
        return parquet.ParquetFile(path, pre_buffer=False, buffer_size=BUFFER)
    except (base.ArrowException, UnicodeDecodeError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the system's, not Thrift's
            raise
        raise damaged(
            path, f"is no Parquet file that can be read: {said(error)}", way_out="write it again"
        ) from None
    finally:
        base.set_memory_pool(before)


def said(error: Exception) -> str:
    """Return the first sentence of what pyarrow says, as a part of ours."""
    first = str(error).strip().partition("\n")[0].partition(". ")[0].rstrip(".")
    return first[:1].lower() + first[1:200] if first else type(error).__name__


def columns_of(schema: Any, wanted: Sequence[str] | Mapping[str, str] | None, path: str) -> Iterator[Column]:
    """Yield the columns that a spec names, or all, as a file's schema has them.

    Raises:
        Fault: there is no such column, or it has a type that no component can have.
    """
    for name, column, at in chosen("columns", wanted, schema.names):
        yield _column(name, column, _found(schema, column, path, at), at)


def _found(schema: Any, column: str, path: str, at: tuple[str | int, ...]) -> Any:
    """Return the type of a column, or of a field of one."""
    names: list[str] = schema.names
    if names.count(column) == 1:
        return schema.field(column).type
    first, *rest = column.split(".")
    found: Any = schema.field(first).type if names.count(first) == 1 else None
    for part in rest:
        found = found.field(part).type if part in _fields(found) else None
    if found is None or not rest:
        known = did_you_mean(column, names, what="columns")
        raise Fault("SD201", f"`{path}` has no column `{column}`", at, help=known)
    return found


def _fields(kind: Any) -> list[str]:
    return (
        [kind.field(number).name for number in range(kind.num_fields)] if str(kind)[:7] == "struct<" else []
    )


def plain(kind: Any) -> Any:
    """Return the type that values have once dictionaries and extensions are undone."""
    while True:
        if hasattr(kind, "storage_type"):
            kind = kind.storage_type
        elif str(kind)[:11] == "dictionary<":
            kind = kind.value_type
        else:
            return kind


def _column(name: str, path: str, kind: Any, at: tuple[str | int, ...]) -> Column:
    kind, shown = plain(kind), str(kind)
    word = str(kind).partition("<")[0].partition("[")[0]
    if word in ("list", "large_list", "fixed_size_list"):
        size = kind.list_size if word == "fixed_size_list" else None
        dtype = _dtype(plain(kind.value_type))
        if dtype is not None:
            return Column(name, path, shown, Tensor(dtype), True, size)
    dtype = _dtype(kind)
    if dtype is not None:
        return Column(name, path, shown, Tensor(dtype))
    fields = _fields(kind)
    way_out = "name other `columns`, or write it as a number, text, or a list of these"
    for start, way in _WAYS.items():
        if word.startswith(start):
            way_out = way.format(path, fields[0] if fields else "field")
    what = f"the column `{path}` is {shown[:80]}, which no component can be"
    raise Fault("SD202", what, at, help=way_out)


def _dtype(kind: Any) -> str | None:
    word = str(kind).partition("[")[0]
    if word in _TIMES:
        return "int64"
    if word in _SHORT_TIMES:
        return "int32"
    if word in _TEXTS or word == "fixed_size_binary":
        return "string"
    return _NUMBERS.get(word)
