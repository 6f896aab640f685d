"""Which text TensorFlow reads as a number, as patterns of RE2."""

from __future__ import annotations

from typing import Final

from safedata.types import DTYPE_BYTES, FLOATS, UNSIGNED

_BLANKS: Final = r"[ \t\n\v\f\r]*"
_FLOAT: Final = (
    r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|0[xX][0-9a-fA-F]+|(?i:inf|infinity|nan))"
)


def number_pattern(dtype: str) -> str:
    """Return the pattern of RE2 for the text that `tf.strings.to_number` reads as this dtype, all of the text."""
    if dtype in FLOATS:
        return f"{_BLANKS}{_FLOAT}{_BLANKS}"
    bits = 8 * DTYPE_BYTES[dtype] - (dtype not in UNSIGNED)
    number = rf"\+?{_up_to(2**bits - 1)}"
    if dtype not in UNSIGNED:
        number = f"(?:{number}|-{_up_to(2**bits)})"
    return f"{_BLANKS}{number}{_BLANKS}"


def _up_to(most: int) -> str:
    """Return the pattern for the whole numbers from 0 to `most`, with zeros before them."""
    digits = str(most)
    ways = [f"[0-9]{{1,{len(digits) - 1}}}", digits]
    for place, digit in enumerate(digits):
        if digit != "0":
            ways.append(f"{digits[:place]}[0-{int(digit) - 1}][0-9]{{{len(digits) - place - 1}}}")
    return f"0*(?:{'|'.join(ways)})"
