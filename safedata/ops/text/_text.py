"""What operations on text share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Final, Literal

from safedata.insist import Check, insist
from safedata.lowering import Call, stretch
from safedata.memory import times
from safedata.ops._ragged import each
from safedata.ops.base import Op
from safedata.types import STRING_HEAP, STRING_SLOT, Dim, Tensor

Encoding = Literal["", "utf-8"]

_GROWTH: Final = 3
"""Bytes of UTF-8 that one byte can become when its case is changed.

Upper case turns the two bytes of U+0390 into six; over all code points nothing grows more (1.5 times for lower
case), and a byte that is no UTF-8 becomes the three of U+FFFD, for both. Tried for each code point.
"""


def blank(length: Dim) -> Dim:
    """Return the length of strings that may be as short as nothing: at most what it is."""
    return Dim.at_most(length.most, length.evidence)


def one_string(length: int | None) -> int | None:
    """Return the bytes of one string of so many, with its slot and block."""
    return None if length is None else STRING_SLOT + length + STRING_HEAP


def first_entries(tf: Any, parts: Any, count: int) -> Any:
    """Return the first parts of a text, or of each of a batch; a slice would keep those of one text all alive."""
    if isinstance(parts, tf.RaggedTensor):
        return parts[:, :count]
    return stretch(tf, parts, slice(None, count))


def at_most_bytes(parts: Any, call: Call, most: int, what: str) -> Any:
    """Return the parts of texts once none of them is found to have more bytes (SD501)."""
    tf = call.tf

    def checked(flat: Any) -> Any:
        lengths = tf.strings.length(flat)
        message = f"SD501: {what} must be at most {most} (declared); got"
        return insist(
            tf, flat, [Check(tf.reduce_all(lengths <= most), message, tf.reduce_max(lengths))], call.where
        )

    return each(tf, parts, checked)


class Case(Op):
    """Change the case of letters."""

    ragged: ClassVar[bool] = True
    main: ClassVar[str | None] = "encoding"

    encoding: Encoding = ""
    """Empty for the letters of ASCII alone, `utf-8` for those of all scripts."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the type; letters beyond ASCII may take up to three times the bytes in the other case."""
        self.require(x, "string")
        if not self.encoding:
            return replace(x, encoded=None)
        made = replace(x, length=blank(x.length).scaled(_GROWTH), encoded=None)
        return made.of_one(times(_GROWTH, x.text))

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of one string's copy, in UTF-16 for `utf-8`; strings are worked on one by one."""
        most = y.length.most
        return None if most is None else (4 * most if self.encoding else most) + STRING_HEAP

    def lower(self, x: Any, call: Call) -> Any:
        """Return the strings of `x` in the other case."""
        change = getattr(call.tf.strings, self.key())
        return each(call.tf, x, lambda flat: change(flat, encoding=self.encoding))
