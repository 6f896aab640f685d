"""What a field takes, in words, from the errors that pydantic gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from safedata.problem import did_you_mean
from safedata.records import record
from safedata.spec.node import Node
from safedata.spec.scalars import FALSE_WORDS, TRUE_WORDS

_TYPES: Final[dict[str, str]] = {
    "bool": "`true` or `false`",
    "int": "a whole number",
    "float": "a number",
    "string": "text",
    "list": "a list",
    "tuple": "a list",
    "set": "a list without repetitions",
    "frozen_set": "a list without repetitions",
    "dict": "a mapping",
    "mapping": "a mapping",
    "model": "a mapping",
    "model_attributes": "a mapping",
    "dataclass": "a mapping",
}

_BOUNDS: Final[dict[str, tuple[str, str]]] = {
    "greater_than": ("gt", "a number above {}"),
    "greater_than_equal": ("ge", "a number of at least {}"),
    "less_than": ("lt", "a number below {}"),
    "less_than_equal": ("le", "a number of at most {}"),
    "multiple_of": ("multiple_of", "a multiple of {}"),
    "string_too_short": ("min_length", "text of at least {} characters"),
    "string_too_long": ("max_length", "text of at most {} characters"),
    "string_pattern_mismatch": ("pattern", "text of the form `{}`"),
}


@record(frozen=True, slots=True)
class Expected:
    """What one type would have taken."""

    text: str
    """A phrase behind "takes"; the whole message if `own`."""
    own: bool = False
    """Whether one of our own validators wrote the text."""
    way_out: Callable[[Node], str | None] = lambda _: None

    def help(self, node: Node) -> str | None:
        """Return the one thing to do about this node, None where the phrase says it."""
        return self.way_out(node)


def expected(details: dict[str, Any]) -> Expected:
    """Return what one of `ValidationError.errors()` says was expected."""
    kind: str = details["type"]
    context: dict[str, Any] = details.get("ctx") or {}
    if kind in ("value_error", "assertion_error"):
        return _own(str(context.get("error", details["msg"])))
    if kind in _BOUNDS:
        key, phrase = _BOUNDS[kind]
        return Expected(phrase.format(_number(context[key])))
    if kind in ("literal_error", "enum"):
        return _literal(str(context["expected"]))
    if kind in ("too_short", "too_long"):
        return _length(kind, context)
    family = kind.rsplit("_", 1)[0] if kind.endswith(("_type", "_parsing", "_from_float")) else kind
    if kind == "int_from_float":
        family = "int"
    if family in _TYPES:
        return Expected(_TYPES[family], way_out=_WAYS_OUT.get(family, _no_way_out))
    return _other(kind, context, str(details["msg"]))


def _own(text: str) -> Expected:
    """Take a text of our own: what stands behind `; write` and the like is the way out."""
    for words, instead in (("; write ", "write "), ("; did you mean ", "did you mean "), ("; the ", "the ")):
        head, found, tail = text.partition(words)
        if found:
            return _with_way_out(head, instead + tail)
    return Expected(text, own=True)


def _with_way_out(text: str, way_out: str) -> Expected:
    def told(node: Node) -> str | None:
        del node
        return way_out

    return Expected(text, own=True, way_out=told)


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _literal(text: str) -> Expected:
    """Take pydantic's `'a', 'b' or 'c'`."""
    names = [part.strip().strip("'\"") for part in text.replace(" or ", ", ").split(",")]
    quoted = [f"`{name}`" for name in names]
    phrase = quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"

    def way_out(node: Node) -> str | None:
        if not isinstance(node.value, str):
            return None
        found = did_you_mean(node.value, names, what="its values")
        return found if found.startswith("did you mean") else None

    return Expected(phrase, way_out=way_out)


def _length(kind: str, context: dict[str, Any]) -> Expected:
    most = kind == "too_long"
    number = context["max_length" if most else "min_length"]
    what = "mapping" if context.get("field_type") == "Dictionary" else "list"
    items = ("item" if what == "list" else "key") + ("" if number == 1 else "s")
    actual = context.get("actual_length")

    def way_out(_: Node) -> str | None:
        if not isinstance(actual, int):
            return None
        return f"take {actual - number} away" if most else f"add {number - actual}"

    return Expected(f"a {what} of at {'most' if most else 'least'} {number} {items}", way_out=way_out)


def _other(kind: str, context: dict[str, Any], message: str) -> Expected:
    if kind == "finite_number":
        return Expected("a finite number")
    if kind == "none_required":
        return Expected("nothing")
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        tags = [part.strip().strip("'") for part in str(context.get("expected_tags", "")).split(",")]
        return Expected(f"one of {', '.join(f'`{tag}`' for tag in tags if tag)}")
    return Expected(f"something else: {message[:1].lower()}{message[1:]}")


def _no_way_out(_: Node) -> str | None:
    return None


def _boolean(node: Node) -> str | None:
    word = node.value.lower() if isinstance(node.value, str) else str(node.value)
    if word in TRUE_WORDS or word in ("true", "1"):
        return "write `true`"
    if word in FALSE_WORDS or word in ("false", "0"):
        return "write `false`"
    return None


def _quotes(node: Node) -> str | None:
    if isinstance(node.value, (dict, list)) or node.quoted or not node.raw:
        return None
    return f'write `"{node.raw}"` if the text is meant'


def _brackets(node: Node) -> str | None:
    if isinstance(node.value, (dict, list)) or not node.raw:
        return None
    return f"write `[{node.raw}]`"


def _without_quotes(node: Node) -> str | None:
    """Return the help for a number in quotes."""
    if not isinstance(node.value, str) or not node.quoted:
        return None
    try:
        float(node.value)
    except ValueError:
        return None
    return f"write `{node.value}` without quotes"


_WAYS_OUT: Final[dict[str, Callable[[Node], str | None]]] = {
    "bool": _boolean,
    "string": _quotes,
    "list": _brackets,
    "tuple": _brackets,
    "int": _without_quotes,
    "float": _without_quotes,
}
