"""The expression language: a closed, typed subset of Python's expressions that is never evaluated by Python.

An expression is parsed into a tree of its own, typed against the components of an element, and
lowered to TensorFlow operations. `docs/reference/expressions.md` is its reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from safedata.expr.failing import failing, uncertain
from safedata.expr.functions import FUNCTIONS, ON_HOST
from safedata.expr.functions.site import Guard
from safedata.expr.infer import Types, check_bounded
from safedata.expr.lower import KEYS, NOTHING, Lowering
from safedata.expr.parse import parse_tree
from safedata.expr.rows import flattened
from safedata.expr.tree import Call, Cut, Index, Name, Node, children, walk
from safedata.insist import Where
from safedata.memory import add
from safedata.problem import Fault
from safedata.records import record, replace
from safedata.types import BROKEN, Tensor

if TYPE_CHECKING:
    from safedata.artifacts import Artifacts, Words

_LONGEST: Final = 60
"""Characters of a piece of an expression in a message."""

__all__ = ["FUNCTIONS", "Expression", "parse"]


def parse(text: str, artifacts: Artifacts | None = None) -> Expression:
    """Return the expression that a text stands for, its leading `=` taken off.

    Args:
        text: the expression.
        artifacts: those of the spec, whose numbers and words it may name.

    Raises:
        Fault: SD120, it cannot be read; SD106, an unknown function; SD107, arguments that a function
            does not take; SD421, SD423 or SD424, an artifact that cannot be used. `within` are the first
            character in question and the one after the last.
    """
    root = parse_tree(text, artifacts)
    names = frozenset(node.name for node in walk(root) if isinstance(node, Name))
    return Expression(text, root, names, uncertain(root))


@record(frozen=True, slots=True)
class Expression:
    """An expression that was read; types are those of one element, without batch dimensions."""

    text: str
    root: Node
    names: frozenset[str]
    """The components that it reads."""
    uncertain: bool
    """Whether values may be bad for it, as far as its text tells: positions, divisors, sizes that must be equal."""

    @property
    def random(self) -> bool:
        """Whether it draws, so that it needs the elements' index and epoch."""
        return any(isinstance(node, Call) and FUNCTIONS[node.function].draws for node in walk(self.root))

    @property
    def on_gpu(self) -> bool:
        """Whether it can run on a GPU."""
        return self.off_gpu is None

    @property
    def off_gpu(self) -> str | None:
        """What it does that no GPU can, None where one can do all of it."""
        if any(self._tables):
            return "looks up an artifact's words"
        if any(isinstance(node, Call) and node.function in ON_HOST for node in walk(self.root)):
            return "makes text, or reads it"
        return "makes parts of differing sizes" if self._one_by_one else None

    @property
    def resident(self) -> int:
        """A bound in bytes on what the artifacts' words take that it looks values up in, for all calls together."""
        from safedata.artifacts.lookup import resident_bytes

        return sum(resident_bytes(words, numbers=True) for words in self._tables)

    @property
    def _tables(self) -> Iterator[Words]:
        """The artifacts' words that `in` looks values up in."""
        for node in walk(self.root):
            if isinstance(node, Call) and node.function == "in" and node.static:
                yield cast("Words", dict(node.static)["words"])

    @property
    def batchable(self) -> bool:
        """Whether the elements of a batch give results of one shape, so that it can follow `batch`.

        A slice whose bounds are read from a component is what prevents it.
        """
        return not _shape_varies(self.root)

    def infer(self, element: Mapping[str, Tensor]) -> Tensor:
        """Return the type of the result: dtype, shape with bounds, and value range where it can be told.

        It is `BROKEN` when a component that it reads is.

        Raises:
            Fault: SD201, an unknown component; SD203, shapes that do not fit; SD204, a result without bound;
                SD205, integers that provably overflow; SD208, types that do not fit.
        """
        if self._broken(element):
            return BROKEN
        element, rows = flattened(self.root, element)
        result = Types(element).of(self.root)
        check_bounded(self.root, result)
        return replace(result, ragged_rank=rows)

    def workspace(self, element: Mapping[str, Tensor], *, alone: bool = True) -> int | None:
        """Return a bound on the bytes of intermediates beside components and result, None without one.

        Args:
            element: the types of the components.
            alone: whether nothing else in its call reads these components, and may need the same intermediates.

        Raises:
            Fault: as `infer` does, but for SD204.
        """
        if self._broken(element):
            return None
        types = Types(flattened(self.root, element)[0])
        inside = types.workspace(self.root, alone=alone)
        # Elements are then computed one by one, and their results stacked at the end.
        return add(inside, types.of(self.root).bytes) if self._one_by_one else inside

    def fails(self, element: Mapping[str, Tensor]) -> bool:
        """Return whether values of these types may be bad for it, so that it fails at run time.

        Raises:
            Fault: as `infer` does, but for SD204.
        """
        return bool(self.failing(element))

    def failing(self, element: Mapping[str, Tensor]) -> frozenset[int]:
        """Return the identities of those of its nodes that values of these types may be bad for.

        Raises:
            Fault: as `infer` does, but for SD204.
        """
        if not self.uncertain or self._broken(element):
            return frozenset()
        return frozenset(id(node) for node in failing(self.root, Types(flattened(self.root, element)[0])))

    def guards(self, element: Mapping[str, Tensor], where: Where) -> dict[int, Guard]:
        """Return what `lower` has to be handed so that it names what is wrong with values, and with which element.

        Args:
            element: the types of the components.
            where: where the element came from.
        """
        found = self.failing(element)
        return {id(node): Guard(where, self._piece(node)) for node in walk(self.root) if id(node) in found}

    def _piece(self, node: Node) -> str:
        piece = " ".join(
            re.sub(r"[\"'\\]", "", self.text[slice(*node.span)]).split()
        )  # TensorFlow escapes these
        return piece if len(piece) <= _LONGEST else f"{piece[: _LONGEST - 3]}..."

    def lower(
        self,
        tf: Any,
        values: Mapping[str, Any],
        batch_dims: int = 0,
        seed: int = 0,
        guards: Mapping[int, Guard] = NOTHING,
    ) -> Any:
        """Return the result as a tensor.

        Args:
            tf: the module `tensorflow`.
            values: the components as dense tensors of known rank, each with `batch_dims` leading dimensions; or one
                that is ragged, where `infer` takes it.
            batch_dims: how many leading dimensions of every value, and of the result, belong to a batch.
            seed: that of its draws, beside the index and the epoch among the values.
            guards: what `guards` returned; without it TensorFlow says what is wrong, in its own words.

        Raises:
            Fault: SD208, a batch where `batchable` is false.
        """
        if batch_dims and not self.batchable:
            message = f"the results of `{self.text.strip()}` differ in shape within a batch"
            way_out = "put this step before `batch`"
            raise Fault("SD208", message, within=self.root.span, help=way_out)
        [name, *_] = [*self.names, ""]
        if isinstance(values.get(name), tf.RaggedTensor):
            flat = {name: values[name].flat_values}
            return values[name].with_flat_values(self.lower(tf, flat, 0, seed, guards))
        if batch_dims and self._one_by_one:
            return self._map(tf, values, batch_dims, seed, guards)
        return Lowering(tf, values, batch_dims, seed, guards).result(self.root)

    def given(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return those of an element's components that it reads, and the key of its draws where it draws."""
        keys = KEYS if self.random else ()
        return {name: value for name, value in values.items() if name in self.names or name in keys}

    @property
    def _one_by_one(self) -> bool:
        """Whether a batch has to be taken apart: some intermediate has another shape for each element."""
        return any(_shape_varies(node) for node in walk(self.root))

    def _map(
        self, tf: Any, values: Mapping[str, Any], batch_dims: int, seed: int, guards: Mapping[int, Guard]
    ) -> Any:
        read = self.given(values)
        types = Lowering(tf, values, batch_dims).types
        result = types.of(self.root)
        leading = next(iter(read.values())).shape.as_list()
        signature = tf.TensorSpec([*leading[1:batch_dims], *result.static_shape], result.dtype)

        def one(part: Mapping[str, Any]) -> Any:
            return self.lower(tf, part, batch_dims - 1, seed, guards)

        found = tf.map_fn(one, read, fn_output_signature=signature)
        found.set_shape([leading[0], *signature.shape])
        return found

    def _broken(self, element: Mapping[str, Tensor]) -> bool:
        known = [element[name] for name in self.names if name in element]
        return len(known) == len(self.names) and any(tensor.broken for tensor in known)


def _shape_varies(node: Node) -> bool:
    """Return whether a result's shape depends on values, and so on the element."""
    if isinstance(node, Call):
        if FUNCTIONS[node.function].settles(dict(node.static)):
            return False
        if FUNCTIONS[node.function].varies and any(_value_varies(arg) for arg in node.args):
            return True
        return any(_shape_varies(arg) for arg in node.args)
    if not isinstance(node, Index):
        return False
    bounds = (
        bound for part in node.parts if isinstance(part, Cut) for bound in (part.start, part.stop) if bound
    )
    return _shape_varies(node.base) or any(_value_varies(bound) for bound in bounds)


def _value_varies(node: Node) -> bool:
    """Return whether a value depends on the element: sizes alone do not, they are one for a batch."""
    if isinstance(node, Name) or (isinstance(node, Call) and FUNCTIONS[node.function].draws):
        return True
    if isinstance(node, Call) and node.function in ("len", "size", "shape", "rank"):
        return any(_shape_varies(arg) for arg in node.args)
    return any(_value_varies(child) for child in children(node))
