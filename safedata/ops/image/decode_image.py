"""`decode_image`: an image file's pixels, whichever format it has."""

from __future__ import annotations

from typing import Any, ClassVar, Final, Literal

from pydantic import model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.ops._fields import ImageSize
from safedata.ops.base import Op
from safedata.ops.image import _decode
from safedata.problem import Fault
from safedata.records import replace
from safedata.types import Tensor, ValueRange

_FORMATS: Final[dict[int, tuple[str, ...]]] = {
    1: ("jpeg", "png"),
    3: ("jpeg", "png", "gif", "bmp", "webp"),
    4: ("png", "bmp", "webp"),
}
"""What TensorFlow turns into this number of channels."""
_16_BITS: Final = ValueRange(0, 65535)


class DecodeImage(Op):
    """Decode an encoded image, a string, into uint8[height, width, channels] with values 0..255.

    JPEG, PNG, GIF (the first frame), BMP and WebP are told apart by their first bytes, and decoded as
    `tf.io.decode_image(..., expand_animations=False)` does. `channels: 1` is for JPEG and PNG, `channels: 4`
    for PNG, BMP and WebP with alpha; WebP with alpha needs it, and animated WebP and CMYK JPEG with
    `channels: 1` cannot be decoded. PNG of 16 bits keeps the upper 8 unless
    `dtype: uint16` asks for all, BMP with a palette gives its indices.
    The orientation that EXIF notes is not applied. A PNG mask must have its classes as gray values: of a palette
    the colours' gray values come, and JPEG files keep no classes.

    Height and width are bounded by the headers that the source has read, or by `max_size`; a larger
    image is an error with its name (SD501), told by its header before it is decoded, and so is one that is
    damaged (SD404).
    """

    example: ClassVar[str] = "{decode_image: {channels: 3, max_size: [64, 64]}}"
    fallible: ClassVar[bool] = True
    batches: ClassVar[bool] = False

    channels: Literal[1, 3, 4] = 3
    """1 for gray, 3 for red, green, blue, 4 for these and alpha."""
    max_size: ImageSize | None = None
    """The largest height and width that an image may have in its file, in pixels."""
    dtype: Literal["uint8", "uint16"] = "uint8"
    """uint16 keeps all 16 bits of a PNG, with values 0..65535; those of one of 8 bits come times 257."""
    ratio: Literal[1, 2, 4, 8] = 1
    """Decode JPEG files at a half, a quarter or an eighth of height and width, rounded up; see `decode_jpeg`."""
    kind: Literal["image", "mask"] = "image"
    """`mask` for class numbers, with `channels: 1`: linked to an image it keeps its classes (see `set_kind`)."""

    @model_validator(mode="after")
    def _one_channel(self) -> Self:
        if self.kind == "mask" and self.channels != 1:
            raise ValueError("a mask has one channel: write `channels: 1` beside `kind: mask`")
        if self.dtype == "uint16" and self.ratio > 1:
            raise ValueError("`ratio` is for JPEG files, and `dtype: uint16` for PNG files: leave one out")
        return self

    def infer(self, x: Tensor) -> Tensor:
        """Return the image's type."""
        self.require(x, "string")
        _decode.require_file(x, self.key())
        found = x.encoded.formats if x.encoded else frozenset[str]()
        self._check_formats(found)
        made = _decode.reduced(self._whole(x), self.ratio)
        if self.dtype == "uint16":
            made = replace(made, dtype="uint16", range=_16_BITS)
        if self.kind == "image":
            return made
        if "jpeg" in found:
            raise Fault("SD205", "JPEG files blur the classes of a mask", help="write the masks as PNG files")
        return replace(made, kind="mask", color=None)

    def _check_formats(self, found: frozenset[str]) -> None:
        """Raise SD203 where a format that was found cannot give what is asked for."""
        refused = sorted(found - set(_FORMATS[self.channels]))
        if refused:
            problem = f"`channels: {self.channels}` cannot be had from {' or '.join(refused)} images"
            known = found <= set(_FORMATS[3]) and self.channels != 3
            raise Fault("SD203", problem, help="write `channels: 3`" if known else None)
        others = sorted(found - {"png"})
        if self.dtype == "uint16" and others:
            problem = f"`dtype: uint16` is for PNG files, and some here are {' or '.join(others)}"
            raise Fault("SD203", problem, ("dtype",), help="leave `dtype` out")
        if self.ratio > 1 and found != frozenset(("jpeg",)):
            others = sorted(found - {"jpeg"})
            some = f"some here are {' or '.join(others)}" if others else "nobody says that all here are"
            way_out = "leave `ratio` out" if others else "write `decode_jpeg`, which takes no others"
            raise Fault("SD203", f"`ratio` is for JPEG files, and {some}", ("ratio",), help=way_out)

    def refuses(self, x: Tensor) -> Fault | None:
        """Return that images are larger than `max_size`, by their headers."""
        return _decode.too_large(x, self.max_size)

    def _whole(self, x: Tensor) -> Tensor:
        """Return the type of the image as the file has it, in bytes."""
        return _decode.decoded_type(x, self.channels, self.max_size, self.key())

    def _formats(self, x: Tensor) -> tuple[str, ...]:
        """Return the formats that are decoded."""
        if self.dtype == "uint16":
            return ("png",)
        # Each format has checks of its own, which every new iterator sets up again: 100 ms for all of them.
        return ("jpeg",) if self.ratio > 1 or _all_jpeg(x) else _FORMATS[self.channels]

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return what the decoder of the costliest format holds: for a progressive JPEG up to 8 bytes a pixel."""
        return _decode.workspace(x, self._whole(x), self._taken)

    def scratch(self, x: Tensor, y: Tensor) -> int | None:
        """Return what the decoder leaves behind in a thread's arena."""
        return _decode.scratch(x, self._whole(x), self._taken)

    @property
    def _taken(self) -> tuple[str, ...]:
        """The formats that are taken."""
        return ("png",) if self.dtype == "uint16" else _FORMATS[self.channels]

    def lower(self, x: Any, call: Call) -> Any:
        """Return the decoded image."""
        tf = call.tf

        formats = self._formats(call.x)

        def decode(file: Any) -> Any:
            if self.dtype == "uint16":
                return tf.io.decode_png(file, channels=self.channels, dtype=tf.uint16)
            if formats == ("jpeg",):  # the same pixels, 7 percent sooner
                return tf.io.decode_jpeg(file, channels=self.channels, ratio=self.ratio)
            return tf.io.decode_image(file, channels=self.channels, expand_animations=False)

        whole = self._whole(call.x) if self.ratio > 1 else None
        return _decode.lower(x, call, formats, decode, whole)


def _all_jpeg(x: Tensor) -> bool:
    """Return whether every file's header was read and said JPEG."""
    return (
        x.encoded is not None
        and x.encoded.formats == frozenset({"jpeg"})
        and x.encoded.height.evidence == "measured"
    )
