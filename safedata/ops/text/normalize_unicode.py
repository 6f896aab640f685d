"""`normalize_unicode`: equal texts written in one way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Final, Literal

from pydantic import model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.memory import times
from safedata.ops._ragged import each
from safedata.ops.base import Op
from safedata.ops.text import _tokens
from safedata.ops.text._text import blank
from safedata.types import STRING_HEAP, Tensor

Form = Literal["NFC", "NFD", "NFKC", "NFKD"]

_GROWTH: Final[dict[str, int]] = {"NFC": 3, "NFD": 3, "NFKC": 11, "NFKD": 11}
"""Bytes of UTF-8 that one byte can become (the FAQ on normalization of unicode.org; tried for each code point)."""


class NormalizeUnicode(Op):
    """Write texts in one of the normal forms of Unicode: with `NFKC` a ligature becomes its letters.

    As tensorflow_text's `normalize_utf8`; it needs the extra `safedata[text]`. Any shape, ragged too.
    """

    example: ClassVar[str] = "{normalize_unicode: NFKC}"
    main: ClassVar[str | None] = "form"
    ragged: ClassVar[bool] = True

    form: Form = "NFKC"
    """The form: composed (`C`) or decomposed (`D`), with `K` look-alikes made one as well."""

    @model_validator(mode="after")
    def _there(self) -> Self:
        _tokens.extra("normalize_unicode")
        return self

    def infer(self, x: Tensor) -> Tensor:
        """Return the type; texts may take several times the bytes."""
        self.require(x, "string")
        growth = _GROWTH[self.form]
        made = replace(x, length=blank(x.length).scaled(growth), encoded=None)
        return made.of_one(times(growth, x.text))

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of one text in UTF-16, before and after; texts are worked on one by one."""
        most = y.length.most
        return None if most is None else 4 * most + 2 * STRING_HEAP

    def lower(self, x: Any, call: Call) -> Any:
        """Return the texts in their form."""
        text = _tokens.package()
        return each(call.tf, x, lambda flat: text.normalize_utf8(flat, self.form))
