"""The static type of every node of a tree, worked out from the components' types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from safedata.expr import promote
from safedata.expr.brackets import index_type
from safedata.expr.functions import CALLABLE, FUNCTIONS
from safedata.expr.functions.base import Arguments, Function
from safedata.expr.tree import Call, Const, Index, Listing, Name, Node, Scalar
from safedata.problem import Fault, did_you_mean
from safedata.types import Dim, Kind, Tensor, ValueRange

if TYPE_CHECKING:
    from safedata.expr.sizes import Sizes

MAX_RANK: Final = 7
"""TensorFlow's kernels go up to 8 dimensions; one is for the batch."""
_LITERAL: Final = {bool: "bool", int: "int64", float: "float32", str: "string"}
_KEEPS_KIND: Final = ("where", "cast", "clip", "minimum", "maximum", "abs", "round", "floor", "ceil")


class Types:
    """The types of a tree's nodes, and the dtypes that calls cast their arguments to.

    `strict` also refuses integers that provably leave their dtype; while lowering, where the
    ranges of the spec are not at hand, it is off.
    """

    def __init__(self, element: Mapping[str, Tensor], *, strict: bool = True) -> None:
        self.element = element
        self.strict = strict
        self.types: dict[int, Tensor] = {}
        self.casts: dict[int, tuple[str, ...]] = {}
        self._sizes: Sizes | None = None

    def of(self, node: Node) -> Tensor:
        """Return a node's type.

        Raises:
            Fault: SD201, SD203, SD205 or SD208, at the smallest piece of the text.
        """
        if id(node) not in self.types:
            tensor = self._work_out(node)
            if tensor.rank > MAX_RANK and not isinstance(node, Name):
                message = f"the value has {tensor.rank} dimensions, more than {MAX_RANK}"
                raise Fault("SD203", message, within=node.span, help="leave new axes out, or `reshape` it")
            self.types[id(node)] = tensor
        return self.types[id(node)]

    def _work_out(self, node: Node) -> Tensor:
        match node:
            case Const():
                return literal((node.value,), ())
            case Listing():
                return literal(node.values, tuple(map(Dim.exactly, node.sizes)))
            case Name():
                return self._component(node)
            case Call():
                return self._call(node)
            case Index():
                return index_type(node, self.of)

    def _component(self, node: Name) -> Tensor:
        tensor = self.element.get(node.name)
        if tensor is None:
            names = [name for name in self.element if name[:1] != "#"]
            way_out = did_you_mean(node.name, names, what="components")
            message = f"there is no component `{node.name}`"
            raise Fault("SD201", message, within=node.span, help=way_out)
        if tensor.ragged_rank:
            message = f"`{node.name}` is ragged, and an expression takes dense tensors only"
            way_out = "put this `map` before the step that makes it ragged"
            raise Fault("SD208", message, within=node.span, help=way_out)
        return tensor

    def _call(self, node: Call) -> Tensor:
        function = FUNCTIONS[node.function]
        arguments = self.arguments(node)
        self.casts[id(node)], dtype = function.dtype(arguments)
        result = Tensor(dtype, function.shape(arguments), range=function.range(arguments, dtype))
        if dtype == "string":
            result = replace(result, length=function.length(arguments)).of_one(function.text(arguments))
        result = self._within_limits(arguments, result)
        return keep_kind(function, arguments, result) if function.elementwise else result

    def arguments(self, node: Call) -> Arguments:
        """Return the typed arguments of a call."""
        types = tuple(self.of(arg) for arg in node.args)
        return Arguments(
            node.function, node.args, types, dict(node.static), node.span, self.strict, self.sizes
        )

    def sizes(self, node: Node) -> tuple[object, ...]:
        """Return the size of each dimension of a value: a number, or what is equal where the sizes are."""
        if self._sizes is None:
            from safedata.expr.sizes import Sizes  # few expressions have sizes that must go together

            self._sizes = Sizes(self.of)
        return self._sizes.of(node)

    def _within_limits(self, arguments: Arguments, result: Tensor) -> Tensor:
        """Return the result with a range that its dtype holds; an integer that leaves it is an error."""
        known, dtype = result.range, result.dtype
        if known is None or promote.fits(known, dtype):
            return result
        if dtype in promote.FLOAT_MOST:
            inside = max(abs(known.low), abs(known.high)) <= promote.FLOAT_MOST[dtype]
            return result if inside else replace(result, range=None)
        if not self.strict:
            return replace(result, range=None)
        wider = "int64" if dtype != "int64" else "float64"
        message = f"the values can reach {known}, more than `{dtype}` holds"
        way_out = f'cast before computing, as in `cast(x, "{wider}")`'
        raise Fault("SD205", message, within=arguments.span, help=way_out)

    def workspace(self, root: Node, *, alone: bool = True) -> int | None:
        """Return a bound on the bytes of all intermediates beside the components and the root's result.

        Counted are the results of calls and brackets, arguments in the dtype they are cast to, and what a
        lowering holds of its own, as far as they can be there at once; views, literals and components are not.
        """
        from safedata.expr.live import Live  # it reads these types

        self.of(root)
        return Live(self, root, alone=alone).beside()


def literal(values: tuple[Scalar, ...], shape: tuple[Dim, ...]) -> Tensor:
    """Return the type of constants of one kind."""
    dtype = _LITERAL[type(values[0])]
    if dtype == "string":
        sizes = {len(str(value).encode()) for value in values}
        return Tensor(dtype, shape, Dim(max(sizes), len(sizes) == 1))
    if dtype == "bool":
        return Tensor(dtype, shape)
    numbers = [value for value in values if not isinstance(value, str)]
    return Tensor(dtype, shape, range=ValueRange(min(numbers), max(numbers)))


def keep_kind(function: Function, arguments: Arguments, result: Tensor) -> Tensor:
    """Return an elementwise result that is still an image, a mask or boxes where its one source was."""
    sources = [tensor for tensor in arguments.types if tensor.kind and tensor.shape == result.shape]
    kinds: set[Kind | None] = {tensor.kind for tensor in arguments.types if tensor.kind}
    if len(kinds) != 1 or not sources or result.dtype == "string":
        return result
    kind, colors = sources[0].kind, {tensor.color for tensor in sources}
    if kind != "mask" and function.name in CALLABLE and function.name not in _KEEPS_KIND:
        return result
    if kind != "mask" and result.dtype == "bool":
        return result
    return replace(result, kind=kind, color=colors.pop() if len(colors) == 1 else None)


def check_bounded(node: Node, tensor: Tensor) -> None:
    """Refuse a result whose size nothing bounds.

    Raises:
        Fault: SD204, a dimension or the length of its strings has no bound.
    """
    for axis, dim in enumerate(tensor.shape):
        if dim.most is None:
            message = f"nothing bounds dimension {axis} of the result, `{tensor}`"
            way_out = "cut it, as in `x[:1000]`, or bound it in the step before"
            raise Fault("SD204", message, within=node.span, help=way_out)
    if tensor.dtype == "string" and tensor.length.most is None:
        message = f"nothing bounds the bytes of the result, `{tensor}`"
        way_out = "cut it, as in `substr(x, 0, 1000)`, or bound it in the step before"
        raise Fault("SD204", message, within=node.span, help=way_out)
