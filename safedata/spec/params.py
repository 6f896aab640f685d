"""`params` and `${...}`: values typed by their defaults, put where the document names them."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from typing import Any, Final, cast

from safedata.problem import Problem, Span, SpecError, did_you_mean
from safedata.spec.document import parse
from safedata.spec.node import Document, Node, Scalar
from safedata.spec.scalars import Refused, read_scalar, scalar_text

Param = Scalar | list[Scalar]
"""What a parameter can be."""

_NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*"
_TAKEN: Final = frozenset(
    (
        *("spec", "target", "host", "gpu", "disk", "allow", "allow_env", "folder", "report", "clear_keras"),
        "input_context",
    )
)
"""Arguments of `check`, `load` and `open`, which take parameters as arguments beside them."""
_USE: Final = r"\$\$\{|\$\{([^{}]*)\}|\$\{"
_KINDS: Final[dict[type, str]] = {
    bool: "`true` or `false`",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
}


def params_of(
    document: Document, overrides: Mapping[str, object], problems: list[Problem]
) -> dict[str, Param]:
    """Return every parameter with its value, overrides applied; what is wrong goes to `problems`."""
    section = document.get(("params",))
    if section is None or section.value is None:
        nodes: dict[str, Node] = {}
    elif isinstance(section.value, dict):
        nodes = section.value
    else:
        message = f"`params` takes a mapping of names to defaults, not {section.shown}"
        problems.append(
            Problem("SD105", message, section.span, help="write `name: value` on lines below `params:`")
        )
        nodes = {}
    values = {
        name: value for name, node in nodes.items() if (value := _default(name, node, problems)) is not _BAD
    }
    for name, given in overrides.items():
        if name not in nodes:
            way_out = (
                did_you_mean(name, nodes, what="parameters")
                if nodes
                else "the spec has no `params`; add them"
            )
            span = section.key_span if section else None
            problems.append(Problem("SD107", f"there is no parameter `{name}` to set", span, help=way_out))
        elif name in values:
            values[name] = _override(name, given, values[name], nodes[name], problems)
    return values


_BAD: Final[Any] = object()


def _default(name: str, node: Node, problems: list[Problem]) -> Param:
    span = node.key_span or node.span
    if not re.fullmatch(_NAME, name, re.ASCII):
        problems.append(
            Problem(
                "SD107", f"`{name}` is not a name for a parameter", span, help="use letters, digits and `_`"
            )
        )
        return cast("Param", _BAD)
    if name in _TAKEN:
        message = f"`{name}` is an argument of `safedata.load`, so no parameter can have this name"
        problems.append(Problem("SD107", message, span, help=f"call it `{name}_of_data`, say"))
        return cast("Param", _BAD)
    value = node.value
    parts = value if isinstance(value, list) else [node]
    for part in parts:
        if isinstance(part.value, (dict, list)):
            message = (
                f"the parameter `{name}` is {part.shown}, and parameters are scalars and lists of scalars"
            )
            problems.append(
                Problem(
                    "SD107",
                    message,
                    part.span,
                    help="write the mapping where it is used, a parameter for each part",
                )
            )
            return cast("Param", _BAD)
        if isinstance(part.value, str) and "${" in part.value.replace("$${", ""):
            message = f"the default of `{name}` refers to something else, and defaults are plain values"
            problems.append(
                Problem("SD107", message, part.span, help="combine the parameters where they are used")
            )
            return cast("Param", _BAD)
    return cast("Param", node.plain)


def _override(name: str, given: object, default: Param, node: Node, problems: list[Problem]) -> Param:
    value: object = os.fspath(cast("os.PathLike[str]", given)) if isinstance(given, os.PathLike) else given
    if isinstance(value, str) and not isinstance(default, str):
        value = _read(value)
    parts = list(cast("tuple[object, ...]", value)) if isinstance(value, tuple) else value
    fitted = _fit(parts, default)
    if fitted is not _BAD:
        return cast("Param", fitted)
    kind = _kind(default)
    shown = _shown(parts)
    example = "[1, 2]" if isinstance(default, list) else scalar_text(default)
    problems.append(
        Problem(
            "SD107",
            f"the parameter `{name}` takes {kind}, not `{shown}`",
            node.key_span or node.span,
            f"its default makes it {kind}",
            help=f"give it a value such as `{example}`, or change its default to the type that you mean",
        )
    )
    return default


def _shown(given: object) -> str:
    text = given if isinstance(given, str) else repr(given)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _kind(default: Param) -> str:
    if isinstance(default, list):
        kinds = {_KINDS[type(part)] for part in default if part is not None}
        return f"a list in which each is {kinds.pop()}" if len(kinds) == 1 else "a list of scalars"
    return "a scalar" if default is None else _KINDS[type(default)]


def _read(text: str) -> object:
    """Return what text from a command line means by the rules of a spec; text that is no value as it is."""
    stripped = text.strip()
    if stripped[:1] == "[":
        try:
            return parse(stripped, "<value>").root.plain
        except SpecError:
            return text
    value = read_scalar(stripped)
    return text if isinstance(value, Refused) else value


def _fit(value: Any, default: Param) -> Any:
    """Return `value` as the default's type takes it, `_BAD` where it does not."""
    if isinstance(default, list):
        if not isinstance(value, list):
            return _BAD
        types = {type(part) for part in default}
        like = default[0] if len(types) == 1 else (0.0 if types == {int, float} else None)
        fitted = [_fit(part, like) for part in cast("list[object]", value)]
        return _BAD if any(part is _BAD for part in fitted) else fitted
    if default is None:
        return value if value is None or isinstance(value, (str, int, float, bool)) else _BAD
    if isinstance(default, float):
        return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else _BAD
    if isinstance(default, int) and not isinstance(default, bool):
        if isinstance(value, float) and value.is_integer():
            return int(value)
        return value if isinstance(value, int) and not isinstance(value, bool) else _BAD
    return value if isinstance(value, type(default)) else _BAD


class Substitution:
    """Puts parameters where a document names them, and remembers which it used.

    Args:
        params: the values.
        allow_env: the environment variables that may be read.
        problems: takes what is wrong.
        declared: every name under `params`, those with a bad default included: of these nothing more is said.
    """

    def __init__(
        self,
        params: Mapping[str, Param],
        allow_env: Collection[str],
        problems: list[Problem],
        declared: Collection[str] = (),
    ) -> None:
        self.params = params
        self.allow_env = allow_env
        self.problems = problems
        self.declared = declared
        self.used: set[str] = set()

    def apply(self, node: Node) -> Node:
        """Return the node with every `${...}` below it replaced (no deeper than a document can be)."""
        if isinstance(node.value, dict):
            for key, child in node.value.items():
                self._check_key(key, child)
            return node._replace(value={key: self.apply(child) for key, child in node.value.items()})
        if isinstance(node.value, list):
            return node._replace(value=[self.apply(child) for child in node.value])
        return self._scalar(node, node.value) if isinstance(node.value, str) and "${" in node.value else node

    def _check_key(self, key: str, child: Node) -> None:
        if "${" in key:
            self._problem(
                "SD107",
                f"the key `{key}` names a parameter, and only values can",
                child.key_span or child.span,
                "write the key out",
            )

    def _scalar(self, node: Node, text: str) -> Node:
        whole = re.fullmatch(_USE, text)
        if whole and whole[1] is not None:
            return _placed(self._value(whole[1], node.span), node)
        parts: list[str] = []
        end = 0
        for found in re.finditer(_USE, text):
            parts.append(text[end : found.start()])
            end = found.end()
            parts.append(self._text(found, node))
        return node._replace(value="".join([*parts, text[end:]]), raw="".join([*parts, text[end:]]))

    def _text(self, found: re.Match[str], node: Node) -> str:
        if found[0] == "$${":
            return "${"
        name: str | None = found[1]
        if name is None:
            self._problem(
                "SD107",
                "`${` has no `}` behind it",
                node.span,
                "close it, or write `$${` for the two characters",
            )
            return ""
        value = self._value(name, node.span)
        if isinstance(value, list):
            self._problem(
                "SD107",
                f"`${{{name}}}` is a list and cannot stand inside text",
                node.span,
                f'let `"${{{name}}}"` be the whole value',
            )
            return ""
        return value if isinstance(value, str) else scalar_text(value)

    def _value(self, written: str, span: Span) -> Param:
        name = written.strip()
        if name.startswith("env:"):
            return self._environment(name.removeprefix("env:").strip(), span)
        self.used.add(name)
        if name in self.params:
            return self.params[name]
        if name not in self.declared:
            declare = f"declare it with its default: `params: {{{name}: ...}}`"
            way_out = did_you_mean(name, self.declared, what="parameters") if self.declared else declare
            self._problem("SD107", f"there is no parameter `{name}`", span, way_out)
        return None

    def _environment(self, name: str, span: Span) -> str:
        if name not in self.allow_env:
            self._problem(
                "SD112",
                f"the spec reads the environment variable `{name}`, which its caller did not allow",
                span,
                f"make it a parameter and pass it in: `--set {name.lower() or 'name'}=...`",
            )
            return ""
        value = os.environ.get(name)
        if value is None:
            self._problem("SD112", f"the environment variable `{name}` is not set", span, f"set `{name}`")
            return ""
        return value

    def _problem(self, code: str, message: str, span: Span, way_out: str) -> None:
        self.problems.append(Problem(code, message, span, help=way_out))


def _placed(value: Param, node: Node) -> Node:
    """Return a parameter's value as a node at the place of its use."""
    if isinstance(value, list):
        return Node([_placed(part, node._replace(key_span=None)) for part in value], node.span, node.key_span)
    return Node(value, node.span, node.key_span, raw=scalar_text(value), quoted=isinstance(value, str))


def unused(document: Document, used: Collection[str], file: str) -> list[Problem]:
    """Return a warning for each parameter that `file` declares and nothing uses."""
    section = document.get(("params",))
    nodes = section.value if section and isinstance(section.value, dict) else {}
    return [
        Problem(
            "SD107",
            f"nothing uses the parameter `{name}`",
            node.key_span or node.span,
            severity="warning",
            help=f'remove it, or write `"${{{name}}}"` where it belongs',
        )
        for name, node in nodes.items()
        if name not in used and (node.key_span or node.span).file == file
    ]
