"""Decoding of image files, in the graph: bounded, and with the name of the file where it fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from safedata.insist import Check, either, insist
from safedata.lowering import Call, enforce
from safedata.memory import MIB
from safedata.problem import Fault
from safedata.types import IMAGE_ENDS, Dim, Encoded, Tensor, image

Decode = Callable[[Any], Any]

FORMATS: Final = ("jpeg", "png", "gif", "bmp", "webp")

_MAGIC: Final = {"jpeg": b"\xff\xd8\xff", "png": b"\x89PN", "gif": b"GIF", "webp": b"RIF"}
_WHOLE: Final = {one: _MAGIC[one] + ends for one, ends in IMAGE_ENDS.items()}
"""The first three and last two bytes of a file that most likely is whole."""

_BYTES_PER_PIXEL: Final = {"jpeg": 8, "png": 0, "gif": 1, "bmp": 0, "webp": 5}
"""What a decoder holds for each pixel beside the file and the result, at most.

jpeg: a progressive file keeps all coefficients, 2 bytes in each of up to 4 components (measured: 5.98 for
4:4:4, 4.00 for 4:2:2, 3.01 for 4:2:0, 1.99 for gray, 8.00 for CMYK); of a file whose header was read it is known how
many (`Encoded.coefficients`), none for baseline files. gif: the palette's indices of the one frame
that is left (0.99). webp: 4 of lossless files, one more for alpha (4.01 and 5.00).
"""
_BLOCK: Final = 32
"""JPEG coefficients come in whole blocks of at most this many pixels a side."""
_ROWS: Final = 256
"""Bytes for each pixel of the width: rows in work. Measured 65 for a baseline JPEG of 1000 x 12000."""
_ROW: Final = 64
"""Bytes for each row: pointers to it, in up to 4 components."""
_FIXED: Final = 2 * MIB
"""Tables and decompression windows, on top."""


def decoded_type(x: Tensor, channels: int, max_size: tuple[int, int] | None, key: str) -> Tensor:
    """Return the type of the decoded image: the tighter of what headers and `max_size` say.

    A `max_size` is enforced and so is a bound; a sampled size is an estimate and gives way to it.
    """
    facts = x.encoded or Encoded()
    named = max_size or (None, None)
    height, width = (_tighter(*pair) for pair in zip((facts.height, facts.width), named, strict=True))
    if height.most is None or width.most is None:
        way_out = (
            f"write `{{{key}: {{max_size: [1024, 1024]}}}}` with the largest height and width that occur"
        )
        raise Fault("SD204", "nothing says how large the images are once decoded", help=way_out)
    if max_size and (_over(facts.height, max_size[0]) or _over(facts.width, max_size[1])):
        problem = (
            f"every image is {facts.height} x {facts.width}, over `max_size: [{max_size[0]}, {max_size[1]}]`"
        )
        raise Fault("SD203", problem, help=f"write `max_size: [{facts.height.most}, {facts.width.most}]`")
    return image(height, width, channels)


def _tighter(found: Dim, most: int | None) -> Dim:
    if most is not None and (found.most is None or found.most > most or found.evidence == "sampled"):
        return Dim.at_most(most, "declared")
    return found


def _over(found: Dim, most: int) -> bool:
    return found.exact and found.most is not None and found.most > most


def workspace(x: Tensor, y: Tensor, formats: tuple[str, ...]) -> int | None:
    """Return what decoding one file holds beside it and the result, for the costliest format that may come.

    GIF and BMP are cut down to what is decoded first, which copies the file up to twice.
    """
    facts = x.encoded or Encoded()
    known = facts.formats if facts.formats and facts.height.evidence != "sampled" else frozenset(formats)
    height, width = y.shape[0].most, y.shape[1].most
    if height is None or width is None:
        return None
    padded = (-(-height // _BLOCK) * _BLOCK) * (-(-width // _BLOCK) * _BLOCK)
    pixels = max(
        facts.coefficients
        if one == "jpeg" and facts.coefficients is not None
        else padded * _BYTES_PER_PIXEL.get(one, 8)
        for one in known
    )
    rows = _ROWS * width + _ROW * height
    copies = 2 if known & {"gif", "bmp"} else 0
    if copies and x.length.most is None:
        return None
    return pixels + rows + _FIXED + copies * (x.length.most or 0)


def lower(x: Any, call: Call, formats: tuple[str, ...], decode: Decode) -> Any:
    """Return the image in the file `x`, held to the sizes of its type.

    A JPEG or PNG file whose beginning and end are as they should be is decoded at once. All others, damaged
    ones among them, take a slower way, which can tell their names; where all files were whole at the check there is
    no such way, and an iterator starts in a third of the time.
    """
    tf = call.tf
    shape = (None, None, call.y.shape[2].static)

    def plain(file: Any) -> Any:
        made = decode(file)
        made.set_shape(shape)
        return made

    whole = _whole(tf, x, formats)
    if call.x.encoded and call.x.encoded.whole:
        changed = Check(whole, "SD404: cannot decode: the image was cut off or changed since the check")
        made = plain(insist(tf, x, [changed], call.where))
    else:
        made = either(tf, whole, x, plain, lambda file: _careful(file, call, formats, plain))
    return enforce(tf, made, call.y, f"the decoded image of {call.x}", call.where)


def _whole(tf: Any, x: Any, formats: tuple[str, ...]) -> Any:
    """Return whether a file begins and ends as one of its format does."""
    head = tf.strings.substr(x, 0, 3)
    tail = tf.strings.substr(x, tf.maximum(tf.strings.length(x) - 2, 0), 2)
    ends = [ends for one, ends in _WHOLE.items() if one in formats]
    found = tf.strings.join([head, tail]) == tf.constant(ends if len(ends) > 1 else ends[0])
    return tf.reduce_any(found) if len(ends) > 1 else found


def _careful(x: Any, call: Call, formats: tuple[str, ...], decode: Decode) -> Any:
    tf = call.tf
    head = tf.strings.substr(x, 0, 3)
    known = tf.reduce_any(head == tf.constant([_MAGIC[one] for one in formats if one in _MAGIC]))
    if "bmp" in formats:
        known = known | (tf.strings.substr(x, 0, 2) == b"BM")
    x = insist(tf, x, [Check(known, f"SD404: cannot decode: not {' or '.join(formats)} data")], call.where)
    if "gif" in formats:
        x = tf.cond(head == b"GIF", lambda: _first_frame(tf, x), lambda: tf.identity(x))
    if "bmp" in formats:
        x = tf.cond(tf.strings.substr(x, 0, 2) == b"BM", lambda: _whole_bitmap(tf, x), lambda: tf.identity(x))
    made = _try(tf, x, decode)
    damaged = Check(tf.size(made) > 0, "SD404: cannot decode: the image is damaged")
    return insist(tf, made, [damaged], call.where)


def _try(tf: Any, x: Any, decode: Decode) -> Any:
    """Return `decode(x)`, or an image of no pixels where that fails.

    A graph cannot catch an error, yet a dataset can leave out the element that raised one.
    """
    one = tf.data.Dataset.from_tensors(x).map(decode).ignore_errors()
    shape = one.element_spec.shape
    empty = tf.zeros([size or 0 for size in shape], tf.uint8)

    def stand_in(nothing: Any) -> Any:
        return tf.ensure_shape(nothing, shape)

    other = tf.data.Dataset.from_tensors(empty).map(stand_in)
    made = one.concatenate(other).take(1).get_single_element()
    return tf.ensure_shape(made, shape)


def _whole_bitmap(tf: Any, x: Any) -> Any:
    """Return a BMP file without what follows the bytes that its header counts, which TensorFlow refuses."""
    length = tf.strings.length(x)

    def cut() -> Any:
        counted = tf.io.decode_raw(tf.strings.substr(x, 2, 4), tf.int32)[0]
        return tf.strings.substr(x, 0, tf.where(counted < 54, length, tf.minimum(counted, length)))

    return tf.cond(length >= 54, cut, lambda: x)


def _first_frame(tf: Any, x: Any) -> Any:
    """Return a GIF file without all frames but the first.

    The decoder would hold every frame of an animation to give back one. The format is: 13 bytes, a palette,
    then blocks, each with a head and a row of parts, each of which starts with its number of bytes, up to
    an empty one (GIF89a, sections 15 to 24).
    """
    file = tf.io.decode_raw(x, tf.uint8)
    length = tf.size(file)

    def at(place: Any) -> Any:
        return tf.cast(file[tf.minimum(place, length - 1)], tf.int32)

    def palette(place: Any) -> Any:
        flags = at(place)
        return tf.where(flags >= 128, 3 * tf.bitwise.left_shift(2, flags % 8), 0)

    def step(place: Any, in_parts: Any, in_frame: Any) -> Any:
        byte = at(place)
        frame = byte == 0x2C
        head = tf.where(frame, 11 + palette(place + 9), tf.where(byte == 0x21, 2, length))
        ended = in_parts & in_frame & (byte == 0)
        place = place + tf.where(in_parts, byte + 1, head)
        return (
            tf.where(ended, -place, place),
            tf.where(in_parts, byte > 0, True),
            tf.where(in_parts, in_frame, frame),
        )

    def inside(place: Any, in_parts: Any, in_frame: Any) -> Any:
        del in_parts, in_frame
        return (place >= 0) & (place < length)

    start = 13 + palette(tf.constant(10))
    place, *_ = tf.while_loop(inside, step, (start, False, False), parallel_iterations=1)
    # A negative place is the end of the first frame; without one the decoder shall say what it thinks.
    return tf.cond(place < 0, lambda: tf.strings.join([tf.strings.substr(x, 0, -place), b";"]), lambda: x)
