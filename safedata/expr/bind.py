"""Which argument is which parameter, and the constants among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from safedata.expr.functions.base import REQUIRED, Function, Parameter
from safedata.expr.tree import Call, Const, Listing, Node, Span, Static
from safedata.problem import Fault, did_you_mean
from safedata.types import DTYPES

_WANTED: Final = {
    "axis": "an integer",
    "axes": "an integer or a list of integers",
    "flag": "True or False",
    "dtype": 'the name of a dtype in quotes, such as "float32"',
    "ints": "a list of sizes, such as [2, -1]: 1 or more, and -1 once at most",
    "text": "a constant text in quotes",
}
_MOST_SIZE: Final = 2**31


def bind(function: Function, positional: Sequence[Node], named: Mapping[str, Node], span: Span) -> Call:
    """Return the call of a function with its arguments in order.

    Raises:
        Fault: SD107, too many or too few arguments, an unknown one, or a constant of the wrong kind.
    """
    given = _match(function, positional, named, span)
    tensors: list[Node] = []
    static: list[tuple[str, Static]] = []
    for parameter in function.parameters:
        nodes = given.get(parameter.name, [])
        if parameter.kind in ("tensor", "tensors"):
            tensors.extend(nodes)
            _check_count(function, parameter, nodes, span)
        elif nodes:
            static.append((parameter.name, _constant(function, parameter, nodes[0])))
        elif parameter.default == REQUIRED:
            raise _missing(function, parameter, span)
        else:
            static.append((parameter.name, parameter.default))
    return Call(function.name, tuple(tensors), tuple(static), span)


def _match(
    function: Function, positional: Sequence[Node], named: Mapping[str, Node], span: Span
) -> dict[str, list[Node]]:
    in_order = [parameter for parameter in function.parameters if not parameter.keyword]
    if in_order[0].kind == "tensors":
        given = {in_order[0].name: list(positional)}
    elif len(positional) > len(in_order):
        raise _too_many(function, len(in_order), positional[len(in_order)])
    else:
        given = {one.name: [node] for one, node in zip(in_order, positional, strict=False)}
    names = [one.name for one in function.parameters if one.kind != "tensors"]
    for name, node in named.items():
        if name not in names:
            message = f"`{function.name}` has no parameter `{name}`"
            way_out = did_you_mean(name, names, what="parameters")
            raise Fault("SD107", message, within=node.span, help=way_out)
        if name in given:
            raise Fault("SD107", f"`{name}` of `{function.name}` is given twice", within=node.span)
        given[name] = [node]
    return given


def _too_many(function: Function, most: int, extra: Node) -> Fault:
    plural = "s" if most > 1 else ""
    message = f"`{function.name}` takes {most} argument{plural} in order, and then only named ones"
    way_out = f"as in `{function.example}`"
    if function.name in ("min", "max"):
        way_out = f"`{function.name}imum(a, b)` is the one of two values"
    return Fault("SD107", message, within=extra.span, help=way_out)


def _check_count(function: Function, parameter: Parameter, nodes: Sequence[Node], span: Span) -> None:
    if not nodes:
        raise _missing(function, parameter, span)
    if parameter.kind == "tensors" and len(nodes) < 2:
        message = f"`{function.name}` takes two values or more"
        raise Fault("SD107", message, within=span, help=f"as in `{function.example}`")


def _missing(function: Function, parameter: Parameter, span: Span) -> Fault:
    message = f"`{function.name}` needs `{parameter.name}`"
    return Fault("SD107", message, within=span, help=f"as in `{function.example}`")


def _constant(function: Function, parameter: Parameter, node: Node) -> Static:
    """Return a setting's value once it is of the parameter's kind."""
    if isinstance(node, Const) and _is_kind(parameter, node.value):
        return node.value
    if isinstance(node, Listing) and not node.rows and parameter.kind in ("axes", "ints"):
        whole = tuple(value for value in node.values if type(value) is int)
        if len(whole) == len(node.values) and (parameter.kind == "axes" or _is_shape(whole)):
            return whole
    message = f"`{parameter.name}` of `{function.name}` is {_WANTED[parameter.kind]}"
    way_out = None
    if parameter.kind == "dtype" and isinstance(node, Const) and isinstance(node.value, str):
        way_out = did_you_mean(node.value, DTYPES, what="dtypes")
    raise Fault("SD107", message, within=node.span, help=way_out)


def _is_kind(parameter: Parameter, value: object) -> bool:
    match parameter.kind:
        case "axis" | "axes":
            return type(value) is int
        case "flag":
            return isinstance(value, bool)
        case "dtype":
            return value in DTYPES
        case "text":
            return isinstance(value, str)
        case _:
            return False


def _is_shape(sizes: tuple[int, ...]) -> bool:
    return sizes.count(-1) <= 1 and all(size == -1 or 0 < size < _MOST_SIZE for size in sizes)
