"""Types as specs write them: `uint8[<=1200, ?, 3]`, `string[<=64KiB]`. The way back is `str` of a `Tensor`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from safedata.memory import parse_size
from safedata.types import DTYPES, UNBOUNDED, Dim, Tensor

_TYPE: Final = r"\s*([a-z]+[0-9]*)\s*((?:\[[^\[\]]*\]\s*)*)"
_DIM: Final = r"(<=)?\s*([0-9][0-9_]*)|(\?)"


def parse_type(text: str) -> Tensor:
    """Return the type that text such as `uint8[<=1200, ?, 3]` or `string[<=64KiB]` names.

    Dimensions and lengths get the evidence `declared`; exact ones stay exact.

    Raises:
        ValueError: the text is no type; the message says what one looks like.
    """
    found = re.fullmatch(_TYPE, text, re.ASCII)
    if not found:
        raise ValueError(f"`{text}` is not a type; write one as float32[224, 224, 3] or string[<=64KiB]")
    dtype, brackets = found[1], re.findall(r"\[([^\[\]]*)\]", found[2])
    if dtype not in DTYPES:
        raise ValueError(f"`{dtype}` is not a dtype; the dtypes are {', '.join(DTYPES)}")
    if dtype == "string":
        return _parse_string(text, brackets)
    if len(brackets) != 1:
        raise ValueError(f"`{text}` needs its dimensions in brackets: {dtype}[] for a scalar, {dtype}[10]")
    return Tensor(dtype, tuple(_parse_dims(brackets[0])))


def _parse_string(text: str, brackets: list[str]) -> Tensor:
    if not 1 <= len(brackets) <= 2:
        raise ValueError(f"`{text}` needs the bytes of one string in brackets: string[<=64KiB]")
    length = brackets[0].strip()
    if length == "?":
        bound = UNBOUNDED
    else:
        exact = not length.startswith("<=")
        digits = length.removeprefix("<=").strip()
        size = int(digits) if digits.isascii() and digits.isdecimal() else parse_size(digits)
        bound = Dim(size, exact, "declared")
    shape = tuple(_parse_dims(brackets[1])) if len(brackets) == 2 else ()
    return Tensor("string", shape, bound)


def _parse_dims(text: str) -> Iterator[Dim]:
    for part in _split(text):
        found = re.fullmatch(_DIM, part, re.ASCII)
        if not found:
            raise ValueError(f"`{part}` is not a dimension; write 224, <=224 or ?")
        if found[3]:
            yield UNBOUNDED
        elif found[1]:
            yield Dim.at_most(int(found[2]), "declared")
        else:
            yield Dim.exactly(int(found[2]))


def _split(text: str) -> Iterable[str]:
    return [part.strip() for part in text.split(",")] if text.strip() else []
