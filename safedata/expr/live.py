"""How many bytes an expression's intermediates take at once, whatever order TensorFlow computes them in.

A value lives from when its operation starts until the last one that reads it has ended, and operations that do not need
each other run in any order, or at the same time. So below a call either everything its arguments are made of may be at
its worst at once, or the arguments wait while the call makes its result; the larger of both is the call's peak.

TensorFlow's elementwise kernels write over an argument that nothing else needs (`forward_input_or_allocate_output`), so
`image / 255 - 0.5` takes its result's bytes once. That is credited only where it is sure: an argument that was computed
has the result's sizes, and stands nowhere else, neither in the expression nor, as far as the caller can tell, in
another one of the same call: TensorFlow would compute it once for both, and neither may write over it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

from safedata.expr.functions import FUNCTIONS
from safedata.expr.tree import At, Call, Const, Index, Listing, Name, Node, children, is_constant, walk
from safedata.memory import add, largest, times
from safedata.types import DTYPE_BYTES

if TYPE_CHECKING:
    from safedata.expr.infer import Types

_PICKED: Final = 128
"""Bytes of a position, the size that it must be below, and the text that shows both where it is not."""


class _Held(NamedTuple):
    """Bytes of a value's own, while it waits for the operation that reads it, and the most that making it takes."""

    waiting: int | None
    peak: int | None


_NOTHING: Final = _Held(0, 0)


class Live:
    """The bytes that intermediates of one tree take."""

    def __init__(self, types: Types, root: Node, *, alone: bool = True) -> None:
        self._types = types
        self._root = root
        self._alone = alone
        self._known: dict[int, _Held] = {}
        self._names: dict[int, int] = {}
        self._interned: dict[object, int] = {}
        self._uses = Counter(use for node in walk(root) for place in self._reads(node) for use in set(place))

    def beside(self) -> int | None:
        """Return a bound on the bytes beside the components and the result; None without one."""
        waiting, peak = self._of(self._root)
        view = isinstance(self._root, Call) and FUNCTIONS[self._root.function].view
        if view or peak is None or waiting is None:
            return peak  # a view's bytes are those of what it shows
        return max(0, peak - waiting)

    def _of(self, node: Node) -> _Held:
        if id(node) not in self._known:
            self._known[id(node)] = self._work_out(node)
        return self._known[id(node)]

    def _work_out(self, node: Node) -> _Held:
        match node:
            case Const() | Listing() | Name():
                return _NOTHING
            case Index():
                return self._index(node)
            case Call():
                return self._call(node)

    def _call(self, node: Call) -> _Held:
        function, result = FUNCTIONS[node.function], self._types.of(node)
        given = [self._given(node, at) for at in range(len(node.args))]
        waiting, before = add(*(one.waiting for one in given)), add(*(one.peak for one in given))
        if function.view:
            return _Held(waiting, before)
        own = result.bytes
        extra = function.extra(self._types.arguments(node), result)
        anew = 0 if self._written_over(node, own, given) else own
        return _Held(own, largest(before, add(waiting, anew, extra)))

    def _given(self, node: Call, at: int) -> _Held:
        """Return what an argument holds, in the dtype that it is cast to."""
        arg, dtype = node.args[at], self._types.casts[id(node)][at]
        held, tensor = self._of(arg), self._types.of(arg)
        if tensor.dtype == dtype or is_constant(arg):
            return held
        count = tensor.elements
        own = None if count is None else count * DTYPE_BYTES[dtype]
        return _Held(own, largest(held.peak, add(held.waiting, own)))

    def _written_over(self, node: Call, own: int | None, given: list[_Held]) -> bool:
        """Return whether the result surely lies where an argument lay."""
        function, dtype = FUNCTIONS[node.function], self._types.of(node).dtype
        if not (self._alone and function.in_place and own) or dtype == "string":
            return False
        if function.fallible(self._types.arguments(node)):  # what tells of bad values reads them too
            return False
        places = [at for at, to in enumerate(self._types.casts[id(node)]) if to == dtype]
        return any(given[at].waiting == own and self._free(node, at) for at in places)

    def _free(self, node: Call, at: int) -> bool:
        """Return whether nothing else needs an argument that has the result's sizes."""
        arg = node.args[at]
        if isinstance(arg, Const | Listing) or self._types.sizes(arg) != self._types.sizes(node):
            return False
        while self._uses[self._reads(node)[at][-1]] == 1:
            if self._types.of(arg).dtype != self._types.casts[id(node)][at]:
                return True  # the cast of it is a value of its own
            if not (isinstance(arg, Call) and FUNCTIONS[arg.function].view):
                return True
            node, at, arg = arg, 0, arg.args[0]
        return False

    def _index(self, node: Index) -> _Held:
        """Return what brackets hold: the result, and what is cut before each element picks its own positions."""
        picks = sum(isinstance(part, At) and not isinstance(part.index, Const) for part in node.parts)
        base = add(times(picks, self._types.of(node.base).bytes), picks * _PICKED)
        given = [self._of(child) for child in children(node)]
        own = self._types.of(node).bytes
        while_cut = add(*(one.waiting for one in given), base, own)
        return _Held(own, largest(add(*(one.peak for one in given)), while_cut))

    def _reads(self, node: Node) -> list[tuple[tuple[int, str], tuple[int, str]]]:
        """Return for each place of a node the value that it needs, and its cast, which may be the same.

        Equal values are computed once for all who read them.
        """
        below = list(children(node))
        own = [self._types.of(child).dtype for child in below]
        casts = self._types.casts[id(node)] if isinstance(node, Call) else own
        names = [self._name(child) for child in below]
        return [((name, dtype), (name, to)) for name, dtype, to in zip(names, own, casts, strict=True)]

    def _name(self, node: Node) -> int:
        """Return a number that is the same for nodes that compute the same."""
        if id(node) not in self._names:
            below = tuple(self._name(child) for child in children(node))
            match node:
                case Call():
                    key: object = (node.function, str(node.static), below)
                case Index():
                    key = ("[]", below)  # cuts that differ count as one, which credits less
                case _:
                    key = node
            self._names[id(node)] = self._interned.setdefault(key, len(self._interned))
        return self._names[id(node)]
