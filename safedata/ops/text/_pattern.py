"""What a pattern of RE2 says without running it: mistakes, groups, and the fewest bytes that it matches.

The grammar is that of https://github.com/google/re2/wiki/Syntax. Whatever is not judged here is left to RE2 itself.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_DEEPEST: Final = 100
"""Groups inside one another that are followed; RE2 itself ends at a thousand."""
_MOST_REPEATS: Final = 1000
"""RE2's own limit on the numbers of `{n,m}`."""
_REPEATS: Final = re.compile(r"([*+?])\??|\{([0-9]+)(,([0-9]*))?\}\??")
_ITEM: Final = r"\[:\^?\w+:\]|\\.|[^\]\\]"
_BRACKETS: Final = re.compile(rf"\[\^?(\]|{_ITEM})({_ITEM})*\]", re.DOTALL)
"""A class of characters; one that comes first may be a closing bracket."""
_EMPTY: Final = "bBAz"
"""Escapes that match a place and no byte."""
_SINGLE: Final = "dDsSwWafnrtvC"
"""Escapes that match one character or byte."""


class Pattern(NamedTuple):
    """What is known of a pattern."""

    groups: int
    """The number of its groups that `\\1` and so on can name."""
    least: int
    """The fewest bytes that a match has: a lower bound."""


class Rewrite(NamedTuple):
    """What is known of a text that takes the place of matches."""

    literal: int
    """Its bytes, without those of the groups that it names."""
    references: int
    """How many times it names a group or the whole match."""
    highest: int
    """The highest group that it names, 0 for none."""


def parse_pattern(text: str) -> Pattern:
    """Return what is known of a pattern.

    Raises:
        ValueError: RE2 would refuse it; the message says what it stumbles over.
    """
    reader = _Reader(text)
    least = reader.alternatives(0)
    if reader.at < len(text):
        raise ValueError(f"the pattern `{text}` has a `)` without its `(`")
    return Pattern(reader.groups, least)


def parse_rewrite(text: str) -> Rewrite:
    r"""Return what is known of a rewrite, in which `\1` is the first group, `\0` the whole match.

    Raises:
        ValueError: a backslash is followed by something else than a digit or a backslash.
    """
    wrong = re.search(r"\\(?![0-9\\])", re.sub(r"\\\\", "", text))
    if wrong:
        raise ValueError(f"in `{text}` a backslash must be followed by a digit or another backslash")
    named = [int(one) for one in re.findall(r"\\([0-9])", re.sub(r"\\\\", "", text))]
    literal = re.sub(r"\\[0-9]", "", text.replace("\\\\", "\0"))
    return Rewrite(len(literal.encode()), len(named), max(named, default=0))


def longest_result(length: int, pattern: Pattern, rewrite: Rewrite, *, every: bool) -> int:
    """Return the most bytes that a string of at most `length` can have after its matches were replaced.

    Matches do not overlap, and what a group holds lies inside its match. So k matches of m bytes in all
    make length - m + k * literal + references * m bytes, at most: k is 1, or length // least, or, where a match
    may be empty, one at each place.
    """
    literal, references, least = rewrite.literal, rewrite.references, pattern.least
    if not every:
        matches = 1
    elif least:
        matches = length // least
    else:
        matches = length + 1
    if references:
        return references * length + matches * literal
    return length + matches * max(0, literal - least)


class _Reader:
    """Reads a pattern from left to right; `at` is the place of the next character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.groups = 0

    def peek(self, count: int = 1) -> str:
        return self.text[self.at : self.at + count]

    def alternatives(self, depth: int) -> int:
        """Read up to the end or a closing parenthesis; return the fewest bytes of the shortest way."""
        if depth > _DEEPEST:
            raise ValueError(f"the pattern has more than {_DEEPEST} groups inside one another")
        found = [self.sequence(depth)]
        while self.peek() == "|":
            self.at += 1
            found.append(self.sequence(depth))
        return min(found)

    def sequence(self, depth: int) -> int:
        total = least = 0
        repeatable = repeated = False
        while self.peek() not in ("", "|", ")"):
            times = self.repeats()
            if times is None:
                flags = self.flags()
                least = 0 if flags else self.atom(depth)
                total += least
                repeatable, repeated = not flags, False
                continue
            if not repeatable or repeated:
                raise ValueError(f"the pattern `{self.text}` repeats nothing before place {self.at}")
            total += least * (times - 1)
            repeated = True
        return total

    def repeats(self) -> int | None:
        """Read `*`, `+`, `?` or `{n,m}` with a lazy `?` behind it; return the fewest times, None for none."""
        found = _REPEATS.match(self.text, self.at)
        if not found:
            return None
        self.at = found.end()
        if found[1]:
            return int(found[1] == "+")
        if int(found[2]) > _MOST_REPEATS or int(found[4] or 0) > _MOST_REPEATS:
            raise ValueError(f"`{found[0]}` repeats more than {_MOST_REPEATS} times, which RE2 does not")
        if found[4] and int(found[4]) < int(found[2]):
            raise ValueError(f"`{found[0]}` has its larger number first")
        return int(found[2])

    def atom(self, depth: int) -> int:
        one = self.peek()
        if one == "(":
            return self.group(depth)
        if one == "[":
            return self.brackets()
        if one == "\\":
            return self.escape()
        self.at += 1
        return 0 if one in "^$" else 1

    def flags(self) -> bool:
        """Read `(?i)`, which changes what follows; return whether it was there."""
        found = re.compile(r"\(\?[imsU]*(-[imsU]+)?\)").match(self.text, self.at)
        self.at = found.end() if found else self.at
        return bool(found)

    def group(self, depth: int) -> int:
        rest = self.text[self.at :]
        if re.match(r"\(\?<?[=!]", rest):
            raise ValueError(f"the pattern `{self.text}` looks ahead or behind, which RE2 does not")
        head = re.match(r"\((\?(P<\w+>|[imsU]*(-[imsU]+)?:))?", rest)
        if not head or (head[0] == "(" and rest[1:2] == "?"):
            raise ValueError(f"the pattern `{self.text}` has `{rest[:3]}`, which RE2 does not know")
        self.groups += head[0] == "(" or "<" in head[0]
        self.at += head.end()
        least = self.alternatives(depth + 1)
        if self.peek() != ")":
            raise ValueError(f"the pattern `{self.text}` has a `(` without its `)`")
        self.at += 1
        return least

    def brackets(self) -> int:
        found = _BRACKETS.match(self.text, self.at)
        if not found:
            raise ValueError(f"the pattern `{self.text}` has a `[` without its `]`")
        self.at = found.end()
        return 1

    def escape(self) -> int:
        rest = self.text[self.at :]
        if len(rest) == 1:
            raise ValueError(f"the pattern `{self.text}` ends with a backslash")
        if rest[1] == "Q":
            literal = rest[2:].split("\\E")[0]
            self.at += min(len(rest), 4 + len(literal))
            return len(literal)
        found = re.match(r"\\([pP](\{[^}]*\}|.)|x(\{[0-9a-fA-F]+\}|[0-9a-fA-F]{2})|[0-7]{2,3}|0)", rest)
        if not found:
            found = re.match(rf"\\[{_EMPTY}{_SINGLE}!-/:-@\[-`{{-~\s]", rest)
        if not found:
            what = "a group again" if rest[1].isdigit() else f"`{rest[:2]}`"
            raise ValueError(f"the pattern `{self.text}` has {what}, which RE2 does not know")
        self.at += found.end()
        return int(rest[1] not in _EMPTY)
