"""The rows of a `.npy` file inside a graph."""

from __future__ import annotations

from typing import Any

from safedata.npy import Header


def decode_row(tf: Any, record: Any, header: Header) -> Any:
    """Return one row, of the header's type, from its bytes: a scalar string, or a vector of uint8."""
    shape = header.shape[1:]
    raw = tf.io.decode_raw(record, tf.uint8) if record.dtype == tf.string else record
    raw = tf.reshape(raw, (*shape, header.width))
    if header.text:
        return _decode_text(tf, raw, header, shape)
    if header.dtype == "bool":
        return tf.not_equal(raw[..., 0], 0)
    if header.big and header.width > 1:
        raw = _swapped(tf, raw, header)
    if header.width == 1:
        raw = raw[..., 0]
    return tf.bitcast(raw, header.dtype)


def _swapped(tf: Any, raw: Any, header: Header) -> Any:
    """Return the bytes of each number the other way round; a complex one is two numbers."""
    if not header.dtype.startswith("complex"):
        return tf.reverse(raw, [-1])
    parts = tf.reshape(raw, (*header.shape[1:], 2, header.width // 2))
    return tf.reshape(tf.reverse(parts, [-1]), (*header.shape[1:], header.width))


def _decode_text(tf: Any, raw: Any, header: Header, shape: tuple[int, ...]) -> Any:
    """Return strings: bytes as they are, UCS-4 as UTF-8, without the NULs at the end."""
    if header.width == 0:
        return tf.fill(shape, "")
    if header.text == "S":
        characters = tf.constant([bytes([byte]) for byte in range(256)])
        texts = tf.strings.reduce_join(tf.gather(characters, tf.cast(raw, tf.int32)), -1)
    else:
        points = tf.reshape(raw, (*shape, header.width // 4, 4))
        points = tf.bitcast(tf.reverse(points, [-1]) if header.big else points, tf.int32)
        texts = tf.strings.unicode_encode(points, "UTF-8")
    return tf.reshape(tf.strings.regex_replace(texts, "\\x00+\\z", ""), shape)
