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
    header before it is decoded, and so is one that is damaged or no JPEG (SD404).
    """

    example: ClassVar[str] = "{decode_jpeg: {channels: 3, max_size: [64, 64]}}"
    fallible: ClassVar[bool] = True
    batches: ClassVar[bool] = False

    channels: Literal[1, 3] = 3
    """1 for gray, 3 for red, green, blue."""
    max_size: ImageSize | None = None
    """The largest height and width that an image may have, in pixels."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the image's type."""
        self.require(x, "string")
        if x.rank:
            raise Fault(
                "SD203",
                f"`decode_jpeg` takes one string, not {x}",
                help="put this map before `batch`, or name one of the strings",
            )
        others = sorted(x.encoded.formats - {"jpeg"}) if x.encoded else []
        if others:
            problem = f"`decode_jpeg` takes JPEG files, and some here are {' or '.join(others)}"
            raise Fault("SD203", problem, help="write `decode_image`")
        return _decode.decoded_type(x, self.channels, self.max_size, self.key())

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return what the decoder holds: up to 8 bytes a pixel for a progressive file, rows for others."""
        return _decode.workspace(x, y, ("jpeg",))

    def lower(self, x: Any, call: Call) -> Any:
        """Return the decoded image."""
        tf = call.tf
        return _decode.lower(x, call, ("jpeg",), lambda file: tf.io.decode_jpeg(file, channels=self.channels))
