"""Text to tree: Python's parser reads, a closed list of nodes is translated, nothing is evaluated."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NoReturn

from safedata.expr import artifact, syntax
from safedata.expr.bind import bind
from safedata.expr.fold import FoldError, checked, fold, listing
from safedata.expr.functions import CALLABLE, FUNCTIONS
from safedata.expr.scan import is_text, scan
from safedata.expr.tree import (
    At,
    Call,
    Const,
    Cut,
    Index,
    Listing,
    Name,
    NewAxis,
    Node,
    Part,
    Rest,
    Scalar,
    Span,
)
from safedata.problem import Fault
from safedata.records import replace
from safedata.types import DTYPE_BYTES

if TYPE_CHECKING:
    from safedata.artifacts import Artifacts

MAX_PARTS: Final = 16
MAX_ITEMS: Final = 64
"""Constants that a comprehension goes over at most."""
MAX_NODES: Final = 5000
"""Nodes of a tree at most, comprehensions written out; a text without any has fewer."""


def parse_tree(text: str, artifacts: Artifacts | None = None) -> Node:
    """Return the tree that an expression's text stands for.

    Args:
        text: the expression.
        artifacts: those of the spec, whose numbers and words it may name.

    Raises:
        Fault: SD120, it cannot be read; SD106, an unknown function; SD107, arguments that a function does not
            take; SD421, SD423 or SD424, an artifact that cannot be used. `within` are the characters in question.
    """
    line = scan(text)
    return _Translator(text, line, artifacts).node(syntax.python_tree(line), 0)


class _Translator:
    """Translates Python's nodes; what has no method here is not part of the language."""

    def __init__(self, text: str, line: str, artifacts: Artifacts | None) -> None:
        self.text = text
        self.artifacts = artifacts
        self.bytes = f"({line})".encode()
        self.ascii = len(self.bytes) == len(line) + 2
        self.bound: dict[str, Const] = {}
        """The values that comprehensions give their names, while one of their parts is read."""
        self.nodes = 0

    def span(self, node: ast.expr) -> Span:
        return self.character(node.col_offset), self.character(node.end_col_offset or 0)

    def character(self, offset: int) -> int:
        """Return where in the text one of Python's offsets lies: they count UTF-8 bytes, our bracket too."""
        at = offset if self.ascii else len(self.bytes[:offset].decode(errors="replace"))
        return min(max(at - 1, 0), len(self.text))

    def refuse(self, message: str, node: ast.expr, way_out: str | None = None) -> NoReturn:
        raise Fault("SD120", message, within=self.span(node), help=way_out)

    def node(self, node: ast.expr, depth: int) -> Node:
        if depth > syntax.MAX_DEPTH:
            raise syntax.too_deep(self.span(node))
        self.nodes += 1
        if self.nodes > MAX_NODES:
            message = f"comprehensions make more than {MAX_NODES:,} values"
            self.refuse(message, node, "split the expression over several components")
        if (method := _METHODS.get(type(node))) is None:
            raise self.outside(node)
        return method(self, node, depth + 1)

    def constant(self, node: ast.Constant, _depth: int) -> Node:
        value = node.value
        if isinstance(value, str) and not is_text(value):
            self.refuse("the string has a character that is no text", node)
        if isinstance(value, bool | str):
            return Const(value, self.span(node))
        if isinstance(value, int | float):
            return Const(self.computed(node, lambda: checked(value)), self.span(node))
        raise self.outside(node)

    def outside(self, node: ast.expr) -> Fault:
        start, end = span = self.span(node)
        piece = self.text[start:end]
        shown = piece if len(piece) <= 40 else piece[:37] + "..."
        message = f"`{shown}` is not part of the language"
        return Fault("SD120", message, within=span, help=syntax.INSTEAD.get(type(node)))

    def computed(self, node: ast.expr, compute: Callable[[], Scalar]) -> Scalar:
        try:
            return compute()
        except FoldError as error:
            self.refuse(str(error), node, "write the number that is meant")

    def name(self, node: ast.Name, _depth: int) -> Node:
        span = self.span(node)
        if node.id in self.bound:
            return replace(self.bound[node.id], span=span)
        if node.id in ("true", "false"):
            return Const(node.id == "true", span)
        return Name(self.text[slice(*span)], span)

    def list(self, node: ast.List, depth: int) -> Node:
        return self.together([self.node(item, depth) for item in node.elts], self.span(node))

    def together(self, parts: Sequence[Node], span: Span) -> Node:
        """Return values side by side: a list where all are constants, else a stack."""
        constants = [one for one in parts if isinstance(one, Const | Listing)]
        if len(constants) == len(parts):
            return listing(constants, span)
        if len(parts) == 1:
            return bind(FUNCTIONS["expand_dims"], [parts[0], Const(0, span)], {}, span)
        return bind(FUNCTIONS["stack"], parts, {}, span)

    def comprehension(self, node: ast.ListComp, depth: int) -> Node:
        """Return `[f(i) for i in [1, 2]]` written out: a list where all parts are constants, else a stack."""
        loop = node.generators[0]
        if len(node.generators) > 1 or loop.ifs or loop.is_async or not isinstance(loop.target, ast.Name):
            way_out = "write it as `[x[i] for i in [0, 2, 4]]`"
            self.refuse("a comprehension has one name, one list and no condition", node, way_out)
        name, outer = loop.target.id, self.bound
        parts: list[Node] = []
        for value in self.constants(loop.iter, depth):
            self.bound = {**outer, name: value}
            parts.append(self.node(node.elt, depth))
        self.bound = outer
        return self.together(parts, self.span(node))

    def constants(self, node: ast.expr, depth: int) -> Sequence[Const]:
        """Return what a comprehension goes over: a list of constants, or `range` of some."""
        span = self.span(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range":
            ends = [self.node(one, depth) for one in node.args]
            whole = [one.value for one in ends if isinstance(one, Const) and type(one.value) is int]
            if node.keywords or not 1 <= len(whole) == len(ends) <= 3 or whole[2:] == [0]:
                self.refuse(
                    "a comprehension goes over constants", node, "as in `range(5)` or `range(0, 10, 2)`"
                )
            numbers = range(*whole)
            if not 1 <= len(numbers[: MAX_ITEMS + 1]) <= MAX_ITEMS:
                self.refuse(f"a comprehension goes over 1 to {MAX_ITEMS} constants", node)
            return [Const(number, span) for number in numbers]
        found = self.node(node, depth)
        if not isinstance(found, Listing) or found.rows:
            self.refuse("a comprehension goes over constants", node, "as in `[1, 2, 3]` or `range(5)`")
        if len(found.values) > MAX_ITEMS:
            self.refuse(f"a comprehension goes over 1 to {MAX_ITEMS} constants", node)
        return [Const(value, span) for value in found.values]

    def unary(self, node: ast.UnaryOp, depth: int) -> Node:
        operand = self.node(node.operand, depth)
        if isinstance(node.op, ast.Not):
            return Call("not", (operand,), (), self.span(node))
        if not isinstance(node.op, ast.USub):
            self.refuse("this operator is not part of the language", node, syntax.INSTEAD.get(type(node.op)))
        if isinstance(operand, Const) and not isinstance(operand.value, str):
            value = operand.value
            return Const(self.computed(node, lambda: checked(-value)), self.span(node))
        return Call("negative", (operand,), (), self.span(node))

    def binary(self, node: ast.BinOp, depth: int) -> Node:
        name = syntax.BINARY.get(type(node.op))
        if name is None:
            self.refuse("this operator is not part of the language", node, syntax.INSTEAD.get(type(node.op)))
        left, right = self.node(node.left, depth), self.node(node.right, depth)
        if isinstance(left, Const) and isinstance(right, Const):
            one, two = left.value, right.value
            return Const(self.computed(node, lambda: fold(name, one, two)), self.span(node))
        return Call(name, (left, right), (), self.span(node))

    def boolean(self, node: ast.BoolOp, depth: int) -> Node:
        name = "and" if isinstance(node.op, ast.And) else "or"
        return Call(name, tuple(self.node(one, depth) for one in node.values), (), self.span(node))

    def compare(self, node: ast.Compare, depth: int) -> Node:
        sides = [self.node(one, depth) for one in (node.left, *node.comparators)]
        links = [
            self.link(operator, left, right, node)
            for operator, left, right in zip(node.ops, sides, sides[1:], strict=False)
        ]
        return links[0] if len(links) == 1 else Call("and", tuple(links), (), self.span(node))

    def link(self, operator: ast.cmpop, left: Node, right: Node, node: ast.Compare) -> Node:
        name = syntax.COMPARE.get(type(operator))
        if name is None:
            self.refuse("this operator is not part of the language", node, syntax.INSTEAD.get(type(operator)))
        span = left.span[0], right.span[1]
        if name == "in" and isinstance(right, Name) and self.artifacts is not None:
            table = artifact.words(self.artifacts, right.name, right.span)
            found = Call(name, (left,), (("words", table),), span)
        elif name == "in" and (not isinstance(right, Listing) or right.rows):
            raise syntax.no_list(isinstance(left, Const) and isinstance(left.value, str), right.span)
        else:
            found = Call(name, (left, right), (), span)
        return Call("not", (found,), (), span) if isinstance(operator, ast.NotIn) else found

    def attribute(self, node: ast.Attribute, _depth: int) -> Node:
        parts, span = artifact.parts_of(node), self.span(node)
        if not parts or self.artifacts is None:
            raise self.outside(node)
        found = artifact.constants(self.artifacts, parts, span)
        return Listing(found, span) if isinstance(found, tuple) else Const(found, span)

    def choice(self, node: ast.IfExp, depth: int) -> Node:
        parts = (node.test, node.body, node.orelse)
        return Call("where", tuple(self.node(one, depth) for one in parts), (), self.span(node))

    def call(self, node: ast.Call, depth: int) -> Node:
        if not isinstance(node.func, ast.Name):
            way_out = f"write `{node.func.attr}(...)`" if isinstance(node.func, ast.Attribute) else None
            self.refuse("only functions of the language can be called", node.func, way_out)
        name, span = node.func.id, self.span(node)
        if name not in CALLABLE and name not in DTYPE_BYTES:
            raise syntax.no_function(name, (*CALLABLE, *DTYPE_BYTES), self.span(node.func))
        positional = [self.node(one, depth) for one in node.args]
        named = {word.arg: self.node(word.value, depth) for word in node.keywords if word.arg}
        if len(named) < len(node.keywords):
            self.refuse("`**` passes no arguments here", node)
        if name in DTYPE_BYTES:
            positional.append(Const(name, span))
            name = "cast"
        return bind(FUNCTIONS[name], positional, named, span)

    def subscript(self, node: ast.Subscript, depth: int) -> Node:
        inside = node.slice
        named = isinstance(node.value, ast.Name) and node.value.id == "f"
        if named and isinstance(inside, ast.Constant) and isinstance(inside.value, str):
            if not is_text(inside.value):
                self.refuse("the name has a character that is no text", inside)
            return Name(inside.value, self.span(node))
        base = self.node(node.value, depth)
        parts = inside.elts if isinstance(inside, ast.Tuple) else [inside]
        if not parts:
            self.refuse("the brackets are empty", node, "write an index or a slice, such as `x[:10]`")
        if len(parts) > MAX_PARTS:
            self.refuse(f"the brackets have {len(parts)} entries, more than {MAX_PARTS}", node)
        return Index(base, self.parts(parts, node, depth), self.span(node))

    def parts(self, inside: Sequence[ast.expr], node: ast.expr, depth: int) -> tuple[Part, ...]:
        parts = tuple(self.part(one, depth) for one in inside)
        if parts.count(Rest()) > 1:
            self.refuse("`...` stands twice in these brackets", node, "leave one out")
        return parts

    def part(self, node: ast.expr, depth: int) -> Part:
        if isinstance(node, ast.Slice):
            start, stop = (self.node(one, depth) if one else None for one in (node.lower, node.upper))
            return Cut(start, stop, self.step(node.step, depth))
        if isinstance(node, ast.Constant) and (node.value is None or node.value is ...):
            return NewAxis() if node.value is None else Rest()
        return At(self.node(node, depth))

    def step(self, node: ast.expr | None, depth: int) -> int:
        if node is None:
            return 1
        step = self.node(node, depth)
        if not isinstance(step, Const) or type(step.value) is not int or step.value == 0:
            self.refuse("the step of a slice is a constant integer, and not 0", node)
        return step.value


_METHODS: Final[dict[type[ast.expr], Callable[..., Node]]] = {
    ast.Constant: _Translator.constant,
    ast.Name: _Translator.name,
    ast.List: _Translator.list,
    ast.ListComp: _Translator.comprehension,
    ast.UnaryOp: _Translator.unary,
    ast.BinOp: _Translator.binary,
    ast.BoolOp: _Translator.boolean,
    ast.Compare: _Translator.compare,
    ast.IfExp: _Translator.choice,
    ast.Call: _Translator.call,
    ast.Subscript: _Translator.subscript,
    ast.Attribute: _Translator.attribute,
}
