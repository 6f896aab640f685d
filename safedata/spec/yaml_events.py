"""A tree with positions from YAML's event stream, built without recursion and within limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import yaml

from safedata.problem import Label, Problem, Span
from safedata.spec.frames import Anchor, Frame, Key
from safedata.spec.node import Node
from safedata.spec.scalars import Refused, read_scalar

MAX_DEPTH: Final = 64
"""Lists and mappings inside each other, those behind aliases included."""
MAX_NODES: Final = 100_000
"""Values of a document once every alias is written out."""
MAX_PROBLEMS: Final = 50
"""Problems after which reading stops."""

_TEXT_TAGS = ("!", "tag:yaml.org,2002:str")


class _StopError(Exception):
    """Nothing more can be read; the problem is in the list already."""


def build(text: str, file: str) -> tuple[Node | None, list[Problem]]:
    """Return the tree of a YAML text and what is wrong with it.

    The tree is None for an empty document, and after a problem that stops the reading. Work and
    memory are bounded by `MAX_NODES` and the length of the text; the text may be hostile.
    """
    builder = _Builder(file)
    loader: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
    try:
        for event in _events(text, loader):
            builder.take(event)
    except _StopError:
        return None, builder.problems
    except yaml.YAMLError as error:
        from safedata.spec.yaml_errors import describe  # only for a message

        return None, [*builder.problems, describe(error, text, file)]
    except (ValueError, OverflowError):  # the pure reader, on an escape beyond Unicode
        from safedata.spec.yaml_errors import point

        return None, [
            *builder.problems,
            Problem(
                "SD101",
                "an escape in double quotes names no character",
                point(file, 0, 0),
                help="write the character itself",
            ),
        ]
    return builder.root, builder.problems


def _events(text: str, loader: Any) -> Iterator[Any]:
    return iter(yaml.parse(text, Loader=loader))


class _Builder:
    """Takes events one by one; `root` is there after the last."""

    def __init__(self, file: str) -> None:
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self._file = file
        self._stack: list[Frame] = []
        self._anchors: dict[str, Anchor | None] = {}
        self._count = 0
        self._last: Any = None
        self._documents = 0

    def take(self, event: Any) -> None:
        """Take the next event."""
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self._open(event)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self._close(event)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._document(event)

    def _document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            self._report(
                "SD101",
                "the file holds a second document",
                self._span(event.start_mark, event.end_mark),
                help="remove this line, or move what follows to a file of its own",
            )
            raise _StopError

    def _scalar(self, event: Any) -> None:
        span = self._span(event.start_mark, event.end_mark)
        self._last = event.end_mark
        self._grow(1, span)
        text = event.value
        if not text.isprintable() and any("\ud800" <= one <= "\udfff" for one in text):
            self._report(
                "SD101", "half of a surrogate pair is no character", span, help="write the character itself"
            )
            text = ""
        quoted = not event.implicit[0] or event.style not in (None, "")  # "" is what libyaml calls plain
        if event.tag is not None and event.tag not in _TEXT_TAGS:
            self._tag(event, span)
        if not quoted and text[:1] == "=" and text.count("(") > text.count(")"):
            self._cut_short(text, span)
        value = text if quoted else read_scalar(text)
        if isinstance(value, Refused):
            self._report("SD111", value.message, span, help=value.help)
            value = text
        node = Node(value, span, raw=text, quoted=quoted)
        if event.anchor is not None:
            self._anchors[event.anchor] = Anchor(node, 1, 0)
        self._add(node, 0)

    def _cut_short(self, text: str, span: Span) -> None:
        from safedata.spec.yaml_errors import cut_short, is_open  # only for a message

        if self._stack and self._stack[-1].flow and is_open(text):
            self.problems.append(cut_short(span))
            raise _StopError

    def _open(self, event: Any) -> None:
        span = self._span(event.start_mark, event.end_mark)
        self._grow(1, span)
        if len(self._stack) >= MAX_DEPTH:
            self._too_deep(span)
        if event.tag is not None:
            self._tag(event, span)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        mapping = isinstance(event, yaml.MappingStartEvent)
        frame = Frame(mapping, bool(event.flow_style), event.start_mark, event.anchor, self._count - 1)
        self._stack.append(frame)
        self._last = event.end_mark

    def _close(self, event: Any) -> None:
        frame = self._stack.pop()
        if frame.flow:
            self._last = event.end_mark
        for source in frame.merges:
            self._merge(frame, source)
        span = self._span(frame.mark, self._last)
        node = Node(frame.children if frame.mapping else frame.items, span)
        if frame.anchor is not None:
            self._anchors[frame.anchor] = Anchor(node, self._count - frame.before, frame.height)
        self._add(node, frame.height)

    def _alias(self, event: Any) -> None:
        span = self._span(event.start_mark, event.end_mark)
        self._last = event.end_mark
        name = event.anchor
        if name not in self._anchors:
            self._report(
                "SD101",
                f"the alias `*{name}` has no anchor before it",
                span,
                help=f"write `&{name}` before the value that it stands for, or quotes around `*{name}`",
            )
            self._add(Node(None, span, raw=f"*{name}"), 0)
            return
        anchor = self._anchors[name]
        if anchor is None:
            self._report(
                "SD109",
                f"the alias `*{name}` stands inside its own anchor, so it never ends",
                span,
                help=f"write out what `*{name}` should hold",
            )
            raise _StopError
        self._grow(anchor.size, span)
        if len(self._stack) + anchor.height > MAX_DEPTH:
            self._too_deep(span)
        self._add(anchor.node, anchor.height)

    def _add(self, node: Node, height: int) -> None:
        if not self._stack:
            self.root = node
            return
        frame = self._stack[-1]
        frame.height = max(frame.height, height + 1)
        if not frame.mapping:
            frame.items.append(node)
        elif frame.key is None:
            frame.key = self._key(frame, node)
        else:
            key, frame.key = frame.key, None
            if key.use == "merge":
                frame.merges.append(node)
            elif key.use == "value":
                frame.children[key.text] = node._replace(key_span=key.span)

    def _key(self, frame: Frame, node: Node) -> Key:
        if isinstance(node.value, (dict, list)):
            self._report(
                "SD101",
                f"{node.shown} stands where a key must be text",
                node.span,
                help="write a name before the `:`",
            )
            return Key("", node.span, "none")
        text = node.raw or ""
        if not isinstance(node.value, str):
            self._report(
                "SD111",
                f"the key {node.shown} is not text to every reader of YAML",
                node.span,
                help=f'write it in quotes: `"{text}":`',
            )
        if text == "<<" and not node.quoted:
            return Key(text, node.span, "merge")
        if text in frame.children:
            self._duplicate(text, node.span, frame.children[text])
            return Key(text, node.span, "none")
        return Key(text, node.span)

    def _duplicate(self, text: str, span: Span, first: Node) -> None:
        self._report(
            "SD102",
            f"the key `{text}` stands twice in one mapping",
            span,
            "again here",
            labels=(Label(first.key_span or first.span, "first here"),),
            help=f"keep one `{text}`, or give the second one the name it was meant to have",
        )

    def _merge(self, frame: Frame, source: Node) -> None:
        """Add what `<<` names: what the mapping says itself wins, then what was named first."""
        for one in source.value if isinstance(source.value, list) else [source]:
            if not isinstance(one.value, dict):
                self._report(
                    "SD101",
                    f"`<<` takes a mapping or a list of mappings, not {one.shown}",
                    one.span,
                    help="name the anchor of a mapping",
                )
                continue
            for key, child in one.value.items():
                frame.children.setdefault(key, child)

    def _tag(self, event: Any, span: Span) -> None:
        written = event.tag.replace("tag:yaml.org,2002:", "!!")
        self._report(
            "SD101",
            f"the tag `{written}` is refused: a spec is data, and its values have no other types",
            span,
            help="remove the tag"
            if not written.startswith("!!")
            else "remove the tag; quotes make a value text",
        )

    def _too_deep(self, span: Span) -> None:
        self._report(
            "SD109",
            f"lists and mappings are nested more than {MAX_DEPTH} deep",
            span,
            f"level {MAX_DEPTH + 1}",
            help="write the inner part flat; no part of the language needs a tenth of that",
        )
        raise _StopError

    def _grow(self, size: int, span: Span) -> None:
        self._count += size
        if self._count > MAX_NODES:
            self._report(
                "SD109",
                f"the document has more than {MAX_NODES} values once its aliases are written out",
                span,
                f"{self._count} values up to here",
                help="keep long lists in a data file that the spec names; let no alias hold other aliases",
            )
            raise _StopError

    def _report(
        self,
        code: str,
        message: str,
        span: Span,
        label: str = "",
        *,
        labels: tuple[Label, ...] = (),
        help: str,  # the name that `Problem` has
    ) -> None:
        self.problems.append(Problem(code, message, span, label, labels=labels, help=help))
        if len(self.problems) >= MAX_PROBLEMS:
            raise _StopError

    def _span(self, start: Any, end: Any) -> Span:
        return Span(self._file, start.line + 1, start.column + 1, end.line + 1, end.column + 1)
