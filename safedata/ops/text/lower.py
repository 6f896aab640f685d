"""`lower`: capital letters as small ones."""

from __future__ import annotations

from typing import ClassVar

from safedata.ops.text._text import Case


class Lower(Case):
    """Turn capital letters into small ones, as `tf.strings.lower` does; any shape, ragged too.

    Without `encoding` these are A to Z, and every other byte stays as it is. With `utf-8` they are the letters
    of all scripts, and the bound on the bytes is three times as large: bytes that are no UTF-8
    become the three of the replacement character.
    """

    example: ClassVar[str] = "lower"
