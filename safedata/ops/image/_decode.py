"""Decoding of image files, in the graph: bounded, and with the name of the file where it fails."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from safedata.insist import Check, either, insist, late
from safedata.lowering import Call, bounds
from safedata.memory import MIB, add, times
from safedata.ops.image._sizes import Limits, first_frame, jpeg_size, simple_size, whole_size
from safedata.problem import Fault
from safedata.records import replace
from safedata.types import IMAGE_ENDS, IMAGE_LEAST, Dim, Encoded, Tensor, image

Decode = Callable[[Any], Any]

FORMATS: Final = ("jpeg", "png", "gif", "bmp", "webp")

_MAGIC: Final = {"jpeg": b"\xff\xd8\xff", "png": b"\x89PN", "gif": b"GIF", "webp": b"RIF"}
_WHOLE: Final = {one: (_MAGIC[one], ends) for one, ends in IMAGE_ENDS.items()}
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
_MOST_KEPT: Final = 64 * MIB
"""What glibc keeps of free room at the end of an arena, at most: `DEFAULT_MMAP_THRESHOLD_MAX` twice."""
_SLOW: Final = 6 * MIB
"""What the way of files that are not whole adds for each call once one comes, and its functions are set up. Measured
beside whole files, under `on_error: skip`: 24 MB with 2 calls, 34 with 4, 41 with 8; half of that under `fail`."""


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


def too_large(x: Tensor, max_size: tuple[int, int] | None) -> Fault | None:
    """Return that some of the images are over `max_size`, by the headers that were read, how many, and the largest."""
    facts = x.encoded or Encoded()
    most = facts.height.most, facts.width.most
    if max_size is None or most[0] is None or most[1] is None:
        return None
    if most[0] <= max_size[0] and most[1] <= max_size[1]:
        return None
    over = [one for one in facts.sizes if one[0] > max_size[0] or one[1] > max_size[1]]
    count, every = (sum(one[2] for one in these) for these in (over, facts.sizes))
    read = "images" if facts.height.evidence == "measured" else "images that were read"
    limit, largest = (f"[{height}, {width}]" for height, width in (max_size, most))
    which = f"{count} of {every} {read} {'is' if count == 1 else 'are'}" if over else "some images are"
    message = f"{which} larger than `max_size: {limit}`, up to {largest}"
    way_out = f"declare a larger bound: `max_size: {largest}`"
    return Fault("SD404", message, ("max_size",), help=way_out)


def reduced(x: Tensor, ratio: int) -> Tensor:
    """Return the type of the image `x` decoded at 1/`ratio` of its size; libjpeg rounds each side up."""
    if ratio == 1:
        return x
    height, width = (
        replace(dim, most=None if dim.most is None else -(-dim.most // ratio)) for dim in x.shape[:2]
    )
    return replace(x, shape=(height, width, x.shape[2]))


def require_file(x: Tensor, key: str) -> None:
    """Raise SD203 unless `x` is one file's bytes."""
    if x.rank:
        way_out = "put this map before `batch`, or name one of the strings"
        raise Fault("SD203", f"`{key}` takes one string, not {x}", help=way_out)


def _tighter(found: Dim, most: int | None) -> Dim:
    if most is not None and (found.most is None or found.most > most or found.evidence == "sampled"):
        return Dim.at_most(most, "declared")
    return found


def _over(found: Dim, most: int) -> bool:
    return found.exact and found.most is not None and found.most > most


def workspace(x: Tensor, y: Tensor, formats: tuple[str, ...]) -> int | None:
    """Return what decoding one file holds beside it and the result, for the costliest format that may come.

    `y` is the image as the file has it, whatever part of its size comes out: coefficients and rows are all read.
    GIF and BMP are cut down to what is decoded first, which copies the file up to twice.
    """
    height, width, pixels = y.shape[0].most, y.shape[1].most, _pixels(x, y, formats)
    if height is None or width is None:
        return None
    rows = _ROWS * width + _ROW * height
    copied = times(2, x.length.most) if _known(x, formats) & {"gif", "bmp"} else 0
    slow = 0 if x.encoded and x.encoded.whole else _SLOW
    return add(pixels, rows + slow + _FIXED, copied)


def scratch(x: Tensor, y: Tensor, formats: tuple[str, ...]) -> int | None:
    """Return what a decoder leaves behind in the arena of each thread that it ran in: what it held for the pixels.

    Measured: 8 threads that decoded progressive JPEGs of 22 MiB of coefficients one at a time held 164 to 177 MiB.
    """
    found = _pixels(x, y, formats)
    return None if found is None else min(found, _MOST_KEPT)


def _known(x: Tensor, formats: tuple[str, ...]) -> frozenset[str]:
    """Return the formats that may come."""
    facts = x.encoded or Encoded()
    sound = facts.formats and facts.height.evidence != "sampled"
    return facts.formats if sound else frozenset(formats)


def _pixels(x: Tensor, y: Tensor, formats: tuple[str, ...]) -> int | None:
    """Return what the decoder of the costliest format holds for the pixels of an image of type `y`."""
    facts = x.encoded or Encoded()
    height, width = y.shape[0].most, y.shape[1].most
    if height is None or width is None:
        return None
    padded = (-(-height // _BLOCK) * _BLOCK) * (-(-width // _BLOCK) * _BLOCK)
    return max(
        facts.coefficients
        if one == "jpeg" and facts.coefficients is not None
        else padded * _BYTES_PER_PIXEL.get(one, 8)
        for one in _known(x, formats)
    )


def lower(
    x: Any, call: Call, formats: tuple[str, ...], decode: Decode, whole_image: Tensor | None = None
) -> Any:
    """Return the image in the file `x`, held to the sizes of its type by what its header says, before it is decoded.

    What its header says is the size of `whole_image`, where that is not the result's.

    A JPEG or PNG file whose beginning, size and end are as they should be is decoded at once. All others, damaged
    ones among them, take a slower way, which can tell their names; where all files were whole at the check there is
    no such way, and an iterator starts in a third of the time.
    """
    tf = call.tf
    shape = (None, None, call.y.shape[2].static)
    limits = Limits(tf, whole_image or call.y, f"the decoded image of {call.x}")
    quick = _quick(call.x, formats)

    def plain(file: Any) -> Any:
        made = decode(file)
        made.set_shape(shape)
        return made

    if call.x.encoded and call.x.encoded.whole:
        made = _seen(x, call, quick, plain, limits)
    else:
        whole = _whole(tf, x, quick)
        fits = _fits(tf, x, whole, quick, limits)
        made = either(tf, fits, x, plain, lambda file: _careful(file, call, formats, plain, limits))
    return tf.ensure_shape(made, call.y.static_shape)


def _seen(x: Any, call: Call, formats: frozenset[str], decode: Decode, limits: Limits) -> Any:
    """Return the image in a file that was whole at the check, and is the same still.

    A size that was read from all headers is held to once the image is decoded, which takes 15 microseconds less:
    only a file that was changed since could be larger, and no longer than the longest was.
    """
    tf = call.tf
    whole = _whole(tf, x, formats, IMAGE_LEAST)  # what the sources that see whole files hold each to
    changed = Check(whole, "SD404: cannot decode: the image was cut off or changed since the check")
    x = insist(tf, x, [changed], call.where)
    if limits.measured and limits.y is call.y:
        made = decode(x)
        return insist(tf, made, [limits.check(tf.shape(made), "got")], call.where)
    return decode(insist(tf, x, [limits.check(whole_size(tf, x, formats))], call.where))


def _quick(x: Tensor, formats: tuple[str, ...]) -> frozenset[str]:
    """Return the formats, JPEG or PNG, that are decoded at once: those that were seen where all headers were read."""
    facts = x.encoded or Encoded()
    known = facts.formats if facts.height.evidence == "measured" else frozenset[str]()
    both = frozenset(_WHOLE).intersection(formats)
    return both & known or both


def _fits(tf: Any, x: Any, whole: Any, formats: frozenset[str], limits: Limits) -> Any:
    """Return whether a file is whole and its header says a size within the limits; that of others is not read."""
    way = tf.raw_ops.Switch(data=x, pred=whole)
    no = tf.raw_ops.Switch(data=whole, pred=whole).output_false
    return tf.raw_ops.Merge(inputs=[no, limits.hold(whole_size(tf, way.output_true, formats))]).output


def _whole(tf: Any, x: Any, formats: frozenset[str], least: int = 0) -> Any:
    """Return whether a file of `least` bytes or more begins and ends as one of these formats does."""
    if least >= IMAGE_LEAST:
        found = tf.strings.substr(x, [0, -2], [3, 2])
    else:
        found = tf.strings.substr(x, [0, tf.maximum(tf.strings.length(x) - 2, 0)], [3, 2])
    ends = [ends for one, ends in _WHOLE.items() if one in formats]
    if len(ends) == 1:
        return tf.reduce_all(found == tf.constant(ends[0]))
    return tf.reduce_any(tf.reduce_all(found == tf.constant(ends), -1))


def _careful(x: Any, call: Call, formats: tuple[str, ...], decode: Decode, limits: Limits) -> Any:
    tf = call.tf
    head = tf.strings.substr(x, 0, 3)
    known = tf.reduce_any(head == tf.constant([_MAGIC[one] for one in formats if one in _MAGIC]))
    if "bmp" in formats:
        known = known | (tf.strings.substr(x, 0, 2) == b"BM")
    x = insist(tf, x, [Check(known, f"SD404: cannot decode: not {' or '.join(formats)} data")], call.where)

    def checked(file: Any, size: Any) -> Any:
        damaged = "SD404: cannot decode: the image is damaged"
        checks = [Check(tf.reduce_all(size > 0), damaged), limits.check(size)]
        made = _try(tf, insist(tf, file, checks, call.where), decode)
        # Its exact sizes come last, behind all ways: TensorFlow would look at them before it looks whether all is well.
        checks = [Check(tf.size(made) > 0, damaged), *bounds(tf, made, call.y, limits.name)]
        return insist(tf, made, checks, call.where)

    def jpeg(file: Any) -> Any:
        return checked(file, _try(tf, file, partial(jpeg_size, tf)))

    def gif(file: Any) -> Any:
        return checked(*first_frame(tf, file))

    def other(file: Any) -> Any:
        return checked(_whole_bitmap(tf, file) if "bmp" in formats else file, simple_size(tf, file))

    if formats == ("jpeg",):
        return jpeg(x)
    made = partial(late, tf, other, x)  # each way takes some megabytes once it is set up
    for one, way in (("jpeg", jpeg), ("gif", gif)):
        if one in formats:
            made = partial(tf.cond, head == _MAGIC[one], partial(late, tf, way, x), made)
    return made()


def _try(tf: Any, x: Any, make: Callable[[Any], Any]) -> Any:
    """Return `make(x)`, or zeros of its type, an image of no pixels, where that fails.

    A graph cannot catch an error, yet a dataset can leave out the element that raised one.
    """
    one = tf.data.Dataset.from_tensors(x).map(make).ignore_errors()
    spec = one.element_spec
    empty = tf.zeros([size or 0 for size in spec.shape], spec.dtype)

    def stand_in(nothing: Any) -> Any:
        return tf.ensure_shape(nothing, spec.shape)

    other = tf.data.Dataset.from_tensors(empty).map(stand_in)
    made = one.concatenate(other).take(1).get_single_element()
    return tf.ensure_shape(made, spec.shape)


def _whole_bitmap(tf: Any, x: Any) -> Any:
    """Return a BMP file without what follows the bytes that its header counts, which TensorFlow refuses.

    A file of another format stays as it is.
    """
    length = tf.strings.length(x)

    def cut() -> Any:
        counted = tf.io.decode_raw(tf.strings.substr(x, 2, 4), tf.int32)[0]
        return tf.strings.substr(x, 0, tf.where(counted < 54, length, tf.minimum(counted, length)))

    bitmap = (tf.strings.substr(x, 0, 2) == b"BM") & (length >= 54)
    return tf.cond(bitmap, cut, lambda: tf.identity(x))
