"""What an unquoted scalar means: YAML 1.2's core rules, without the traps of YAML 1.1.

`on`, `yes`, `1:30` and dates are text; `1e3` is a number; where readers of YAML disagree
and either answer would surprise somebody, the scalar is refused.
"""

from __future__ import annotations

import math
import re
from typing import Final, NamedTuple

from safedata.spec.node import Scalar

_WORDS: Final[dict[str, Scalar]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}

_DIGITS = r"[0-9]+(?:_[0-9]+)*"
_INT: Final = rf"[-+]?{_DIGITS}"
_BASED: Final = r"[-+]?0(?:x[0-9a-fA-F]+(?:_[0-9a-fA-F]+)*|o[0-7]+(?:_[0-7]+)*|b[01]+(?:_[01]+)*)"
_FLOAT: Final = rf"[-+]?(?:\.{_DIGITS}|{_DIGITS}(?:\.(?:{_DIGITS})?)?)(?:[eE][-+]?[0-9]{{1,6}})?"
_LONGEST_INT: Final = 80
"""Characters; a longer one cannot be a 64-bit integer in any base."""

TRUE_WORDS: Final = ("on", "yes", "y")
FALSE_WORDS: Final = ("off", "no", "n")
"""Booleans of YAML 1.1, text here."""


class Refused(NamedTuple):
    """A scalar that is not read, why, and what to write instead."""

    message: str
    help: str


def read_scalar(text: str) -> Scalar | Refused:
    """Return what an unquoted scalar means, or why it is refused."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "0123456789+-.":
        return text
    if re.fullmatch(_INT, text, re.ASCII):
        return _integer(text)
    if re.fullmatch(_BASED, text, re.ASCII):
        return _in_64_bits(text, 0)
    if re.fullmatch(_FLOAT, text, re.ASCII):
        return _float(text)
    return text


def _integer(text: str) -> int | Refused:
    digits = text.lstrip("+-").replace("_", "")
    if len(digits) == 1 or digits[0] != "0":
        return _in_64_bits(text, 10)
    sign = "-" if text[0] == "-" else ""
    decimal = digits.lstrip("0") or "0"
    return Refused(
        f"`{_cut(text)}` starts with 0: some readers take it as octal, others as decimal or as text",
        f'write `{sign}{_cut(decimal)}` for the number, or quotes for the text: `"{_cut(text)}"`',
    )


def _in_64_bits(text: str, base: int) -> int | Refused:
    if len(text) <= _LONGEST_INT:
        value = int(text, base)
        if -(2**63) <= value < 2**64:
            return value
    return Refused(
        f"`{_cut(text)}` does not fit 64 bits: some readers round it, others do not",
        "write a smaller number, or quotes around it where text is meant",
    )


def _float(text: str) -> float | Refused:
    value = float(text)
    if math.isfinite(value):
        return value
    return Refused(
        f"`{_cut(text)}` is over the largest float64, 1.8e308",
        "write `.inf` where infinity is meant, or quotes where text is",
    )


def _cut(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"


def scalar_text(value: Scalar) -> str:
    """Return a scalar as a spec would write it, without quotes: `true`, `null`, `1000.0`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else (".inf" if value > 0 else "-.inf")
    return str(value)
