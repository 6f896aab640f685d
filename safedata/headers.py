"""What the first bytes of image files say: format, height and width, without decoding a pixel.

The five formats that TensorFlow decodes are read here, a few hundred bytes of each file. The sizes are those
that its decoders give; like them, this reading does not turn an image by its orientation tag.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from safedata.memory import Evidence
from safedata.scope import MANY_FILES
from safedata.types import UNBOUNDED, Dim, Encoded

_FIRST: Final = 512
"""Bytes read at once: the header of most files; a JPEG with metadata takes a few reads more."""
_MOST_SEGMENTS: Final = 4096
"""A JPEG with more segments before its size is taken for damaged."""
_NO_FRAME: Final = frozenset({0xC4, 0xC8, 0xCC})
"""JPEG markers between the start-of-frame ones (C0 to CF) that say no size."""
_BARE: Final = frozenset({0x01, *range(0xD0, 0xD9)})
"""JPEG markers with no length behind them."""
_OTHERS: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftyphei", "HEIF"),
    (4, b"ftypmif1", "HEIF"),
    (0, b"\0\0\x01\0", "ICO"),
    (0, b"8BPS", "Photoshop"),
    (0, b"%PDF", "PDF"),
    (0, b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (0, b"<svg", "SVG"),
)
"""Where other formats that people keep among images have their mark."""


class HeaderError(ValueError):
    """The bytes are not the beginning of an image that TensorFlow decodes; the message says why."""


class Readable(Protocol):
    """An open binary file."""

    def seek(self, offset: int, /) -> int:
        """Go to `offset` bytes from the start."""
        ...

    def read(self, size: int, /) -> bytes | None:
        """Return the next bytes, at most `size`."""
        ...


@dataclass(frozen=True, slots=True)
class Header:
    """What one image says of itself."""

    format: str
    """`jpeg`, `png`, `gif`, `bmp` or `webp`."""
    height: int
    """In pixels, like `width`."""
    width: int


@dataclass(frozen=True, slots=True)
class Headers:
    """What the headers of many files say together."""

    encoded: Encoded
    """Sizes and formats of those that are images."""
    count: int
    """How many files there are."""
    read: int
    """How many of them were opened."""
    damaged: tuple[tuple[str, str], ...] = ()
    """Each opened file that is no image, with the reason."""

    @property
    def sampled(self) -> bool:
        """Whether some files were not opened, so that the sizes are an estimate."""
        return self.read < self.count

    @property
    def images(self) -> int:
        """How many of the opened files are images."""
        return self.read - len(self.damaged)


def inspect_images(paths: Sequence[str], *, most: int | None = MANY_FILES) -> Headers:
    """Return what the headers of these files say.

    Args:
        paths: the files.
        most: above this many files, so many evenly spaced ones are opened; None opens all of them.

    Returns:
        Sizes in pixels with the evidence `measured`, exact where all are the same. Where files were left
        unopened the sizes are at most the largest seen, with the evidence `sampled`.

    Raises:
        OSError: a file cannot be opened or read.
    """
    chosen = paths if most is None or len(paths) <= most else _spaced(paths, most)
    seen: set[Header] = set()
    damaged: list[tuple[str, str]] = []
    for path in chosen:
        try:
            seen.add(read_header(path))
        except HeaderError as error:
            damaged.append((path, str(error)))
    evidence: Evidence = "measured" if len(chosen) == len(paths) else "sampled"
    return Headers(_joined(seen, evidence), len(paths), len(chosen), tuple(damaged))


def read_header(path: str) -> Header:
    """Return what the header of one file says.

    Raises:
        HeaderError: it is no image that TensorFlow decodes.
        OSError: the file cannot be opened or read.
    """
    with open(path, "rb", buffering=0) as file:
        return parse_header(file.read(_FIRST), file)


def parse_header(first: bytes, file: Readable | None = None) -> Header:
    """Return what an encoded image says.

    Args:
        first: its first bytes, 32 or more unless it is shorter.
        file: where to read on when they are not enough; without it they are all there is.

    Raises:
        HeaderError: it is no image that TensorFlow decodes, or it ends before its size.
    """
    if not first:
        raise HeaderError("it is empty")
    if first[:3] == b"\xff\xd8\xff":
        found = _jpeg(first, file)
    elif first[:8] == b"\x89PNG\r\n\x1a\n":
        found = Header("png", _number(first, 20, 4, "big"), _number(first, 16, 4, "big"))
    elif first[:6] in (b"GIF87a", b"GIF89a"):
        found = Header("gif", _number(first, 8, 2), _number(first, 6, 2))
    elif first[:2] == b"BM":
        found = _bmp(first)
    elif first[:4] == b"RIFF" and first[8:12] == b"WEBP":
        found = _webp(first)
    else:
        raise HeaderError(_what_else(first))
    if found.height < 1 or found.width < 1:
        raise HeaderError(f"its header says {found.width} x {found.height} pixels")
    return found


def _spaced(paths: Sequence[str], count: int) -> list[str]:
    """Return `count` of the paths, two or more, the first and the last among them."""
    return [paths[number * (len(paths) - 1) // (count - 1)] for number in range(count)]


def _joined(seen: set[Header], evidence: Evidence) -> Encoded:
    formats = frozenset(header.format for header in seen)
    # A GIF's frames may be smaller than its canvas, and TensorFlow gives it the size of its largest frame.
    settled = evidence == "measured" and "gif" not in formats
    return Encoded(
        _dim({header.height for header in seen}, settled, evidence),
        _dim({header.width for header in seen}, settled, evidence),
        formats,
    )


def _dim(sizes: set[int], settled: bool, evidence: Evidence) -> Dim:
    return Dim(max(sizes), settled and len(sizes) == 1, evidence) if sizes else UNBOUNDED


def _number(
    data: bytes, start: int, count: int, order: Literal["little", "big"] = "little", *, signed: bool = False
) -> int:
    if len(data) < start + count:
        raise HeaderError("it ends before its size is told")
    return int.from_bytes(data[start : start + count], order, signed=signed)


def _jpeg(first: bytes, file: Readable | None) -> Header:
    """Go from segment to segment up to the frame (ITU T.81, B.1.1 and B.2.2)."""
    window, start, at = first, 0, 2
    for _ in range(_MOST_SEGMENTS):
        if at + 10 > start + len(window) and file is not None:
            file.seek(at)
            window, start = file.read(_FIRST) or b"", at
        here = at - start
        if _number(window, here, 1) != 0xFF:  # decoders skip such bytes, with a warning
            next_marker = window.find(b"\xff", here)
            at = start + (next_marker if next_marker >= 0 else len(window))
            continue
        marker = _number(window, here + 1, 1)
        if marker == 0xFF:  # a marker may have any number of these before it
            at += 1
        elif marker in _BARE:
            at += 2
        elif 0xC0 <= marker <= 0xCF and marker not in _NO_FRAME:
            return Header("jpeg", _number(window, here + 5, 2, "big"), _number(window, here + 7, 2, "big"))
        elif marker in (0xD9, 0xDA):
            raise HeaderError("its pixels start before its size is told")
        else:
            at += 2 + max(_number(window, here + 2, 2, "big"), 2)
    raise HeaderError("its size is not told in its first segments")


def _bmp(first: bytes) -> Header:
    if _number(first, 14, 4) < 40:
        raise HeaderError("it is an OS/2 bitmap, which TensorFlow does not decode")
    # Rows from the top down are told by a negative height.
    return Header("bmp", abs(_number(first, 22, 4, signed=True)), _number(first, 18, 4, signed=True))


def _webp(first: bytes) -> Header:
    """Read the first chunk: lossy, lossless or extended (RFC 9649, 2.5 to 2.7)."""
    chunk = first[12:16]
    if chunk == b"VP8 ":
        return Header("webp", _number(first, 28, 2) & 0x3FFF, _number(first, 26, 2) & 0x3FFF)
    if chunk == b"VP8L":
        bits = _number(first, 21, 4)
        return Header("webp", (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1)
    if chunk == b"VP8X":
        return Header("webp", _number(first, 27, 3) + 1, _number(first, 24, 3) + 1)
    raise HeaderError("its first WebP chunk is unknown")


def _what_else(first: bytes) -> str:
    for start, mark, name in _OTHERS:
        if first[start : start + len(mark)] == mark:
            return f"it is {name}, which TensorFlow does not decode"
    return "it does not start like a JPEG, PNG, GIF, BMP or WebP image"
