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
from safedata.types import Tensor

_FORMATS: Final[dict[int, tuple[str, ...]]] = {
    1: ("jpeg", "png"),
    3: ("jpeg", "png", "gif", "bmp", "webp"),
    4: ("png", "bmp", "webp"),
}
"""What TensorFlow turns into this number of channels."""


class DecodeImage(Op):
    """Decode an encoded image, a string, into uint8[height, width, channels] with values 0..255.

    JPEG, PNG, GIF (the first frame), BMP and WebP are told apart by their first bytes, and decoded as
    `tf.io.decode_image(..., expand_animations=False)` does. `channels: 1` is for JPEG and PNG, `channels: 4`
    for PNG, BMP and WebP with alpha; WebP with alpha needs it, and animated WebP and CMYK JPEG with
    `channels: 1` cannot be decoded. PNG of 16 bits keeps the upper 8, BMP with a palette gives its indices.
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
    """The largest height and width that an image may have, in pixels."""
    kind: Literal["image", "mask"] = "image"
    """`mask` for class numbers, with `channels: 1`: linked to an image it keeps its classes (see `set_kind`)."""

    @model_validator(mode="after")
    def _one_channel(self) -> Self:
        if self.kind == "mask" and self.channels != 1:
            raise ValueError("a mask has one channel: write `channels: 1` beside `kind: mask`")
        return self

    def infer(self, x: Tensor) -> Tensor:
        """Return the image's type."""
        self.require(x, "string")
        if x.rank:
            raise Fault(
                "SD203",
                f"`decode_image` takes one string, not {x}",
                help="put this map before `batch`, or name one of the strings",
            )
        found = x.encoded.formats if x.encoded else frozenset[str]()
        refused = sorted(found - set(_FORMATS[self.channels]))
        if refused:
            problem = f"`channels: {self.channels}` cannot be had from {' or '.join(refused)} images"
            known = found <= set(_FORMATS[3])
            raise Fault(
                "SD203", problem, help="write `channels: 3`" if known and self.channels != 3 else None
            )
        made = _decode.decoded_type(x, self.channels, self.max_size, self.key())
        if self.kind == "image":
            return made
        if "jpeg" in found:
            raise Fault("SD205", "JPEG files blur the classes of a mask", help="write the masks as PNG files")
        return replace(made, kind="mask", color=None)

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return what the decoder of the costliest format holds: for a progressive JPEG up to 8 bytes a pixel."""
        return _decode.workspace(x, y, _FORMATS[self.channels])

    def lower(self, x: Any, call: Call) -> Any:
        """Return the decoded image."""
        tf = call.tf

        def decode(file: Any) -> Any:
            if _all_jpeg(call.x):  # the same pixels, 7 percent sooner
                return tf.io.decode_jpeg(file, channels=self.channels)
            return tf.io.decode_image(file, channels=self.channels, expand_animations=False)

        # Each format has checks of its own, which every new iterator sets up again: 100 ms for all of them.
        formats = ("jpeg",) if _all_jpeg(call.x) else _FORMATS[self.channels]
        return _decode.lower(x, call, formats, decode)


def _all_jpeg(x: Tensor) -> bool:
    """Return whether every file's header was read and said JPEG."""
    return (
        x.encoded is not None
        and x.encoded.formats == frozenset({"jpeg"})
        and x.encoded.height.evidence == "measured"
    )
