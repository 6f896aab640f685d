"""A spec's text with its tree: from places in lines and columns to characters, and back to a text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from safedata.problem import Path, Span
from safedata.spec.document import parse
from safedata.spec.extends import flatten
from safedata.spec.node import Document, Node

_BREAK: Final = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""What ends a line in YAML 1.1, by which the spans count."""
_ANCHOR: Final = re.compile(r"&\S+\s+")
_ALIAS: Final = re.compile(r"""["']?\s*:\s+(\*[^\s,\]}]+)""")


class EditError(ValueError):
    """The text cannot be changed in place; says why, where, and what to do by hand."""

    def __init__(self, reason: str, span: Span | None = None, help: str | None = None) -> None:
        super().__init__(reason)
        self.span = span
        self.help = help


class Splice(NamedTuple):
    """A piece of a text, from one character to before another, and what takes its place."""

    start: int
    end: int
    text: str


class Draft:
    """A spec's text while it is changed.

    Args:
        text: the file's text without its byte order mark.
        file: its name, as spans have it.
        folder: where the path of what it extends starts.

    Raises:
        DocumentError: the text is no document, or what it extends is none.
    """

    def __init__(self, text: str, file: str, folder: str) -> None:
        self.text = text
        self.file = file
        self.folder = folder
        self.own: Document = parse(text, file)
        self.merged: Document = flatten(self.own, file, folder)[0]
        self._starts = [0, *(found.end() for found in _BREAK.finditer(text))]
        self.newline = newline_of(text)

    def merged_nodes(self) -> Iterator[Node]:
        """Yield every value of the spec and of those that it extends."""
        return _walk(self.merged.root)

    def spliced(self, splices: Iterable[Splice]) -> str:
        """Return the text with pieces that do not overlap replaced."""
        text = self.text
        for one in sorted(splices, reverse=True):
            text = text[: one.start] + one.text + text[one.end :]
        return text

    def at(self, line: int, column: int) -> int:
        """Return the character at a line and column, both from 1."""
        return self._starts[min(line, len(self._starts)) - 1] + column - 1

    def start(self, span: Span) -> int:
        """Return the first character of a piece, an anchor before it left out."""
        begin = self.at(span.line, span.column)
        found = _ANCHOR.match(self.text, begin)
        return found.end() if found else begin

    def end(self, span: Span) -> int:
        """Return the character behind a piece."""
        return self.at(span.end_line, span.end_column)

    def piece(self, span: Span) -> str:
        """Return the text of a piece, without its anchor."""
        return self.text[self.start(span) : self.end(span)]

    def line_start(self, line: int) -> int:
        """Return the first character of a line; the end of the text for one behind the last."""
        return self._starts[line - 1] if line <= len(self._starts) else len(self.text)

    def line(self, line: int) -> str:
        """Return a line, with what ends it."""
        return self.text[self.line_start(line) : self.line_start(line + 1)]

    def lines_of(self, span: Span) -> tuple[int, int]:
        """Return the first line of a piece, and the one behind its last."""
        behind = span.end_line if span.end_column == 1 and span.end_line > span.line else span.end_line + 1
        return span.line, behind

    def flow(self, node: Node) -> bool:
        """Return whether a list or mapping is written in brackets."""
        return self.text[self.start(node.span) : self.start(node.span) + 1] in ("[", "{")

    def find(self, path: Path) -> Node:
        """Return what the text itself says at a path, and nothing else refers to.

        Raises:
            EditError: it is written in a spec that this one extends, or an alias stands for it as well.
        """
        node = self.merged.get(path)
        if node is None:
            raise EditError(f"the text has nothing at `{'.'.join(map(str, path))}`")
        return self.only(node)

    def alias(self, node: Node) -> tuple[int, int] | None:
        """Return where an alias stands for a value behind its key, `batch: *size`; None where it is written out."""
        key = node.key_span
        if key is None or key.file != self.file:
            return None
        found = _ALIAS.match(self.text, self.end(key))
        return found.span(1) if found else None

    def uses(self, parameter: str) -> int:
        """Return how many values name a parameter."""
        return sum(f"${{{parameter}}}" in (one.raw or "").replace(" ", "") for one in self.merged_nodes())

    def only(self, node: Node) -> Node:
        """Return the node, if it stands in this file and nothing else refers to it.

        Raises:
            EditError: it does not.
        """
        if node.span.file != self.file:
            reason = f"this stands in `{node.span.file}`, which the spec extends"
            raise EditError(
                reason, node.span, "change it there, or give the step a `name` and change it by that"
            )
        uses = sum(one.span == node.span for one in _walk(self.own.root))
        if uses > 1 and node.span[1:3] != node.span[3:5]:
            raise EditError(
                f"an anchor makes this count in {uses} places",
                node.span,
                "write the value out where it changes",
            )
        return node


def newline_of(text: str) -> str:
    """Return what ends the lines of a text."""
    found = _BREAK.search(text)
    return found[0] if found else "\n"


def _walk(node: Node) -> Iterator[Node]:
    yield node
    children = node.value.values() if isinstance(node.value, dict) else node.value
    if isinstance(children, (str, int, float)) or children is None:
        return
    for child in children:
        yield from _walk(child)
