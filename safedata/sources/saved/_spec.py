"""What `tf.data.Dataset.save` writes beside the elements, read from its bytes: nothing is unpickled, and no TensorFlow.

`dataset_spec.pb` is a `StructuredValue` (tensorflow/core/protobuf/struct.proto), `snapshot.metadata` a
`SnapshotMetadataRecord` (snapshot.proto).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from safedata.records import record
from safedata.sources._varint import varint

_DTYPES: Final = {
    1: "float32",
    2: "float64",
    3: "int32",
    4: "uint8",
    5: "int16",
    6: "int8",
    7: "string",
    8: "complex64",
    9: "int64",
    10: "bool",
    14: "bfloat16",
    17: "uint16",
    18: "complex128",
    19: "float16",
    22: "uint32",
    23: "uint64",
}
"""TensorFlow's dtypes by their numbers in `types.proto`."""
_RAGGED: Final = 3
"""`TypeSpecProto.RAGGED_TENSOR_SPEC`."""
_KINDS: Final = {1: "sparse", 2: "indexed slices", 4: "tensor array", 5: "dataset", 7: "optional"}
_FINISHED: Final = 1000
"""The field of `SnapshotMetadataRecord` that says whether everything was written."""


class SpecError(ValueError):
    """Bytes that are no such message."""


class RefusedError(Exception):
    """A message of a kind that is not read; the text says which."""


@record(frozen=True, slots=True)
class Part:
    """One component of an element: what is written as one record."""

    path: tuple[str, ...]
    """Keys from the outside in; a number, as text, for a place in a tuple."""
    dtype: str
    shape: tuple[int | None, ...]
    ragged_rank: int = 0

    @property
    def named(self) -> bool:
        """Whether every key is a name."""
        return bool(self.path) and not any(key.isdecimal() for key in self.path)


@dataclass(slots=True)
class Metadata:
    """What `snapshot.metadata` says."""

    run: str = ""
    """The folder of the elements."""
    version: int = 0
    elements: int | None = None
    finished: bool = False


Value = int | bytes


def fields(data: bytes) -> Iterator[tuple[int, Value]]:
    """Yield the number and the value of each field of a message: an unsigned number, or bytes.

    Raises:
        SpecError: the bytes are no message.
    """
    at = 0
    while at < len(data):
        tag, at = varint(data, at, error=SpecError)
        wire = tag & 7
        if wire == 0:
            value, at = varint(data, at, error=SpecError)
            yield tag >> 3, value
            continue
        if wire not in (1, 2, 5) or not tag >> 3:
            raise SpecError(f"a field of wire type {wire}")
        size = 8 if wire == 1 else 4
        if wire == 2:
            size, at = varint(data, at, error=SpecError)
        if at + size > len(data):
            raise SpecError("a field that ends behind its message")
        yield tag >> 3, data[at : at + size]
        at += size


def only(data: bytes, number: int) -> Iterator[bytes]:
    """Yield the messages in the fields with this number."""
    for one, value in fields(data):
        if one == number and isinstance(value, bytes):
            yield value


def first(data: bytes, number: int) -> Value | None:
    """Return the value of the first field with this number, None where there is none."""
    return next((value for one, value in fields(data) if one == number), None)


def read_metadata(data: bytes) -> Metadata:
    """Return what `snapshot.metadata` says.

    Raises:
        SpecError: it is no such message.
    """
    found = Metadata()
    for number, value in fields(data):
        if number == 2 and isinstance(value, bytes):
            found.run = value.decode("utf-8", "replace")
        elif number == 4 and isinstance(value, int):
            found.version = value
        elif number == 6 and isinstance(value, int):
            found.elements = value if value < 1 << 63 else None
        elif number == _FINISHED:
            found.finished = bool(value)
    return found


def read_spec(data: bytes) -> list[Part]:
    """Return the components of an element in the order in which they are written.

    Raises:
        SpecError: it is no such message.
        RefusedError: a component is neither a tensor nor a ragged one.
    """
    return list(_parts(data, (), 0))


def _parts(data: bytes, path: tuple[str, ...], depth: int) -> Iterator[Part]:
    if depth > 20:
        raise SpecError("a structure nested too deep")
    for number, value in fields(data):
        if not isinstance(value, bytes):
            raise RefusedError(f"{_shown(path)} is no tensor")
        if number in (51, 52):  # list, tuple
            for place, one in enumerate(only(value, 1)):
                yield from _parts(one, (*path, str(place)), depth + 1)
        elif number in (53, 54):  # mapping, named tuple
            yield from _mapping(value, path, depth, in_order=number == 54)
        elif number in (33, 35):
            yield _tensor(value, path)
        elif number == 34:
            yield _ragged(value, path)
        else:
            raise RefusedError(f"{_shown(path)} is no tensor")


def _shown(path: Sequence[str]) -> str:
    return f"`{'/'.join(path)}`" if path else "the element"


def _mapping(data: bytes, path: tuple[str, ...], depth: int, *, in_order: bool) -> Iterator[Part]:
    """Yield the components of a mapping, which is written in the order of its keys, or of a named tuple."""
    pairs: list[tuple[str, bytes]] = []
    for entry in only(data, 2 if in_order else 1):
        key, value = first(entry, 1), first(entry, 2)
        if not isinstance(key, bytes) or not isinstance(value, bytes):
            raise SpecError("a mapping without keys")
        pairs.append((key.decode("utf-8", "replace"), value))
    for name, inner in pairs if in_order else sorted(pairs):
        yield from _parts(inner, (*path, name), depth + 1)


def _tensor(data: bytes, path: tuple[str, ...]) -> Part:
    shape, dtype = first(data, 2), first(data, 3)
    return Part(path, _dtype(dtype, path), dims_of(shape if isinstance(shape, bytes) else b"", path))


def _dtype(number: Value | None, path: Sequence[str]) -> str:
    found = _DTYPES.get(number) if isinstance(number, int) else None
    if found is None:
        raise RefusedError(f"{_shown(path)} has a dtype that no component has")
    return found


def dims_of(data: bytes, path: Sequence[str]) -> tuple[int | None, ...]:
    """Return the dimensions of a `TensorShapeProto`, None for each that differs."""
    dims: list[int | None] = []
    for number, value in fields(data):
        if number == 3 and value:
            raise RefusedError(f"{_shown(path)} has no fixed number of dimensions")
        if number == 2 and isinstance(value, bytes):
            size = first(value, 1) or 0
            dims.append(size if isinstance(size, int) and size < 1 << 63 else None)
    return tuple(dims)


def _ragged(data: bytes, path: tuple[str, ...]) -> Part:
    kind, state = first(data, 1), first(data, 2)
    if kind != _RAGGED or not isinstance(state, bytes):
        named = _KINDS.get(kind, "other") if isinstance(kind, int) else "other"
        raise RefusedError(f"{_shown(path)} is of the kind `{named}`")
    values = list(only(next(only(state, 52), b""), 1))  # shape, dtype, ragged rank, dtype of the splits
    if len(values) < 4:
        raise SpecError("a ragged component without a type")
    shape, rank = first(values[0], 31), first(values[2], 12)
    if not isinstance(shape, bytes) or not isinstance(rank, int) or first(values[3], 32) != 9:
        raise RefusedError(f"{_shown(path)} is ragged with splits that are no int64")
    dims = dims_of(shape, path)
    if rank >> 1 != 1 or len(dims) != 2:  # a signed number: zigzag
        raise RefusedError(f"{_shown(path)} is ragged in more than one dimension")
    return Part(path, _dtype(first(values[1], 32), path), dims, 1)
