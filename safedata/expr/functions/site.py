"""A call of a function while it becomes TensorFlow's operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from safedata.expr.tree import Static
from safedata.insist import Check, Where, first_bad, insist
from safedata.types import Tensor


class Value(NamedTuple):
    """A tensor while lowering: `batched` when its first dimensions are those of the batch."""

    tensor: Any
    batched: bool


class Guard(NamedTuple):
    """What is said where values turn out to be bad at run time."""

    where: Where
    """Where the element came from."""
    text: str
    """The piece of the expression."""

    def held(self, value: Any, fine: Any, what: str, found: Any = None) -> Any:
        """Return a tensor, once `fine` is true in all its places.

        Args:
            value: the tensor.
            fine: bool, of any shape.
            what: what is bad where it is not.
            found: text, or a tensor of the shape of `fine`, that shows it.

        Raises at run time (`tf.errors.InvalidArgumentError`) what is bad, with SD404, the piece
        and the element's place.
        """
        tf = self.where.tf
        if found is not None and fine.shape.rank != 0 and found.shape.rank != 0:
            found = first_bad(tf, found, fine)
        message = f"SD404: {self.text}: {what}" + ("; got" if found is not None else "")
        return insist(tf, value, [Check(tf.reduce_all(fine), message, found)], self.where)


class Site(NamedTuple):
    """One call while lowering: arguments cast to the dtypes that the dtype rule asked for."""

    tf: Any
    batch: int
    """How many leading dimensions batched values have."""
    args: tuple[Value, ...]
    types: tuple[Tensor, ...]
    static: dict[str, Static]
    result: Tensor
    batch_shape: Callable[[], Any]
    draw: Callable[[int], Any]
    """Returns so many draws in [0, 1) of this call's own for each element: float32 [batch..., count]."""
    guard: Guard | None = None
    """Where the call can find values bad: what tells of it."""

    def held(self, value: Any, fine: Callable[[Any], Any], what: str) -> Any:
        """Return a tensor, once nothing bad was found in it where the call can find values bad.

        Args:
            value: the tensor.
            fine: makes of it a bool of its shape, true where nothing is bad.
            what: what is bad otherwise; the first such value is shown.
        """
        return value if self.guard is None else self.guard.held(value, fine(value), what, value)

    def alike(self, value: Any, one: Any, two: Any) -> Any:
        """Return a tensor, once two vectors of sizes are found to be equal where the call can find them not to be."""
        if self.guard is None:
            return value
        what = "these sizes must be equal"
        return self.guard.held(value, self.tf.reduce_all(one == two), what, listed(self.tf, one, two))

    def lead(self, index: int = 0) -> int:
        """Return how many leading dimensions of an argument belong to the batch."""
        return self.batch if self.args[index].batched else 0

    def full(self, index: int) -> Any:
        """Return an argument with its batch dimensions, repeated where it had none."""
        return repeat_over_batch(self.tf, self.args[index], self.batch_shape).tensor

    @property
    def batched(self) -> bool:
        """Whether any argument is batched, and so the result."""
        return any(value.batched for value in self.args)

    def aligned(self) -> list[Any]:
        """Return the arguments with ranks that broadcast per element, not across the batch."""
        most = max(tensor.rank for tensor in self.types)
        return [self._aligned(index, most) for index in range(len(self.args))]

    def _aligned(self, index: int, rank: int) -> Any:
        tensor = self.args[index].tensor
        if self.args[index].batched:
            for _ in range(rank - self.types[index].rank):
                tensor = self.tf.expand_dims(tensor, self.batch)
        return tensor


def repeat_over_batch(tf: Any, value: Value, batch_shape: Callable[[], Any]) -> Value:
    """Return a value that every element of the batch has a copy of."""
    if value.batched:
        return value
    shape = tf.concat([batch_shape(), tf.shape(value.tensor)], 0)
    return Value(tf.broadcast_to(value.tensor, shape), True)


LowerRule = Callable[[Site], Value]


def named(path: str) -> LowerRule:
    """Return the lowering to one of TensorFlow's own functions, `math.floordiv` say, value by value."""

    def compute(tf: Any, *tensors: Any) -> Any:
        for part in path.split("."):
            tf = getattr(tf, part)
        return tf(*tensors)

    return elementwise(compute)


def elementwise(compute: Callable[..., Any]) -> LowerRule:
    """Return the lowering `compute(tf, *tensors)` for arguments that broadcast."""

    def lower(site: Site) -> Value:
        return Value(compute(site.tf, *even(site)), site.batched)

    return lower


def even(site: Site) -> list[Any]:
    """Return the arguments, aligned, once their sizes are found to broadcast where their types do not tell."""
    tf, tensors = site.tf, site.aligned()
    for number, (tensor, one) in enumerate(zip(tensors, site.types, strict=True)):
        for other, two in zip(tensors[:number], site.types[:number], strict=True):
            rank = min(one.rank, two.rank)
            if site.guard is None or _broadcasts(one, two):
                continue
            first, second = (tf.shape(value)[-rank:] for value in (other, tensor))
            fine = (first == second) | (first == 1) | (second == 1)
            what = "these sizes must be equal, or 1"
            shown = listed(tf, first, second)
            tensors[number] = site.guard.held(tensors[number], tf.reduce_all(fine), what, shown)
    return tensors


def listed(tf: Any, *sizes: Any) -> Any:
    """Return vectors of sizes as text, `2, 3 and 2, 4`: an assertion shows three numbers and no more."""
    every = [tf.strings.reduce_join(tf.strings.as_string(one), separator=", ") for one in sizes]
    return tf.strings.join(every, " and ")


def _broadcasts(one: Tensor, two: Tensor) -> bool:
    """Return whether two values broadcast whatever sizes their unknown dimensions have."""
    pairs = zip(reversed(one.shape), reversed(two.shape), strict=False)
    return all(1 in (a.static, b.static) or (a.exact and b.exact) for a, b in pairs)
