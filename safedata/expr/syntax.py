"""Python's tree of a text, its limits, and what each of Python's operators is called here."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Collection
from typing import Final

from safedata.expr.tree import Scalar, Span
from safedata.problem import Fault, did_you_mean

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
    ast.BitXor: "`bitwise_xor(a, b)` is that of bits, `a != b` that of truth values",
    ast.LShift: "write `left_shift(x, n)`",
    ast.RShift: "write `right_shift(x, n)`",
    ast.Is: "write `==`",
    ast.IsNot: "write `!=`",
    ast.UAdd: "leave the `+` out",
    ast.Attribute: 'a component with a dot in its name is `f["a.b"]`; a dot takes a number out of an artifact',
    ast.Tuple: "write a list: `[1, 2]`",
}
OTHERWISE: Final = {
    "int": "write `int64(x)`",
    "float": "write `float32(x)`",
    "str": "write `as_string(x)`",
    "log2": "write `log(x) / log(2)`",
    "log10": "write `log(x) / log(10)`",
    "norm": "write `sqrt(sum(x ** 2))`",
    "count": "`sum(x == 1)` counts where a condition holds",
    "isnan": "write `is_nan(x)`",
    "tan": "write `sin(x) / cos(x)`",
    "power": "write `x ** n`",
}
"""What is said in this language by what functions of that name do elsewhere."""
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


def no_function(name: str, known: Collection[str], span: Span) -> Fault:
    """Return the fault of a function that there is not, with how the language says it, or with names like it."""
    way_out = OTHERWISE.get(name) or did_you_mean(name, known)
    return Fault("SD106", f"there is no function `{name}`", within=span, help=way_out)


def no_list(in_text: bool, span: Span) -> Fault:
    """Return the fault of `in` before what is no list of constants; `in_text` where a text stands before it."""
    way_out = "write the values in brackets, `x in [1, 2]`, or the name of an artifact"
    if in_text:
        way_out = '`regex_full_match(s, ".*part.*")` looks for a part of a text'
    return Fault("SD120", "`in` needs a list of constants", within=span, help=way_out)
