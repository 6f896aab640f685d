"""`upper`: small letters as capital ones."""

from __future__ import annotations

from typing import ClassVar

from safedata.ops.text._text import Case


class Upper(Case):
    """Turn small letters into capital ones, as `tf.strings.upper` does; any shape, ragged too.

    Without `encoding` these are a to z, and every other byte stays as it is. With `utf-8` they are the letters
    of all scripts, and the bound on the bytes is three times as large: a letter can become three.
    """

    example: ClassVar[str] = "upper"
