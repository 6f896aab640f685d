"""`decode_jpeg`: a JPEG file's pixels."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from safedata.lowering import Call
from safedata.ops._fields import ImageSize
from safedata.ops.base import Op
from safedata.ops.image import _decode
from safedata.problem import Fault
from safedata.types import Tensor


class DecodeJpeg(Op):
    """Decode a JPEG file, a string, into uint8[height, width, channels] with values 0..255.

    The pixels are those of `tf.io.decode_jpeg`, and of `decode_image`; other formats are refused. The
    orientation that EXIF notes is not applied. Height and width are bounded by the headers that the
    source has read, or by `max_size`; a larger image is an error with its name (SD501), told by its
    header before it is decoded, and so is one that is damaged or no JPEG (SD404). With `ratio: 2` an image of 375 x 500
    comes as 188 x 250, which libjpeg makes of fewer coefficients.
    """

    example: ClassVar[str] = "{decode_jpeg: {channels: 3, max_size: [64, 64]}}"
    fallible: ClassVar[bool] = True
    batches: ClassVar[bool] = False

    channels: Literal[1, 3] = 3
    """1 for gray, 3 for red, green, blue."""
    max_size: ImageSize | None = None
    """The largest height and width that an image may have in its file, in pixels."""
    ratio: Literal[1, 2, 4, 8] = 1
    """Decode at a half, a quarter or an eighth of height and width, rounded up: sooner, and with fewer bytes."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the image's type."""
        self.require(x, "string")
        _decode.require_file(x, self.key())
        others = sorted(x.encoded.formats - {"jpeg"}) if x.encoded else []
        if others:
            problem = f"`decode_jpeg` takes JPEG files, and some here are {' or '.join(others)}"
            raise Fault("SD203", problem, help="write `decode_image`")
        return _decode.reduced(self._whole(x), self.ratio)

    def refuses(self, x: Tensor) -> Fault | None:
        """Return that images are larger than `max_size`, by their headers."""
        return _decode.too_large(x, self.max_size)

    def _whole(self, x: Tensor) -> Tensor:
        """Return the type of the image as the file has it."""
        return _decode.decoded_type(x, self.channels, self.max_size, self.key())

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return what the decoder holds: up to 8 bytes a pixel for a progressive file, rows for others."""
        return _decode.workspace(x, self._whole(x), ("jpeg",))

    def scratch(self, x: Tensor, y: Tensor) -> int | None:
        """Return what the decoder leaves behind in a thread's arena."""
        return _decode.scratch(x, self._whole(x), ("jpeg",))

    def lower(self, x: Any, call: Call) -> Any:
        """Return the decoded image."""
        tf = call.tf

        def decode(file: Any) -> Any:
            return tf.io.decode_jpeg(file, channels=self.channels, ratio=self.ratio)

        whole = self._whole(call.x) if self.ratio > 1 else None
        return _decode.lower(x, call, ("jpeg",), decode, whole)
