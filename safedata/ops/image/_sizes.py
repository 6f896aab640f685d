"""How large an image is, read in the graph from its file's header: before a decoder takes memory for it.

Each size is the one that TensorFlow's decoder allocates: libjpeg's own, and the numbers at the places where the
decoders of the other formats read theirs. All are int32[2], height and width; zeros where a header cannot be read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from safedata.insist import Check
from safedata.lowering import resting
from safedata.types import Tensor

_HEAD: Final = 32
"""Bytes that hold the size, but of a JPEG and a GIF."""
_14_BITS: Final = 1 << 14
_ANY: Final = 2**31 - 1
_Pair = tuple[int, int]
_PLACES: Final[tuple[tuple[bytes, tuple[range, range], _Pair, _Pair, _Pair], ...]] = (
    (b"\x89PNG", (range(23, 19, -1), range(19, 15, -1)), (1, 1), (_ANY, _ANY), (0, 0)),
    (b"BM", (range(22, 26), range(18, 22)), (1, 1), (_ANY, _ANY), (0, 0)),
    (b"VP8X", (range(27, 30), range(24, 27)), (1, 1), (_ANY, _ANY), (1, 1)),
    (b"VP8 ", (range(28, 30), range(26, 28)), (1, 1), (_14_BITS, _14_BITS), (0, 0)),
    (b"VP8L", (range(22, 25), range(21, 23)), (64, 1), (_14_BITS, _14_BITS), (1, 1)),
)
"""For a PNG, a BMP, and the three kinds of WebP by their first chunk: where the height and the width stand, the lowest
byte first, what each is divided by, its modulus, what is added (PNG, 11.2.1; RFC 9649, 2.5 to 2.7; RFC 6386, 9.1)."""
_WEIGHTS: Final = [
    [[(256 ** list(place).index(at) if at in place else 0) for at in range(_HEAD)] for place in row[1]]
    for row in _PLACES
]
"""What each byte of the head counts in each of these numbers."""


class Limits(NamedTuple):
    """What a type allows of an image's size."""

    tf: Any
    y: Tensor
    """The decoded image's type; height and width are bounded."""
    name: str
    """What the image is called in messages."""

    @property
    def measured(self) -> bool:
        """Whether they come from all the headers there are."""
        return all(dim.evidence in ("exact", "measured") for dim in self.y.shape[:2])

    def hold(self, size: Any) -> Any:
        """Return whether a size, or a shape, is within them, a scalar bool: at most as large, and equal where exact."""
        tf, dims = self.tf, self.y.shape[: size.shape[0]]
        most = tf.constant([min(dim.most or 0, 2**31 - 1) for dim in dims], tf.int32)
        if all(dim.exact for dim in dims):
            return tf.reduce_all(tf.equal(size, most))
        if any(dim.exact for dim in dims):
            least = tf.constant([dim.static or 0 for dim in dims], tf.int32)
            return tf.reduce_all((size <= most) & (size >= least))
        return tf.reduce_all(size <= most)

    def check(self, size: Any, found: str = "its header says") -> Check:
        """Return the check that a size is within them; `found` says where it was found."""
        allowed = ", ".join(str(dim) for dim in self.y.shape)
        basis = resting(*(dim.evidence for dim in self.y.shape[:2]))
        message = f"SD501: {self.name}: dimensions must be [{allowed}] {basis}; {found}"
        return Check(self.hold(size), message, size)


def jpeg_size(tf: Any, file: Any) -> Any:
    """Return the size of a JPEG. An error of TensorFlow's own where libjpeg cannot read its header."""
    return tf.io.extract_jpeg_shape(file)[:2]


def png_size(tf: Any, file: Any) -> Any:
    """Return the size of a PNG, whose first chunk must be the one that says it (PNG, section 11.2.1)."""
    head = tf.strings.join([tf.strings.substr(file, 0, 24), tf.constant(bytes(24))])
    numbers = tf.io.decode_raw(tf.strings.substr(head, 16, 8), tf.int32, little_endian=False)
    return tf.ensure_shape(numbers[::-1], [2])


def whole_size(tf: Any, file: Any, formats: frozenset[str]) -> Any:
    """Return the size of a file that begins and ends like a JPEG or a PNG.

    Args:
        tf: the TensorFlow module.
        file: the file's bytes, a scalar string.
        formats: which of the two it may be.
    """
    if "png" not in formats:
        return jpeg_size(tf, file)
    if "jpeg" not in formats:
        return png_size(tf, file)
    # A `tf.cond` would be set up and optimised again with every new iterator.
    way = tf.raw_ops.Switch(data=file, pred=tf.strings.substr(file, 0, 1) == b"\xff")
    sizes = [png_size(tf, way.output_false), jpeg_size(tf, way.output_true)]
    return tf.raw_ops.Merge(inputs=sizes).output


def simple_size(tf: Any, file: Any) -> Any:
    """Return the size of a PNG, BMP or WebP, each of which says it at a fixed place; zeros for anything else.

    Few operations for all of them together, since each one of a graph takes memory. A BMP's height below 0 says that
    its rows stand from the top down.
    """
    head = tf.strings.join([tf.strings.substr(file, 0, _HEAD), tf.constant(bytes(_HEAD))])
    head = tf.strings.substr(head, 0, _HEAD)
    numbers = tf.cast(tf.io.decode_raw(head, tf.uint8), tf.int32) * tf.constant(_WEIGHTS, tf.int32)
    sizes = tf.abs(tf.reduce_sum(numbers, -1)) // _column(tf, 2) % _column(tf, 3) + _column(tf, 4)
    chunk = tf.where(tf.strings.substr(head, 0, 4) == b"RIFF", tf.strings.substr(head, 12, 4), b"")
    starts = tf.stack([tf.strings.substr(head, 0, 4), tf.strings.substr(head, 0, 2), chunk, chunk, chunk])
    is_it = tf.cast(tf.equal(starts, tf.constant([row[0] for row in _PLACES])), tf.int32)
    return tf.reduce_sum(sizes * is_it[:, tf.newaxis], 0)


def _column(tf: Any, number: int) -> Any:
    return tf.constant([row[number] for row in _PLACES], tf.int32)


def first_frame(tf: Any, x: Any) -> tuple[Any, Any]:
    """Return a GIF file without all frames but the first, and that frame's size.

    The decoder would hold every frame of an animation to give back one. The format is: 13 bytes, a palette,
    then blocks, each with a head and a row of parts, each of which starts with its number of bytes, up to
    an empty one (GIF89a, sections 15 to 24).
    """
    file = tf.io.decode_raw(x, tf.uint8)
    length = tf.size(file)

    def at(place: Any) -> Any:
        return tf.cast(file[tf.minimum(place, length - 1)], tf.int32)

    place, start = _walk_frame(tf, at, length)
    numbers = tf.cast(
        tf.gather(file, tf.minimum(tf.constant([[7, 8], [5, 6]]) + start, length - 1)), tf.int32
    )
    size = tf.reduce_sum(numbers * [1, 256], 1)
    # A negative place is the end of the first frame; without one the decoder shall say what it thinks.
    end, rest = tf.where(place < 0, -place, tf.strings.length(x)), tf.where(place < 0, b";", b"")
    kept = tf.strings.join([tf.strings.substr(x, 0, end), rest])
    return kept, tf.where(start > 0, size, tf.zeros_like(size))


def _walk_frame(tf: Any, at: Callable[[Any], Any], length: Any) -> tuple[Any, Any]:
    """Return a GIF's first frame: its end, negated, or a place behind the file; and its start, 0 where none is."""

    def palette(place: Any) -> Any:
        flags = at(place)
        return tf.where(flags >= 128, 3 * tf.bitwise.left_shift(2, flags % 8), 0)

    def step(place: Any, in_parts: Any, in_frame: Any, start: Any) -> Any:
        byte = at(place)
        frame = byte == 0x2C
        head = tf.where(frame, 11 + palette(place + 9), tf.where(byte == 0x21, 2, length))
        ended = in_parts & in_frame & (byte == 0)
        start = tf.where(frame & ~in_parts & (start == 0), place, start)
        place = place + tf.where(in_parts, byte + 1, head)
        return (
            tf.where(ended, -place, place),
            tf.where(in_parts, byte > 0, True),
            tf.where(in_parts, in_frame, frame),
            start,
        )

    def inside(place: Any, *_: Any) -> Any:
        return (place >= 0) & (place < length)

    first = 13 + palette(tf.constant(10))
    place, _, _, start = tf.while_loop(inside, step, (first, False, False, 0), parallel_iterations=1)
    return place, start
