"""The limits on an expression's text, checked before Python's parser sees it."""

from __future__ import annotations

import re
from typing import Final, NoReturn

from safedata.problem import Fault

MAX_CHARACTERS: Final = 4096
MAX_BRACKETS: Final = 50

_PAIRS: Final = {")": "(", "]": "[", "}": "{"}
_STRING_PREFIX = re.compile(r"\w+\Z")


def scan(text: str) -> str:
    """Return the text on one line, character by character, once its limits hold.

    Raises:
        Fault: SD120, the text is empty, too long, too deeply nested, or its brackets or strings do not close.
    """
    if len(text) > MAX_CHARACTERS:
        _refuse(
            f"the expression has {len(text):,} characters, more than {MAX_CHARACTERS:,}",
            (MAX_CHARACTERS, len(text)),
            "split it over several components, one `map` after the other",
        )
    if not text.strip():
        _refuse("the expression is empty", (0, len(text)), "write a component's name, such as `= label`")
    for at, character in enumerate(text):
        if character == "\0" or not is_text(character):
            _refuse("the expression has a character that is no text", (at, at + 1), "take it out")
    return _Scanner(text).run()


def is_text(value: str) -> bool:
    """Return whether a string has nothing that UTF-8 cannot say."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


class _Scanner:
    """Walks over the text once and keeps the brackets that are open."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.open: list[int] = []

    def run(self) -> str:
        at = 0
        line = list(self.text)
        while at < len(self.text):
            character = self.text[at]
            if character in "'\"":
                at = self.string(at)
                continue
            if character in "([{":
                self.enter(at)
            elif character in ")]}":
                self.leave(at)
            elif character == "#":
                _refuse(
                    "`#` starts no comment in an expression", (at, at + 1), "put the comment on its own line"
                )
            elif character.isspace():
                line[at] = " "
            at += 1
        if self.open:
            first = self.open[-1]
            _refuse(f"`{self.text[first]}` is never closed", (first, first + 1), "close it")
        return "".join(line)

    def enter(self, at: int) -> None:
        self.open.append(at)
        if len(self.open) > MAX_BRACKETS:
            _refuse(f"brackets are nested deeper than {MAX_BRACKETS}", (at, at + 1), "split the expression")

    def leave(self, at: int) -> None:
        if not self.open or self.text[self.open[-1]] != _PAIRS[self.text[at]]:
            _refuse(f"`{self.text[at]}` closes nothing", (at, at + 1), "take it out, or open it first")
        self.open.pop()

    def string(self, start: int) -> int:
        """Return where the string that starts here ends."""
        self.check_prefix(start)
        quote = self.text[start]
        if self.text[start : start + 3] == quote * 3:
            _refuse("strings take one quote, not three", (start, start + 3), f"write {quote}text{quote}")
        at = start + 1
        while at < len(self.text) and self.text[at] not in "\r\n":
            if self.text[at] == quote:
                return at + 1
            at += 2 if self.text[at] == "\\" else 1
        raise _fault("the string never ends", (start, start + 1), f"close it with {quote}")

    def check_prefix(self, start: int) -> None:
        prefix = _STRING_PREFIX.search(self.text[:start])
        if prefix and prefix[0] not in ("r", "R"):
            _refuse(
                f"`{prefix[0]}` stands right before a string",
                (prefix.start(), start),
                "put a space between, or take it out: strings have no prefix but `r`",
            )


def _refuse(message: str, within: tuple[int, int], way_out: str) -> NoReturn:
    raise _fault(message, within, way_out)


def _fault(message: str, within: tuple[int, int], way_out: str) -> Fault:
    return Fault("SD120", message, within=within, help=way_out)
