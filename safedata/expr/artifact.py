"""What expressions take from artifacts: `stats.age.mean`, `cities.size`, and the words of `city in cities`."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from safedata.expr.scan import scan
from safedata.expr.syntax import python_tree
from safedata.expr.tree import Scalar, Span
from safedata.problem import Fault, did_you_mean
from safedata.records import replace

if TYPE_CHECKING:
    from safedata.artifacts import Artifacts, Words

SIZES: Final = ("size", "classes")
"""What a list of words has: how many there are, under both names."""


def parts_of(node: ast.expr) -> tuple[str, ...]:
    """Return the names of `stats.age.mean` or `stats["image/height"].mean`; nothing for what is written otherwise."""
    names: list[str] = []
    while True:
        if isinstance(node, ast.Attribute):
            names.append(node.attr)
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            if not isinstance(node.slice.value, str):
                return ()
            names.append(node.slice.value)
        else:
            return (node.id, *reversed(names)) if isinstance(node, ast.Name) else ()
        node = node.value


def constants(artifacts: Artifacts, parts: tuple[str, ...], span: Span) -> Scalar | tuple[Scalar, ...]:
    """Return the number, or the list of numbers, that an artifact has under these names.

    Args:
        artifacts: those of the spec.
        parts: the artifact, then the component where it has several, then which of its numbers.
        span: where in the expression that stands.

    Raises:
        Fault: SD424, there is no such number; SD421 or SD423, the artifact cannot be read.
    """
    try:
        if len(parts) == 2 and parts[1] in SIZES:
            return artifacts.words(parts[0]).count
        numbers = artifacts.numbers(".".join(parts[:-1]))
    except Fault as fault:
        raise _placed(fault, span) from None
    return _number(numbers, parts, span)


def words(artifacts: Artifacts, name: str, span: Span) -> Words:
    """Return the list of words that an artifact is.

    Raises:
        Fault: SD424, there is none of that name; SD421 or SD423, it cannot be read.
    """
    try:
        return artifacts.words(name)
    except Fault as fault:
        raise _placed(fault, span) from None


def names_in(text: str) -> frozenset[str]:
    """Return the names that an expression may take from artifacts; none for a text that cannot be read.

    They are those with a dot behind, and those behind `in`. Components may be among them.
    """
    try:
        tree = python_tree(scan(text))
    except Fault:
        return frozenset()
    return frozenset(_names(tree))


def _names(tree: ast.expr) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield from parts_of(node)[:1]
        elif isinstance(node, ast.Compare):
            pairs = zip(node.ops, node.comparators, strict=True)
            yield from (
                one.id
                for how, one in pairs
                if isinstance(how, ast.In | ast.NotIn) and isinstance(one, ast.Name)
            )


def _number(numbers: Mapping[str, Any], parts: tuple[str, ...], span: Span) -> Scalar | tuple[Scalar, ...]:
    key = parts[-1]
    if key not in numbers:
        message = f"the artifact has no `{key}` for `{'.'.join(parts[:-1])}`"
        more = ("quantiles", "median")
        way_out = "add `quantiles: 10` to its `analyze`" if key in more else did_you_mean(key, numbers)
        raise Fault("SD424", message, within=span, help=way_out)
    found = numbers[key]
    return tuple(cast("list[float]", found)) if isinstance(found, list) else cast("float", found)


def _placed(fault: Fault, span: Span) -> Fault:
    """Return a fault of an artifact with its place in the expression; one of its file stays at the file's."""
    return fault if fault.absolute else replace(fault, at=(), within=span)
