"""A tree as TensorFlow operations, for one element or for a batch of them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from safedata import draws
from safedata.expr.brackets import expand
from safedata.expr.functions import FUNCTIONS
from safedata.expr.functions.site import Guard, Site, Value, repeat_over_batch
from safedata.expr.infer import Types
from safedata.expr.tree import At, Call, Const, Cut, Index, Listing, Name, NewAxis, Node, Part
from safedata.lowering import EPOCH, INDEX, ROW
from safedata.types import Dim, Tensor

KEYS: Final = (INDEX, EPOCH, ROW)
"""The internal components that a draw follows from."""
NOTHING: Final[Mapping[int, Guard]] = MappingProxyType({})


def element_type(tf: Any, value: Any, batch: int) -> Tensor:
    """Return what TensorFlow knows of one element of a value.

    Raises:
        ValueError: TensorFlow does not know how many dimensions it has.
    """
    if value.shape.rank is None:
        raise ValueError("an expression needs components of known rank")
    dims = tuple(Dim(size, size is not None) for size in value.shape.as_list()[batch:])
    ragged = value.ragged_rank if isinstance(value, tf.RaggedTensor) else 0
    return Tensor(value.dtype.name, dims, ragged_rank=ragged)


class Lowering:
    """Lowers one tree. The types are worked out again from TensorFlow's, so that both agree on every cast."""

    def __init__(
        self,
        tf: Any,
        values: Mapping[str, Any],
        batch: int,
        seed: int = 0,
        guards: Mapping[int, Guard] = NOTHING,
    ) -> None:
        self.tf = tf
        self.guards = guards
        self.seed = seed
        self.drawn = 0
        self.values = values
        self.batch = batch
        element = {name: element_type(tf, value, batch) for name, value in values.items()}
        self.types = Types(element, strict=False)
        self.done: dict[int, Value] = {}

    def result(self, root: Node) -> Any:
        """Return the root's tensor, with the batch dimensions in front."""
        value = self.of(root)
        tensor = value.tensor
        if self.batch and not value.batched:
            if not self.values:
                raise ValueError("a batch of a constant needs a component to take its size from")
            tensor = repeat_over_batch(self.tf, value, self._batch_shape).tensor
        leading: list[int | None] = []
        if self.batch:
            leading = next(iter(self.values.values())).shape.as_list()[: self.batch]
        tensor.set_shape([*leading, *self.types.of(root).static_shape])
        return tensor

    def _batch_shape(self) -> Any:
        """Return the batch dimensions, an int32 vector."""
        return self.tf.shape(next(iter(self.values.values())))[: self.batch]

    def of(self, node: Node) -> Value:
        """Return a node's value; each node is lowered once."""
        if id(node) not in self.done:
            self.types.of(node)
            self.done[id(node)] = self._lower(node)
        return self.done[id(node)]

    def _lower(self, node: Node) -> Value:
        match node:
            case Const() | Listing():
                return self._constant(node, self.types.of(node).dtype)
            case Name():
                return Value(self.values[node.name], self.batch > 0)
            case Call():
                return self._call(node)
            case Index():
                return self._index(node)

    def _draw(self, count: int) -> Any:
        """Return draws for the next call that draws: calls are lowered in the order of the text."""
        self.drawn += 1
        epoch = self.values[EPOCH]
        if ROW in self.values:
            epoch = self.tf.bitwise.bitwise_xor(epoch, self.values[ROW])
        seed = draws.derive_seed(self.seed, self.drawn)
        return draws.uniform(self.tf, seed, epoch, self.values[INDEX], count)

    def _constant(self, node: Const | Listing, dtype: str) -> Value:
        if isinstance(node, Const):
            return Value(self.tf.constant(node.value, dtype), False)
        return Value(self.tf.constant(list(node.values), dtype, node.sizes), False)

    def _call(self, node: Call) -> Value:
        casts = self.types.casts[id(node)]
        site = Site(
            self.tf,
            self.batch,
            tuple(self._cast(arg, dtype) for arg, dtype in zip(node.args, casts, strict=True)),
            tuple(self.types.of(arg) for arg in node.args),
            dict(node.static),
            self.types.of(node),
            self._batch_shape,
            self._draw,
            self.guards.get(id(node)),
        )
        return FUNCTIONS[node.function].lower(site)

    def _cast(self, node: Node, dtype: str) -> Value:
        if isinstance(node, Const | Listing) and _same_kind(node, dtype):
            return self._constant(node, dtype)
        return self._converted(node, dtype)

    def _converted(self, node: Node, dtype: str) -> Value:
        value = self.of(node)
        if value.tensor.dtype.name == dtype:
            return value
        return Value(self.tf.cast(value.tensor, dtype), value.batched)

    def _index(self, node: Index) -> Value:
        base = self.of(node.base)
        parts = expand(node.parts, self.types.of(node.base).rank)
        per_element = [at for at, part in enumerate(parts) if self._is_per_element(part)]
        if per_element:
            base = repeat_over_batch(self.tf, base, self._batch_shape)
        lead = self.batch if base.batched else 0
        whole = self._present(base.tensor, lead, parts, self.guards.get(id(node)))
        items = [slice(None) if at in per_element else self._item(part) for at, part in enumerate(parts)]
        tensor = whole[(slice(None),) * lead + tuple(items)] if items else whole
        for at in reversed(per_element):
            part = parts[at]
            assert isinstance(part, At)
            gone = sum(isinstance(one, At) and i not in per_element for i, one in enumerate(parts[:at]))
            tensor = self._pick(tensor, part.index, lead + at - gone)
        return Value(tensor, base.batched)

    def _present(self, tensor: Any, lead: int, parts: list[Part], guard: Guard | None) -> Any:
        """Return a value in brackets once all positions are found to be there, where one may not be."""
        if guard is None:
            return tensor
        tf = self.tf
        sizes = tf.shape(tensor, out_type=tf.int64)[lead:]
        axis = 0
        for part in parts:
            if isinstance(part, At):
                position, size = tf.cast(self._bound(part.index), tf.int64), sizes[axis]
                fine = (position >= -size) & (position < size)
                shown = tf.strings.join([tf.strings.as_string(position), " of ", tf.strings.as_string(size)])
                tensor = guard.held(tensor, fine, "there is no such position", shown)
            axis += not isinstance(part, NewAxis)
        return tensor

    def _is_per_element(self, part: Any) -> bool:
        return isinstance(part, At) and self.of(part.index).batched

    def _pick(self, tensor: Any, index: Node, axis: int) -> Any:
        """Return the position of an axis that each element of the batch names for itself."""
        tf = self.tf
        position = tf.cast(self.of(index).tensor, tf.int64)
        size = tf.shape(tensor, out_type=tf.int64)[axis]
        position = tf.where(position < 0, position + size, position)
        return tf.gather(tensor, position, axis=axis, batch_dims=self.batch)

    def _item(self, part: Any) -> Any:
        """Return what TensorFlow's brackets take for one part."""
        if isinstance(part, NewAxis):
            return self.tf.newaxis
        if isinstance(part, Cut):
            return slice(self._bound(part.start), self._bound(part.stop), part.step)
        return self._bound(part.index)

    def _bound(self, node: Node | None) -> Any:
        if node is None:
            return None
        if isinstance(node, Const):
            return int(node.value)
        return self.tf.cast(self.of(node).tensor, self.tf.int64)


def _same_kind(node: Const | Listing, dtype: str) -> bool:
    """Return whether TensorFlow makes a constant of a dtype right away: it makes none of a truth value."""
    value = node.value if isinstance(node, Const) else node.values[0]
    return isinstance(value, bool) == (dtype == "bool")
