"""Vocabularies: one word in each line, behind a head if `safedata analyze` has made the file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import IO, Final

from safedata.artifacts.heading import MARK, Heading, Origin, heading_of, json_line, unusable, written
from safedata.problem import Fault
from safedata.records import record
from safedata.types import STRING_HEAP, STRING_INLINE, STRING_SLOT

LONGEST_LINE: Final = 1 << 20
"""Bytes of the longest word that is read; a file with a longer line is hardly a list of words."""
_AT_ONCE: Final = 1 << 17
"""Words in memory at once while a file from elsewhere is searched for words that stand there twice."""
_HEAD: Final = 511
"""Bytes of the first line, filled up with blanks: it is written last, since it counts what it heads."""
_STATISTICS: Final = b' "kind": "statistics"'
"""The second line of a file of statistics, behind its opening brace."""
KINDS: Final = ("vocabulary", "classes")
"""The kinds of artifacts that are lists of words."""


@record(frozen=True, slots=True)
class Words:
    """What is known of a list of words in a file; the words themselves stay there."""

    path: str
    digest: str
    text: bool
    """Whether the words are texts; whole numbers otherwise."""
    count: int
    longest: int
    """The most bytes that a word has, as text."""
    size: int
    """What all words take as tensors, in bytes: slots and blocks of texts, 8 for each whole number."""
    origin: Origin | None = None

    def read(self) -> Iterator[bytes]:
        """Yield the words in their order, as the bytes of their texts.

        Raises:
            OSError: the file is gone.
        """
        with open(self.path, "rb") as file:
            headed = _head(file) is not None
            yield from _lines(file, headed)


def read_words(path: str) -> Words:
    """Return what the file at `path` holds, after every word was looked at.

    Raises:
        Fault: SD423, it is damaged, or no list of words that differ.
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        head = _head(file)
        text = head is None or head.about.get("dtype") != "int64"
        digest, count, longest, blocks = hashlib.sha256(), 0, 0, 0
        for word in _lines(file, head is not None):
            digest.update(word + b"\n")
            count, size = count + 1, len(word)
            longest = max(longest, size)
            blocks += size + STRING_HEAP if size > STRING_INLINE else 0
    if not count:
        raise unusable("it has no words")
    if head is not None and (digest.hexdigest(), count) != (head.digest, head.about.get("count")):
        raise unusable("its words are not those that were written: it was changed or cut off")
    if head is None:  # what analyze writes has no word twice
        _refuse_twice(path, count)
    size = STRING_SLOT * count + blocks if text else 8 * count
    return Words(path, digest.hexdigest(), text, count, longest, size, head.origin if head else None)


def _refuse_twice(path: str, count: int) -> None:
    """Raise SD423 where a word stands twice; a long file is read in as many passes as keep few words in memory."""
    passes = -(-count // _AT_ONCE)
    for number in range(passes):
        seen: set[bytes] = set()
        with open(path, "rb") as file:
            for line, word in enumerate(_lines(file, headed=False), 1):
                if hash(word) % passes != number:
                    continue
                if word in seen:
                    raise unusable(f"the word in line {line} stands there twice")
                seen.add(word)


def write_words(path: str, words: Iterable[bytes], kind: str, origin: Origin, *, text: bool) -> int:
    """Write a list of words with its head, whole or not at all; return how many there are.

    Args:
        path: where to.
        words: the texts of the words in order, each once; gone through once, so that they need not be in memory.
        kind: `vocabulary` or `classes`.
        origin: what they were made of.
        text: whether the words are texts and not whole numbers.

    Raises:
        Fault: SD425, a word has a line break in it.
        DataError: SD408, the place cannot be written to.
    """
    digest, count = hashlib.sha256(), 0
    with written(path) as file:
        file.write(b" " * _HEAD + b"\n")
        for word in words:
            if b"\n" in word:
                shown = word[:40].decode(errors="replace")
                raise Fault("SD425", f"the value {shown!r} has a line break in it")
            file.write(word + b"\n")
            digest.update(word + b"\n")
            count += 1
        about = {"count": count, "dtype": "string" if text else "int64"}
        file.seek(0)
        file.write(MARK + json_line(Heading(kind, digest.hexdigest(), origin, about).plain()))
    return count


def _head(file: IO[bytes]) -> Heading | None:
    """Return the head in the first line, and leave the file behind it; None, and at its start, without one."""
    line = file.readline(LONGEST_LINE)
    if not line.startswith(MARK):
        if line.strip() == b"{" and file.readline(LONGEST_LINE).startswith(_STATISTICS):
            raise unusable("it is an artifact of the kind `statistics`, and no list of words")
        file.seek(0)
        return None
    try:
        head = heading_of(json.loads(line[len(MARK) :]))
    except ValueError:
        raise unusable("its head is damaged") from None
    if head.kind not in KINDS:
        raise unusable(f"it is an artifact of the kind `{head.kind}`, and no list of words")
    return head


def _lines(file: IO[bytes], headed: bool) -> Iterator[bytes]:
    """Yield the words; those of a file from elsewhere may end as on Windows, and none may be empty."""
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise unusable(f"line {number} has over 1 MiB")
        word = line[:-1] if line.endswith(b"\n") else line
        if not headed:
            word = word.removesuffix(b"\r")
            if not word:
                raise unusable(f"line {number} is empty")
        yield word
