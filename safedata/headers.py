"""What the headers of image files say: format, height, width, a JPEG's layout, without decoding a pixel.

Pillow reads all but the layout. TensorFlow decides what counts: the five formats that it decodes, its size of a
GIF's frames, and no turning by an orientation tag.
"""

from __future__ import annotations

import io
import os
import warnings
from collections import Counter
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any, BinaryIO, Final, cast

from safedata.memory import Evidence, largest
from safedata.records import record
from safedata.scope import MANY_FILES
from safedata.types import IMAGE_ENDS, UNBOUNDED, Dim, Encoded

_NAMES: Final = {"JPEG": "jpeg", "MPO": "jpeg", "PNG": "png", "GIF": "gif", "BMP": "bmp", "WEBP": "webp"}
"""Pillow's names of the formats that TensorFlow decodes; MPO is a JPEG with others behind it."""
_WEBP: Final = (b"RIFF", b"WEBP")

_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""The markers of a JPEG's frame, SOF0 to SOF15 (ITU T.81, table B.1)."""
_PROGRESSIVE: Final = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_SCAN: Final = 0xDA
_ALONE: Final = frozenset({0x01, *range(0xD0, 0xD8)})
"""Markers that no segment follows."""
_BLOCK: Final = 8 * 8 * 2
"""Bytes of the coefficients of one block."""


class HeaderError(ValueError):
    """The bytes are not the beginning of an image that TensorFlow decodes; the message says why."""


@record(frozen=True, slots=True)
class Header:
    """What one image says of itself."""

    format: str
    """`jpeg`, `png`, `gif`, `bmp` or `webp`."""
    height: int
    """In pixels, like `width`."""
    width: int
    whole: bool = False
    """Whether it is a JPEG or PNG that ends as one does."""
    coefficients: int | None = 0
    """Bytes of coefficients that decoding it keeps, as a progressive JPEG needs them; None where its layout
    cannot be read."""


@record(frozen=True, slots=True)
class Headers:
    """What the headers of many files say together."""

    encoded: Encoded
    """Sizes and formats of those that are images."""
    count: int
    """How many files there are."""
    read: int
    """How many of them were opened."""
    damaged: tuple[tuple[str, str], ...]
    """Each opened file that is no image, with the reason."""
    seen: Counter[Header]
    """How many of the opened files have each header; none where a measurement's summary stands for them."""
    sizes: tuple[tuple[int, int, int], ...] = ()
    """Heights and widths, and how many images are of them at most; none where nobody counted them."""

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
    seen: Counter[Header] = Counter()
    damaged: list[tuple[str, str]] = []
    for path in chosen:
        header = try_header(path)
        if isinstance(header, Header):
            seen[header] += 1
        else:
            damaged.append((path, header))
    evidence: Evidence = "measured" if len(chosen) == len(paths) else "sampled"
    encoded = joined(seen, evidence)
    return Headers(encoded, len(paths), len(chosen), tuple(damaged), seen, encoded.sizes)


def try_header(path: str) -> Header | str:
    """Return what a file's header says, or why it says nothing.

    Raises:
        OSError: the file cannot be opened or read.
    """
    try:
        return read_header(path)
    except HeaderError as error:
        return str(error)


def read_header(path: str) -> Header:
    """Return what the header of one file says.

    Raises:
        HeaderError: it is no image that TensorFlow decodes.
        OSError: the file cannot be opened or read.
    """
    with open(path, "rb") as file:
        return _header(file)


def parse_header(data: bytes) -> Header:
    """Return what an encoded image says.

    Raises:
        HeaderError: it is no image that TensorFlow decodes.
    """
    return _header(io.BytesIO(data))


def _header(file: BinaryIO) -> Header:
    first = file.read(18)
    if not first:
        raise HeaderError("it is empty")
    if first[:2] == b"BM" and int.from_bytes(first[14:18], "little") < 40:
        raise HeaderError("it is an OS/2 bitmap, which TensorFlow does not decode")
    file.seek(0)
    name, (width, height) = _opened(file, webp=(first[:4], first[8:12]) == _WEBP)
    if name not in _NAMES:
        raise HeaderError(f"it is {name}, which TensorFlow does not decode")
    if height < 1 or width < 1:
        raise HeaderError(f"its header says {width} x {height} pixels")
    kept = _coefficients(file) if _NAMES[name] == "jpeg" else 0
    return Header(_NAMES[name], height, width, _ends(file, _NAMES[name]), kept)


def _coefficients(file: BinaryIO) -> int | None:
    """Return the bytes of coefficients that libjpeg keeps while it decodes a JPEG; None where that cannot be told.

    A file comes row by row where one scan has everything. Where there are several, those of a progressive file or one
    for each component, it keeps the coefficients of all blocks, 2 bytes each, every component padded to whole units
    of the scan (`initial_setup` in `jdinput.c`, `jinit_d_coef_controller` in `jdcoefct.c`).
    """
    frame, progressive = b"", False
    for marker, segment in _segments(file):
        if marker == _SCAN and frame and segment:
            return _blocks(frame) if progressive or segment[0] < frame[5] else 0
        if marker in _FRAMES and len(segment) >= 6 and len(segment) >= 6 + 3 * segment[5]:
            frame, progressive = segment, marker in _PROGRESSIVE
    return None


def _segments(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield the markers of a JPEG with what follows each, up to the first scan; stop at what is none."""
    file.seek(2)
    marker = None
    while marker != _SCAN:
        start = file.read(2)
        while start == b"\xff\xff":  # any number of them may stand before a marker
            start = start[1:] + file.read(1)
        if len(start) < 2 or start[0] != 0xFF:
            return
        marker = start[1]
        if marker in _ALONE:
            continue
        length = int.from_bytes(file.read(2), "big") - 2
        if length < 0:
            return
        if marker == _SCAN or marker in _FRAMES:
            yield marker, file.read(length)
        else:
            file.seek(length, os.SEEK_CUR)


def _blocks(frame: bytes) -> int | None:
    """Return the bytes of all coefficients of a frame (ITU T.81, B.2.2 and A.2.4)."""
    height, width = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
    across = [sampling >> 4 for sampling in frame[7 : 7 + 3 * frame[5] : 3]]
    down = [sampling & 15 for sampling in frame[7 : 7 + 3 * frame[5] : 3]]
    if not all((height, width, *across, *down)):
        return None
    units = -(-width // (8 * max(across))) * -(-height // (8 * max(down)))
    return units * sum(one * other for one, other in zip(across, down, strict=True)) * _BLOCK


def _ends(file: BinaryIO, name: str) -> bool:
    """Return whether a file of this format has the two bytes at its end that it must have."""
    if name not in IMAGE_ENDS:
        return False
    file.seek(-2, os.SEEK_END)
    return file.read(2) == IMAGE_ENDS[name]


def _opened(file: BinaryIO, *, webp: bool) -> tuple[str, tuple[int, int]]:
    """Return Pillow's name of a format and the size as width and height."""
    from PIL import Image, UnidentifiedImageError

    if webp:  # not among the plugins that Pillow loads first
        from PIL import WebPImagePlugin as _  # noqa: F401
    try:
        with _any_size(), cast("Any", Image.open(file)) as image:  # Pillow's own types are not complete
            size: tuple[int, int] = image.size
            return str(image.format), size
    except UnidentifiedImageError:
        raise HeaderError("it does not start like a JPEG, PNG, GIF, BMP or WebP image") from None
    except (OSError, SyntaxError, ValueError, EOFError, IndexError) as error:  # what its plugins let through
        raise HeaderError(f"its header is damaged: {error}") from None


@contextmanager
def _any_size() -> Generator[None, None, None]:
    """Let Pillow open images of any size: its limit protects from decoding, and nothing is decoded."""
    _LIMIT.lift()
    try:
        yield
    finally:
        _LIMIT.restore()


class _Limit:
    """Pillow's limit and Python's warnings are the process's own: the first thread lifts, the last one restores."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.depth = 0
        self.pixels: int | None = None
        self.quiet = warnings.catch_warnings()

    def lift(self) -> None:
        from PIL import Image

        with self.lock:
            self.depth += 1
            if self.depth == 1:
                self.quiet = warnings.catch_warnings()
                self.quiet.__enter__()
                warnings.simplefilter("ignore")
                self.pixels, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None

    def restore(self) -> None:
        from PIL import Image

        with self.lock:
            self.depth -= 1
            if self.depth == 0:
                Image.MAX_IMAGE_PIXELS = self.pixels
                self.quiet.__exit__(None, None, None)


_LIMIT: Final = _Limit()


def _spaced(paths: Sequence[str], count: int) -> list[str]:
    """Return `count` of the paths, two or more, the first and the last among them."""
    return [paths[number * (len(paths) - 1) // (count - 1)] for number in range(count)]


def joined(seen: Collection[Header], evidence: Evidence) -> Encoded:
    """Return what is known of images with these headers: sizes exact where all of them were read and agree."""
    formats = frozenset(header.format for header in seen)
    counted = seen.items() if isinstance(seen, Counter) else ()
    sizes = tuple(sorted((one.height, one.width, count) for one, count in counted))
    # A GIF's frames may be smaller than its canvas, and TensorFlow gives it the size of its largest frame.
    settled = evidence == "measured" and "gif" not in formats
    return Encoded(
        _dim({header.height for header in seen}, settled, evidence),
        _dim({header.width for header in seen}, settled, evidence),
        formats,
        evidence == "measured" and bool(seen) and all(header.whole for header in seen),
        largest(*(header.coefficients for header in seen)) if evidence == "measured" and seen else None,
        sizes if len(sizes) <= MANY_FILES else (),
    )


def _dim(sizes: set[int], settled: bool, evidence: Evidence) -> Dim:
    return Dim(max(sizes), settled and len(sizes) == 1, evidence) if sizes else UNBOUNDED
