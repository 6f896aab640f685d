"""Tokenizers as graphs: those of core TensorFlow, and those of the extra `safedata[text]`."""

from __future__ import annotations

import os
from typing import Any, Final

from safedata.problem import Fault

SPACES: Final = (
    *range(0x09, 0x0E),
    0x20,
    0x85,
    0xA0,
    0x1680,
    *range(0x2000, 0x200B),
    0x2028,
    0x2029,
    0x202F,
    0x205F,
    0x3000,
)
"""The code points that Unicode calls white space; tried for each code point against tensorflow_text."""
SPACE: Final = "".join(f"\\x{{{code:x}}}" for code in SPACES)


def by_whitespace(tf: Any, x: Any) -> Any:
    """Return the parts of a text between white space."""
    return tf.strings.split(tf.strings.regex_replace(x, f"[{SPACE}]+", " "))


def by_script(tf: Any, x: Any) -> Any:
    """Return the parts of a text of one script each, without white space; ragged rows of a batch."""
    decoded = tf.strings.unicode_decode(x, "UTF-8")
    batched = isinstance(decoded, tf.RaggedTensor)
    codes = decoded.values if batched else decoded
    row = decoded.value_rowids() if batched else tf.zeros_like(codes, tf.int64)
    script = tf.strings.unicode_script(codes)
    change = (script[1:] != script[:-1]) | (row[1:] != row[:-1])
    run = tf.cumsum(tf.concat([[0], tf.cast(change, tf.int32)], 0)[: tf.size(codes)])
    kept = tf.reduce_all(codes[:, None] != tf.constant(SPACES, tf.int32)[None], 1)
    codes, run, row = (tf.boolean_mask(one, kept) for one in (codes, run, row))
    first = tf.concat([[True], run[1:] != run[:-1]], 0)[: tf.size(codes)]
    starts = tf.reshape(tf.where(first), [-1])
    parts = tf.RaggedTensor.from_row_starts(codes, starts, validate=False)
    made = tf.strings.unicode_encode(parts, "UTF-8")
    if not batched:
        return made
    return tf.RaggedTensor.from_value_rowids(
        made, tf.gather(row, starts), nrows=tf.size(x, tf.int64), validate=False
    )


def extra(key: str) -> None:
    """Raise SD407 unless tensorflow_text is installed, of the version that the installed TensorFlow takes."""
    from safedata.machine.footprint import installed

    found = installed()
    text = _installed_text()
    if text is None:
        way_out = "install it: `pip install 'safedata[text]'`"
        raise Fault("SD407", f"`{key}` needs tensorflow-text, which is not installed", help=way_out)
    if found is not None and text.split(".")[:2] != found[0].split(".")[:2]:
        message = f"tensorflow-text {text} does not go with TensorFlow {found[0]}"
        raise Fault(
            "SD407", message, help=f"install `tensorflow-text=={'.'.join(found[0].split('.')[:2])}.*`"
        )


def package() -> Any:
    """Import and return tensorflow_text."""
    import tensorflow_text

    return tensorflow_text


def _installed_text() -> str | None:
    """Return the version of tensorflow_text, None where it is not installed; nothing is imported."""
    from importlib.util import find_spec

    found = find_spec("tensorflow_text")
    if found is None or found.origin is None:
        return None
    beside = os.path.dirname(os.path.dirname(found.origin))
    for name in os.listdir(beside):
        package, _, version = name.removesuffix(".dist-info").partition("-")
        if name.endswith(".dist-info") and package == "tensorflow_text":
            return version
    return None
