"""Pieces of a text as they are put in and taken out: values, keys of a mapping, entries of a list."""

from __future__ import annotations

import json
import re
from typing import Final

from safedata.edit.draft import Draft, EditError, Splice
from safedata.problem import Span
from safedata.spec.node import Node

_PLAIN_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./+-][A-Za-z0-9_./+ -]*")
_DASH: Final = re.compile(r" *-[ \t]+")
_LONE_DASH: Final = re.compile(r" *-[ \t]*(#.*)?\s*")


def number_text(value: int | str, like: str) -> str:
    """Return a value as text, its digits grouped by `_` where those of `like` are."""
    return f"{value:_}" if isinstance(value, int) and "_" in like else str(value)


def flow_text(node: Node) -> str:
    """Return a value in brackets, on one line: `{map: {image: [decode_image]}}`."""
    if isinstance(node.value, dict):
        return "{" + ", ".join(f"{key_text(key)}: {flow_text(one)}" for key, one in node.value.items()) + "}"
    if isinstance(node.value, list):
        return "[" + ", ".join(flow_text(one) for one in node.value) + "]"
    if isinstance(node.value, str) and (node.quoted or not _PLAIN.fullmatch(node.value)):
        return json.dumps(node.value, ensure_ascii=False)
    return node.raw or "null"


def key_text(key: str) -> str:
    """Return a key as text, in quotes where it needs them."""
    return key if _PLAIN_KEY.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def value_replaced(draft: Draft, node: Node, value: int | str) -> Splice:
    """Return what puts another scalar in the place of one."""
    span = draft.only(node).span
    start, end = draft.start(span), draft.end(span)
    lead = " " if start == end and draft.text[start - 1 : start] == ":" else ""
    return Splice(start, end, lead + number_text(value, draft.text[start:end]))


def key_inserted(draft: Draft, mapping: Node, key: str, value: str) -> Splice:
    """Return what puts a key behind the last one of a mapping."""
    span = draft.only(mapping).span
    entry = f"{key}: {value}"
    if draft.flow(mapping):
        return Splice(*_inside(draft, mapping), f", {entry}" if mapping.value else entry)
    at = draft.line_start(draft.lines_of(span)[1])
    return _lines_inserted(draft, at, " " * (span.column - 1) + entry)


def _inside(draft: Draft, flow: Node) -> tuple[int, int]:
    """Return the place behind the last entry of a list or mapping in brackets."""
    children = list(flow.value.values()) if isinstance(flow.value, dict) else flow.value
    if not isinstance(children, list) or not children:
        inner = draft.start(flow.span) + 1
        return inner, inner
    at = max(draft.end(one.span) for one in children if one.span.file == draft.file)
    return at, at


def _lines_inserted(draft: Draft, at: int, lines: str) -> Splice:
    """Return what puts lines at the start of a line, or behind the last one where no line break ends it."""
    ended = at == 0 or draft.text[at - 1] in "\n\r\x85\u2028\u2029"
    return Splice(at, at, lines + draft.newline if ended else draft.newline + lines)


def entry_lines(draft: Draft, entry: Node, *, comments: bool) -> tuple[int, int]:
    """Return the first line of an entry of a list in lines, and the one behind its last.

    With `comments`, those directly above it, at its own indent, count as its own.

    Raises:
        EditError: something else stands on these lines.
    """
    first, behind = draft.lines_of(entry.span)
    prefix = draft.text[draft.line_start(first) : draft.at(first, entry.span.column)]
    if not prefix.strip():
        first -= 1
        while first > 1 and not draft.line(first).partition("#")[0].strip():
            first -= 1
        prefix = draft.line(first) if _LONE_DASH.fullmatch(draft.line(first)) else ""
        prefix = f"{prefix.partition('-')[0]}- " if prefix else "?"
    if not _DASH.fullmatch(prefix):
        raise EditError("this is written in a form that is not changed in place", entry.span)
    lead = f"{prefix.partition('-')[0]}#"
    while comments and first > 1 and draft.line(first - 1).startswith(lead):
        first -= 1
    return first, behind


def entry_inserted(draft: Draft, entries: Node, number: int, flow: str, lines: list[str]) -> Splice:
    """Return what puts an entry into a list, behind the one at `number`.

    Args:
        draft: the text.
        entries: the list.
        number: counted from 0.
        flow: the entry in brackets.
        lines: the entry in lines, without indent.
    """
    entry = _entries(entries)[number]
    if draft.flow(entries):
        at = draft.end(draft.only(entry).span)
        return Splice(at, at, f", {flow}")
    first, behind = entry_lines(draft, draft.only(entry), comments=False)
    indent = draft.line(first).partition("-")[0]
    text = draft.newline.join(indent + line for line in lines)
    return _lines_inserted(draft, draft.line_start(behind), text)


def entries_removed(draft: Draft, entries: Node, first: int, behind: int) -> list[Splice]:
    """Return what takes neighbouring entries out of a list; comments above them stay."""
    found = _entries(entries)
    if draft.flow(entries):
        return [_between(draft, [one.span for one in found], first, behind)]
    places = [entry_lines(draft, draft.only(one), comments=False) for one in found[first:behind]]
    return [Splice(draft.line_start(one), draft.line_start(other), "") for one, other in places]


def key_removed(draft: Draft, mapping: Node, key: str) -> Splice:
    """Return what takes a key and its value out of a mapping that has others."""
    children = mapping.value if isinstance(mapping.value, dict) else {}
    spans = [_pair(draft.only(one)) for one in children.values()]
    number = list(children).index(key)
    span = spans[number]
    if draft.flow(draft.only(mapping)):
        return _between(draft, spans, number, number + 1)
    before = draft.text[draft.line_start(span.line) : draft.at(span.line, span.column)]
    if before.strip():  # the dash of a list stands before it, and goes on to the next key
        return Splice(draft.start(span), draft.start(spans[number + 1]), "")
    first, behind = draft.lines_of(span)
    return Splice(draft.line_start(first), draft.line_start(behind), "")


def _pair(value: Node) -> Span:
    key = value.key_span or value.span
    return key._replace(end_line=value.span.end_line, end_column=value.span.end_column)


def _between(draft: Draft, spans: list[Span], first: int, behind: int) -> Splice:
    """Return what takes entries out of brackets, with the commas that they leave without use."""
    if behind < len(spans):
        return Splice(draft.start(spans[first]), draft.start(spans[behind]), "")
    if first:
        return Splice(draft.end(spans[first - 1]), draft.end(spans[behind - 1]), "")
    return Splice(draft.start(spans[first]), draft.end(spans[behind - 1]), "")


def entry_moved(draft: Draft, entries: Node, number: int, to: int) -> list[Splice]:
    """Return what puts an entry of a list elsewhere: in lines with the comments above it, in brackets alone."""
    found = [draft.only(one) for one in _entries(entries)]
    if draft.flow(entries):
        low, high = min(number, to), max(number, to)
        texts = [draft.piece(one.span) for one in found]
        texts.insert(to, texts.pop(number))
        spans = [one.span for one in found]
        return [Splice(draft.start(spans[i]), draft.end(spans[i]), texts[i]) for i in range(low, high + 1)]
    first, behind = entry_lines(draft, found[number], comments=True)
    target = entry_lines(draft, found[to], comments=True)
    start, end = draft.line_start(first), draft.line_start(behind)
    at = draft.line_start(target[0] if to < number else target[1])
    return [Splice(start, end, ""), Splice(at, at, draft.text[start:end])]


def _entries(entries: Node) -> list[Node]:
    return entries.value if isinstance(entries.value, list) else []
