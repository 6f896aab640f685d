"""Python's tree of a text, its limits, and what each of Python's operators is called here."""

from __future__ import annotations

import ast
import warnings
from typing import Final

from safedata.expr.tree import Scalar, Span
from safedata.problem import Fault

MAX_DEPTH: Final = 100
BINARY: Final[dict[type[ast.operator], str]] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
}
COMPARE: Final[dict[type[ast.cmpop], str]] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "in",
}
INSTEAD: Final[dict[type[ast.AST], str]] = {
    ast.BitAnd: "write `and`",
    ast.BitOr: "write `or`",
    ast.Invert: "write `not`",
    ast.Is: "write `==`",
    ast.IsNot: "write `!=`",
    ast.UAdd: "leave the `+` out",
    ast.Attribute: 'a component with a dot in its name is `f["a.b"]`; a dot takes a number out of an artifact',
    ast.Tuple: "write a list: `[1, 2]`",
}
KINDS: Final[tuple[tuple[type[Scalar], ...], ...]] = ((bool,), (str,), (int,), (int, float))


def python_tree(line: str) -> ast.expr:
    """Return Python's tree; the added brackets let the text begin with a space."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(f"({line})", mode="eval").body
    except SyntaxError as error:
        at = min(max((error.offset or 1) - 2, 0), len(line) - 1)
        raise _unreadable(line, at) from None
    except (RecursionError, MemoryError):
        raise too_deep((0, len(line))) from None
    except ValueError:
        raise Fault("SD120", "the expression cannot be read", within=(0, len(line))) from None


def _unreadable(line: str, at: int) -> Fault:
    piece = line[at:].split(maxsplit=1)
    end = at + len(piece[0]) if piece and not line[at].isspace() else at + 1
    message = f"the expression cannot be read at `{line[at:end].strip() or 'its end'}`"
    return Fault("SD120", message, within=(at, end), help="check the operator, comma or name before it")


def too_deep(span: Span) -> Fault:
    """Return the fault of operators inside of operators, too many."""
    message = f"operators are nested deeper than {MAX_DEPTH}"
    return Fault("SD120", message, within=span, help="split the expression over several components")
