"""Byte-level byte-pair encodings: GPT-2's `vocab.json` and `merges.txt`, as `tokenizers` writes them too."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final, NamedTuple, cast

from safedata.artifacts.heading import Origin, unusable
from safedata.records import record

MOST_BYTES: Final = 64 << 20
"""Bytes of the largest file that is read; the vocabulary of GPT-2 has 1 MB."""
_MOST_ID: Final = 1 << 31
_VERSION: Final = "#version"
"""What the first line of a file of merges starts with, where it is none."""
_SHOWN: Final = (*range(33, 127), *range(161, 173), *range(174, 256))
"""The bytes that vocabularies show as the character of the same number; the others follow from 256 on, in order."""


class Tables(NamedTuple):
    """What the two files say, as numbers."""

    of_byte: tuple[int, ...]
    """The token of each of the 256 bytes."""
    merges: list[tuple[int, int, int]]
    """Two tokens and the one that they become, by rank: the merge to make first stands first."""
    numbers: int
    """One more than the largest number in the vocabulary."""


@record(frozen=True, slots=True)
class Merges:
    """What is known of an encoding; its tables stay in their files."""

    path: str
    merges_path: str
    digest: str
    """SHA-256, in hexadecimal, of both files."""
    count: int
    """One more than the largest number in the vocabulary."""
    merges: int
    """How many merges there are."""
    ordered: bool
    """Whether each merge stands behind all that make one of its parts, as it does where merges were learned and each
    makes a token of its own."""
    size: int
    """Bytes of both files."""
    origin: Origin | None = None


def read_merges(path: str, merges_path: str) -> Merges:
    """Return what two files say of an encoding, after every token and every merge was looked at.

    Args:
        path: the tokens with their numbers, JSON.
        merges_path: the merges, two tokens in each line.

    Raises:
        Fault: SD423, one of them is damaged or something else, or they do not belong together.
        OSError: one cannot be read.
    """
    vocabulary, lines = _read(path), _read(merges_path)
    tables = _tables(vocabulary, lines)
    digest = hashlib.sha256(hashlib.sha256(vocabulary).digest() + lines).hexdigest()
    size = len(vocabulary) + len(lines)
    return Merges(path, merges_path, digest, tables.numbers, len(tables.merges), _ordered(tables), size)


def tables_of(merges: Merges) -> Tables:
    """Return the tables of an encoding, read again.

    Raises:
        OSError: a file is gone.
    """
    return _tables(_read(merges.path), _read(merges.merges_path))


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise unusable("it has over 64 MiB")
    return data


def _tables(vocabulary: bytes, lines: bytes) -> Tables:
    numbers = _numbers(vocabulary)
    missing = next((byte for byte, shown in enumerate(_letters()) if shown not in numbers), None)
    if missing is not None:
        raise unusable(f"it has no token for the byte {missing:#04x}: it is no byte-level vocabulary")
    of_byte = tuple(numbers[shown] for shown in _letters())
    return Tables(of_byte, _merges(numbers, lines), 1 + max(numbers.values()))


def _letters() -> list[str]:
    """Return the character that stands for each byte in a vocabulary, which has neither blanks nor control codes."""
    others = iter(range(256, 512))
    return [chr(byte if byte in _SHOWN else next(others)) for byte in range(256)]


def _numbers(vocabulary: bytes) -> dict[str, int]:
    try:
        given: Any = json.loads(vocabulary)
    except (ValueError, RecursionError):
        raise unusable("it is no JSON: it was changed or cut off") from None
    if not isinstance(given, dict):
        raise unusable("it is no JSON mapping of tokens to numbers")
    numbers = cast("dict[str, Any]", given)
    for token, number in numbers.items():
        if type(number) is not int or not 0 <= number < _MOST_ID:
            raise unusable(f"the token {token[:40]!r} has the number `{str(number)[:40]}`, not one from 0 on")
    return numbers


def _merges(numbers: dict[str, int], lines: bytes) -> list[tuple[int, int, int]]:
    """Return the merges as numbers; of one that stands there twice the later place counts, as in `tokenizers`."""
    try:
        text = lines.decode()
    except UnicodeDecodeError as error:
        raise unusable(f"its merges are not UTF-8: byte {error.start}") from None
    found: dict[tuple[int, int], int] = {}
    for place, line in enumerate(text.split("\n"), 1):
        written = line.removesuffix("\r")
        if not written or written.startswith(_VERSION):
            continue
        parts = written.split(" ")
        known = [numbers.get(one) for one in (*parts, "".join(parts))] if len(parts) == 2 else [None]
        if None in known:
            why = "is not two tokens of the vocabulary whose text together is a third"
            raise unusable(f"line {place} of its merges, {written[:40]!r}, {why}")
        left, right, made = cast("list[int]", known)
        found.pop((left, right), None)
        found[left, right] = made
    return [(left, right, made) for (left, right), made in found.items()]


def _ordered(tables: Tables) -> bool:
    last: dict[int, int] = {made: rank for rank, (_, _, made) in enumerate(tables.merges)}
    return all(
        last.get(part, -1) < rank
        for rank, (left, right, _) in enumerate(tables.merges)
        for part in (left, right)
    )
