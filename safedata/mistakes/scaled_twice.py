"""SD623: an image's values divided by 255 a second time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Final

from safedata.expr import Expression
from safedata.expr.infer import Types
from safedata.expr.tree import Call, Const, Node, walk
from safedata.mistakes._chains import typed_groups
from safedata.mistakes.base import Finding, Line, Mistake
from safedata.problem import Fault, Severity
from safedata.stages._chains import bare
from safedata.types import FLOATS, Tensor

_UNITS: Final = 4.0
"""What scaled values, and those that `normalize` makes of them, stay within, on both sides of 0."""
_FLAT: Final = 2
"""Dimensions of an image in gray."""
_BYTES: Final = (254.5, 256.5)
"""Between these a number is 255, or the 256 that some write for it."""


class ScaledTwice(Mistake):
    """An expression divides an image by 255 whose values were scaled before: what comes out is nearly black.

    The operation `rescale` refuses that by its types (SD205); an expression may calculate what it likes.
    """

    code: ClassVar[str] = "SD623"
    severity: ClassVar[Severity] = "error"

    def find(self, line: Line) -> Iterator[Finding]:
        """Yield each expression of a map, or at the start of a chain, that does so."""
        for _, step in line.of("map"):
            for group in typed_groups(step, line.plan):
                types = bare(group.before)
                for name, chain in group.chains.items():
                    formula = chain.formula
                    found = _scaled(formula, types) if isinstance(formula, Expression) else None
                    if found is None:
                        continue
                    yield Finding(
                        step,
                        f"`{name}` is divided by 255, and its values are {found.range} already",
                        "divides what was divided before",
                        "leave the division out here",
                        severity=None if _is_image(found) else "warning",
                    )


def _scaled(expression: Expression, types: Mapping[str, Tensor]) -> Tensor | None:
    """Return the type of an image that a part of the expression divides a second time, None where none does."""
    known = Types(types)
    for part in (divided for node in walk(expression.root) if (divided := _divided(node)) is not None):
        try:
            found = known.of(part)
        except Fault:  # the walk over the types reports it
            continue
        values = found.range
        if _pixels(found) and found.dtype in FLOATS and values and max(-values.low, values.high) <= _UNITS:
            return found
    return None


def _pixels(tensor: Tensor) -> bool:
    """Return whether a component's values may be an image's: its kind says so, or it has none and two dimensions."""
    return tensor.kind == "image" or (tensor.kind is None and tensor.rank >= _FLAT)


def _is_image(tensor: Tensor) -> bool:
    """Return whether a component that may be an image surely is one: height, width, and channels."""
    channels = tensor.shape[-1]
    return tensor.kind == "image" or (tensor.rank > _FLAT and channels.exact and channels.most in (1, 3, 4))


def _divided(node: Node) -> Node | None:
    """Return what a node divides by 255, or multiplies by 1/255; None where it does neither."""
    if not isinstance(node, Call) or node.function not in ("/", "*"):
        return None
    one, two = node.args
    if node.function == "/":
        return one if _is_bytes(two) else None
    return one if _is_bytes(two, inverse=True) else two if _is_bytes(one, inverse=True) else None


def _is_bytes(node: Node, *, inverse: bool = False) -> bool:
    value = node.value if isinstance(node, Const) else None
    if not isinstance(value, (int, float)) or not value:
        return False
    low, high = _BYTES
    return low < (1 / value if inverse else value) < high
