"""A contact sheet: drawn images side by side, each with what belongs to it below."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from PIL import Image, ImageDraw, ImageFont

from safedata.head import Row
from safedata.problem import DataError, Problem
from safedata.report.head import describe
from safedata.types import INTEGERS, UINT8_RANGE, Element, Tensor, ValueRange

FORMATS: Final = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
"""Endings of files that a sheet can be written to, with Pillow's names for them."""

_TILE: Final = 192
"""Columns and rows of one tile's picture, in pixels."""
_LINE: Final = 13
_LINES: Final = 3
_GAP: Final = 8
_STANDARD: Final = ((0.0, 255.0), (0.0, 1.0), (-1.0, 1.0))


class Scale(NamedTuple):
    """The values that become black and white."""

    low: float
    high: float
    measured: bool
    """Whether they come from the values themselves, since the type does not tell."""


def image_component(types: Element) -> str | None:
    """Return the component that is a picture: of kind `image`, else the first [height, width, 1, 3 or 4]."""
    fitting = [name for name, tensor in types.items() if _is_picture(tensor)]
    return next((name for name in fitting if types[name].kind == "image"), fitting[0] if fitting else None)


def _is_picture(tensor: Tensor) -> bool:
    numeric = tensor.dtype in INTEGERS or "float" in tensor.dtype
    return numeric and not tensor.ragged_rank and tensor.rank == 3 and tensor.static_shape[2] in (1, 3, 4)


def scale_of(tensor: Tensor, values: Sequence[Any]) -> Scale:
    """Return the range of a picture's values: the type's where it is a usual one, else least to largest."""
    known = UINT8_RANGE if tensor.range is None and tensor.dtype == "uint8" else tensor.range
    if known is not None and (known.low, known.high) in _STANDARD:
        return Scale(known.low, known.high, False)
    ends = [end for value in values for end in _ends(value)]
    found = ValueRange(min(ends), max(ends)) if ends else UINT8_RANGE
    return Scale(found.low, found.high, True)


def _ends(value: Any) -> list[float]:
    wide = value.astype("float64")
    finite = wide[abs(wide) < math.inf]
    return [float(finite.min()), float(finite.max())] if finite.size else []


def pixels(value: Any, scale: Scale) -> Any:
    """Return a picture's values as uint8 0..255; NaN becomes black."""
    wide = value.astype("float64")
    wide[wide != wide] = scale.low
    factor = 255.0 / (scale.high - scale.low) if scale.high > scale.low else 0.0
    return ((wide - scale.low) * factor).clip(0, 255).round().astype("uint8")


def contact_sheet(rows: Sequence[Row], name: str, scale: Scale) -> Image.Image:
    """Return the component `name` of each row as one picture, a tile for each."""
    columns = max(1, math.ceil(math.sqrt(len(rows))))
    lines = math.ceil(len(rows) / columns)
    width, height = _TILE + _GAP, _TILE + _LINES * _LINE + _GAP
    sheet = Image.new("RGB", (columns * width + _GAP, max(1, lines) * height + _GAP), "white")
    for number, row in enumerate(rows):
        corner = (_GAP + number % columns * width, _GAP + number // columns * height)
        _put(sheet, corner, row, name, scale)
    return sheet


def _put(sheet: Image.Image, corner: tuple[int, int], row: Row, name: str, scale: Scale) -> None:
    left, top = corner
    if row.values[name].size:
        picture = _fitted(_picture(pixels(row.values[name], scale)))
        at = (left + (_TILE - picture.width) // 2, top + (_TILE - picture.height) // 2)
        sheet.paste(picture, at, picture)
    font = ImageFont.load_default()
    draw = ImageDraw.Draw(sheet)
    for number, text in enumerate(_labels(row, name)):
        draw.text((left, top + _TILE + 2 + number * _LINE), _cut(text, font), fill="black", font=font)


def _picture(values: Any) -> Image.Image:
    flat = values[:, :, 0] if values.shape[2] == 1 else values
    return Image.fromarray(flat).convert("RGBA")


def _fitted(picture: Image.Image) -> Image.Image:
    """Return a picture as large as a tile takes: small ones by a whole factor, so that pixels stay square."""
    factor = min(_TILE / picture.width, _TILE / picture.height)
    smaller = factor < 1
    factor = factor if smaller else math.floor(factor)
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(size, Image.Resampling.LANCZOS if smaller else Image.Resampling.NEAREST)


def _labels(row: Row, name: str) -> list[str]:
    """Return the lines below a tile: which row it is, and its components that have one value."""
    single = [
        f"{other}: {describe(value)}"
        for other, value in row.values.items()
        if other != name and (isinstance(value, bytes) or getattr(value, "size", 0) == 1)
    ]
    return [str(row), *single][:_LINES]


def _cut(text: str, font: Any) -> str:
    plain = text.replace("…", "...").encode("ascii", "replace").decode("ascii")
    if font.getlength(plain) <= _TILE:
        return plain
    while plain and font.getlength(f"{plain}...") > _TILE:
        plain = plain[:-1]
    return f"{plain}..."


def save(sheet: Image.Image, path: str) -> None:
    """Write a sheet whole or not at all: under a temporary name, then renamed.

    Raises:
        DataError: SD408, the place cannot be written to.
    """
    ending = os.path.splitext(path)[1].lower()
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(prefix=".head-", suffix=ending, dir=os.path.dirname(path) or ".")
        with os.fdopen(handle, "wb") as file:
            sheet.save(file, FORMATS[ending])
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        message = f"cannot write the picture {path}: {error.strerror or error}"
        raise DataError([Problem("SD408", message, help="name another place with `--image`")]) from None
    finally:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)
