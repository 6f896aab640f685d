"""Bytes compressed on their own, as a frame that says by itself whether it is still what was written."""

from __future__ import annotations

import importlib
import importlib.util
import struct
import zlib
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple

HEADER: Final = struct.Struct("<BI")
"""What a frame begins with: whether the rest is compressed, and the CRC-32 of that byte and the rest."""
_AS_IT_IS, _COMPRESSED = 0, 1
_LEVEL: Final = 1
"""Of both codecs: of 64 KiB of photos, tokens or texts the usual level, 6 or 3, saves 0 to 15 % more, in 1.3 to 6 times
the time."""


class BrokenFrame(ValueError):
    """A frame is not what was written."""


class Codec:
    """Makes frames of bytes, and bytes of frames; several threads may do so at once."""

    def __init__(self, name: str) -> None:
        """Prepare it.

        Args:
            name: one of `CODECS`, of which the package is there.
        """
        self._kind = CODECS[name]
        self._packing, self._unpacking = deque[Any](), deque[Any]()

    def packed(self, data: Any) -> bytes:
        """Return bytes as a frame: at most `HEADER.size` more, since what would not be smaller stays as it is."""
        with_it = _Lent(self._packing, self._kind.packer)
        body = with_it(data)
        if len(body) < len(data):
            return HEADER.pack(_COMPRESSED, zlib.crc32(body, _COMPRESSED)) + body
        del body  # as large as the data
        return b"".join((HEADER.pack(_AS_IT_IS, zlib.crc32(data, _AS_IT_IS)), data))

    def unpacked(self, frame: bytes, size: int | None) -> memoryview:
        """Return the bytes of a frame.

        Args:
            frame: as `packed` made it.
            size: how many bytes there must be; None for any number.

        Raises:
            BrokenFrame: it is not what was written.
        """
        if len(frame) < HEADER.size:
            raise BrokenFrame("it has a frame without its checksum")
        kind, sum_ = HEADER.unpack_from(frame)
        data = memoryview(frame)[HEADER.size :]
        # Before anything is made of them: a codec could make any number of bytes of others.
        if zlib.crc32(data, kind) != sum_:
            raise BrokenFrame("a checksum differs")
        if kind == _COMPRESSED:
            data = memoryview(_Lent(self._unpacking, self._kind.unpacker)(data, size or 0))
        if size is not None and len(data) != size:
            raise BrokenFrame(f"a frame has {len(data)} bytes in place of {size}")
        return data


class _Lent:
    """A function that works on one thing at a time, taken from those that nobody uses."""

    def __init__(self, idle: deque[Any], make: Callable[[], Any]) -> None:
        self._idle = idle
        self._make = make

    def __call__(self, *arguments: Any) -> bytes:
        try:
            function = self._idle.pop()
        except IndexError:
            function = self._make()
        try:
            made: bytes = function(*arguments)
            return made
        finally:
            self._idle.append(function)


class _Kind(NamedTuple):
    """What a codec is made of."""

    package: str | None
    """The package that has it, and the extra that brings it; None for the standard library's."""
    packer: Callable[[], Callable[[Any], bytes]]
    unpacker: Callable[[], Callable[[Any, int], bytes]]
    """Takes the size as well, 0 where that is not known."""
    module_bytes: int
    """Bound on what its code takes in memory."""


def _deflating() -> Callable[[Any], bytes]:
    return lambda data: zlib.compress(data, _LEVEL)


def _inflating() -> Callable[[Any, int], bytes]:
    # With its size beforehand the result is made once, and not put together of pieces.
    return lambda data, size: zlib.decompress(data, bufsize=size or zlib.DEF_BUF_SIZE)


def _zstandard() -> Any:
    return importlib.import_module("zstandard")  # few have it, and types of it are there only with it


def _packing_zstd() -> Callable[[Any], bytes]:
    compress: Callable[[Any], bytes] = _zstandard().ZstdCompressor(level=_LEVEL).compress
    return compress


def _unpacking_zstd() -> Callable[[Any, int], bytes]:
    decompress: Callable[[Any], bytes] = _zstandard().ZstdDecompressor().decompress
    return lambda data, _: decompress(data)


PACKING_BYTES: Final = 2 << 20
"""Bound on what one that compresses keeps beside the bytes: of zstd measured 0.7 MiB, of zlib 0.3."""
UNPACKING_BYTES: Final = 256 << 10
"""The same for the other way: measured 48 KiB."""
CODECS: Final = {
    "zlib": _Kind(None, _deflating, _inflating, 0),
    "zstd": _Kind("zstandard", _packing_zstd, _unpacking_zstd, 4 << 20),
}


def missing(name: str) -> str | None:
    """Return the package that a codec needs where that is not installed; None where nothing is missing."""
    package = CODECS[name].package
    return package if package is not None and importlib.util.find_spec(package) is None else None
