"""The header of a `.npy` file, read without NumPy.

Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, versions 1.0 to 3.0.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import prod
from typing import Final

from safedata.problem import Fault
from safedata.records import record
from safedata.types import UINT8_RANGE, Dim, Tensor, ValueRange

_MAGIC: Final = b"\x93NUMPY"
_LONGEST: Final = 64 * 1024
"""Bytes of the longest header that is read; NumPy itself refuses one over 10,000."""
_DESCR = re.compile(r"""['"]descr['"]\s*:\s*(?:['"]([^'"]{0,64})['"]|(\[))""", re.ASCII)
_ORDER = re.compile(r"""['"]fortran_order['"]\s*:\s*(True|False)""", re.ASCII)
_SHAPE = re.compile(r"""['"]shape['"]\s*:\s*\(([0-9,L\s]*)\)""", re.ASCII)
_DTYPE = re.compile(r"([<>|=])([a-zA-Z])([0-9]{0,9})(?:\[.*\])?", re.ASCII)
_NAMES: Final = {
    "b1": "bool",
    "f2": "float16",
    "f4": "float32",
    "f8": "float64",
    "c8": "complex64",
    "c16": "complex128",
    **{f"u{width}": f"uint{8 * width}" for width in (1, 2, 4, 8)},
    **{f"i{width}": f"int{8 * width}" for width in (1, 2, 4, 8)},
}
_REFUSED: Final = {
    "O": ("Python objects", "a pickle is code and is never loaded; save numbers or text instead"),
    "V": ("structured or raw values", "save one array for each field"),
    "M": ("dates", "save them as int64: `array.astype('int64')`"),
    "m": ("time spans", "save them as int64: `array.astype('int64')`"),
}


@record(frozen=True, slots=True)
class Header:
    """What a `.npy` header says."""

    dtype: str
    """TensorFlow's name."""
    width: int
    """Bytes of one value in the file."""
    shape: tuple[int, ...]
    offset: int
    """Bytes in front of the data."""
    big: bool = False
    """Whether the most significant byte comes first."""
    text: str = ""
    """`S` for bytes, `U` for UCS-4 text, both padded with NULs; empty for numbers."""

    @property
    def rows(self) -> int:
        """The length of the first dimension."""
        return self.shape[0]

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return prod(self.shape[1:]) * self.width

    @property
    def data_bytes(self) -> int:
        """Bytes of all rows."""
        return self.rows * self.row_bytes

    @property
    def tensor(self) -> Tensor:
        """The type of one row."""
        shape = tuple(Dim.exactly(size) for size in self.shape[1:])
        if self.text:
            return Tensor("string", shape, Dim.at_most(self.width))
        known = {"uint8": UINT8_RANGE, "bool": ValueRange(0, 1)}
        return Tensor(self.dtype, shape, range=known.get(self.dtype))


def read_header(read: Callable[[int], bytes], name: str) -> Header:
    """Return the header of the array that `read` gives the bytes of, from its start on.

    Args:
        read: returns the next n bytes, fewer at the end.
        name: the file, for messages.

    Raises:
        Fault: there is no such header, it is cut off, or the array is of a kind that cannot be streamed.
    """
    start = read(12)
    if start[:6] != _MAGIC:
        raise _damaged(name, "is not a .npy array", notes=(f"it starts with {start[:6]!r}",))
    wide = start[6:7] != b"\x01"
    size = int.from_bytes(start[8 : 12 if wide else 10], "little")
    if start[6:7] not in (b"\x01", b"\x02", b"\x03") or len(start) < 12 or size > _LONGEST:
        raise _damaged(name, "has no .npy header that can be read", way_out="save it again with `numpy.save`")
    text = (b"" if wide else start[10:12]) + read(size if wide else size - 2)
    if len(text) < size:
        raise _damaged(name, f"ends inside its header: {size} bytes expected, {len(text)} found")
    return _parse(text[:size].decode("latin-1"), (12 if wide else 10) + size, name)


def _damaged(name: str, what: str, *, notes: tuple[str, ...] = (), way_out: str | None = None) -> Fault:
    return Fault("SD404", f"`{name}` {what}", notes=notes, help=way_out)


def _parse(text: str, offset: int, name: str) -> Header:
    descr, order, shape = _DESCR.search(text), _ORDER.search(text), _SHAPE.search(text)
    if not descr or not order or not shape:
        raise _damaged(name, "has no .npy header that can be read", way_out="save it again with `numpy.save`")
    words = [part.strip(" \t\r\n\fL") for part in shape[1].split(",")]
    if any(word and not (word.isdecimal() and len(word) <= 18) for word in words):
        raise _damaged(name, f"claims the shape ({shape[1][:60]})")
    sizes = tuple(int(word) for word in words if word)
    kind, width, big = _dtype(descr, name)
    if not sizes:
        raise Fault("SD203", f"`{name}` is a single value, not rows", help="save it with a first dimension")
    if order[1] == "True" and sum(size > 1 for size in sizes) > 1:
        way_out = "save `numpy.ascontiguousarray(array)`"
        raise Fault("SD203", f"`{name}` lies column by column (Fortran order)", help=way_out)
    if kind in ("S", "U"):
        bytes_each = width * 4 if kind == "U" else width
        return Header("string", bytes_each, sizes, offset, big, kind)
    dtype = _NAMES.get(f"{kind}{width}")
    if dtype is None:
        raise _refused(f"{kind}{width}", "no type of TensorFlow", "save it as float64 or int64", name)
    return Header(dtype, width, sizes, offset, big)


def _dtype(descr: re.Match[str], name: str) -> tuple[str, int, bool]:
    if descr[2]:
        raise _refused("a list of fields", *_REFUSED["V"], name)
    found = _DTYPE.fullmatch(descr[1])
    if not found:
        raise _damaged(name, f"has values of an unknown dtype, `{descr[1]}`")
    if found[2] in _REFUSED:
        raise _refused(descr[1], *_REFUSED[found[2]], name)
    return found[2], int(found[3] or 1), found[1] == ">"


def _refused(dtype: str, what: str, way_out: str, name: str) -> Fault:
    return Fault("SD202", f"`{name}` has the NumPy dtype {dtype}: {what}", help=way_out)
