"""A document as a tree whose every piece knows where it was written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from safedata.problem import Path, Problem, Span, SpecError

Scalar = str | int | float | bool | None


class Node(NamedTuple):
    """One value of a document and the place where it was written.

    A node that came through an alias, a merge key or `extends` keeps the place of its text.
    One that a parameter stands for has the place of the `${...}`.
    """

    value: dict[str, Node] | list[Node] | Scalar
    span: Span
    key_span: Span | None = None
    """The key in front of it, when it stands in a mapping."""
    raw: str | None = None
    """A scalar's text without its quotes, before it was read as a number or the like."""
    quoted: bool = False
    """Whether a scalar stood in quotes or in a block, and so is text whatever it looks like."""

    @property
    def plain(self) -> Any:
        """The value without positions, in new dicts and lists."""
        if isinstance(self.value, dict):
            return {key: child.plain for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain for child in self.value]
        return self.value

    @property
    def shown(self) -> str:
        """The value for a message: a scalar in backticks as it was written, else `a list`, `a mapping`."""
        if isinstance(self.value, dict):
            return "a mapping"
        if isinstance(self.value, list):
            return "a list"
        raw = self.raw or ""
        if not raw and not self.quoted:
            return "nothing"
        text = raw if len(raw) <= 60 else f"{raw[:59]}…"
        return f'`"{text}"`' if self.quoted else f"`{text}`"

    def child(self, part: str | int) -> Node | None:
        """Return the value behind a key or at an index, None where there is none."""
        if isinstance(self.value, dict):
            return self.value.get(part) if isinstance(part, str) else None
        if isinstance(self.value, list) and isinstance(part, int) and 0 <= part < len(self.value):
            found: Node = self.value[part]
            return found
        return None


class Document(NamedTuple):
    """A tree of nodes, and the text of every file that a span in it may name."""

    root: Node
    texts: Mapping[str, str]

    def get(self, path: Path) -> Node | None:
        """Return the node at `path`, None where the document has none."""
        node: Node | None = self.root
        for part in path:
            node = node.child(part) if node is not None else None
        return node

    def nearest(self, path: Path) -> tuple[Path, Node]:
        """Return the deepest node on the way to `path`, with the path to it."""
        node, reached = self.root, 0
        for part in path:
            found = node.child(part)
            if found is None:
                break
            node, reached = found, reached + 1
        return path[:reached], node

    def span(self, path: Path, *, key: bool = False) -> Span:
        """Return the place of `path`, or of its longest prefix that exists.

        With `key`, the place of the key in front of the value, if it has one.
        """
        node = self.nearest(path)[1]
        return node.key_span if key and node.key_span else node.span

    def plain(self, path: Path = ()) -> Any:
        """Return the value at `path` without positions; None where there is none."""
        node = self.get(path)
        return node.plain if node else None


class DocumentError(SpecError):
    """A spec whose text or structure has problems; `texts` has the text of the files that they name."""

    def __init__(self, problems: list[Problem], texts: Mapping[str, str]) -> None:
        super().__init__(problems)
        self.texts = texts
