"""What operations share that apply other ones: their entries, the types of their chains, and where faults lie."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple, cast

from pydantic import Field, PrivateAttr, WithJsonSchema

from safedata import draws
from safedata.insist import Check, insist
from safedata.lowering import Call
from safedata.memory import add, largest
from safedata.ops import _walk
from safedata.ops._links import Known, Link, Links, Place, parse_links
from safedata.ops.base import Joint, Op
from safedata.problem import Fault, Path
from safedata.types import Tensor

if TYPE_CHECKING:
    from typing_extensions import Self

Entries = Annotated[
    tuple[Any, ...],
    Field(strict=False, min_length=1),
    WithJsonSchema({"type": "array", "minItems": 1, "items": {"x-definition": "operation"}}),
]
"""Entries of a chain, as a map has them."""
Chains = Annotated[
    tuple[Any, ...],
    Field(strict=False, min_length=1),
    WithJsonSchema({"type": "array", "minItems": 1, "items": {"x-definition": "chain"}}),
]
"""Chains, each an operation or a list of them."""


class Entry(NamedTuple):
    """Where a chain stands in the value of the operation that applies it."""

    path: Path
    """Of the list, below the operation's value."""
    listed: Sequence[object]
    first: int = 0
    """The first of them that belongs to the chain; it ends with the last one."""


def several(field: str, chains: Sequence[object]) -> list[Entry]:
    """Return where chains stand that are the entries of a field, each an operation or a list of them."""
    found: list[Entry] = []
    for number, one in enumerate(chains):
        alone = Entry((field,), chains[: number + 1], number)
        found.append(Entry((field, number), cast("list[object]", one)) if isinstance(one, list) else alone)
    return found


class Nested(Op):
    """Applies chains of other operations to one component."""

    random: ClassVar[bool] = True
    fallible: ClassVar[bool] = True
    moves: ClassVar[bool] = True

    _masked: bool = PrivateAttr(default=False)
    """Whether its component is a mask that is linked to an image."""

    _short: bool = PrivateAttr(default=False)
    """Whether its value in the spec is that of the field `main`."""

    def _at(self, entry: Entry) -> Path:
        return entry.path[1:] if self._short else entry.path

    @abstractmethod
    def entries(self) -> list[Entry]:
        """Return where each chain stands."""

    @cached_property
    def chains(self) -> tuple[Links, ...]:
        """The chains, in order."""
        read = [parse_links(one.listed, Known(self._at(one)), one.first) for one in self.entries()]
        return tuple(links for links in read if links is not None)

    @classmethod
    def parse(cls, fields: object, place: Place) -> Self | None:
        """Return the operation that a chain's entry says, or None after its faults, inner ones too, were reported."""
        made = super().parse(fields, place)
        if made is None:
            return None
        made._short = not isinstance(fields, dict)
        read = [parse_links(one.listed, place.at(*made._at(one)), one.first) for one in made.entries()]
        return None if None in read else made

    @property
    def inner(self) -> tuple[Op, ...]:
        """The operations of every chain, theirs included."""
        own = [link.op for links in self.chains for link in links]
        return tuple(one for op in own for one in (op, *op.inner))

    def for_mask(self) -> Op:
        """Return the same operation, whose own ones each do what they do to a mask."""
        made = self.model_copy()
        made._masked = True
        return made

    def check_batch(self, x: Tensor) -> None:
        """Raise SD207 unless all results of a batch have one shape, and every operation takes batches."""
        made = [self.types(number, x, batch_dims=1)[-1] for number in range(len(self.chains))]
        y = self.infer(x)
        for one in made:
            if one.shape != y.shape:
                problem = (
                    f"`{self.key()}` makes elements of {one} and of other shapes, which no batch can hold"
                )
                raise Fault("SD207", problem, help="put this map before `batch`, and `resize` behind it")

    def on_gpu(self, x: Tensor) -> bool:
        """Return whether every operation can run on a GPU for what comes in to it."""
        every = range(len(self.chains))
        steps = [(links, self.types(number, x)) for number, links in zip(every, self.chains, strict=True)]
        return all(
            link.op.on_gpu(entering)
            for links, types in steps
            for link, entering in zip(links, types, strict=False)
        )

    def types(self, number: int, x: Tensor, batch_dims: int = 0) -> list[Tensor]:
        """Return what enters a chain and what leaves each of its operations.

        Raises:
            Fault: one of them cannot take what comes in; `at` is its path below the operation's value.
        """
        links = self._fitting(number, x)
        for link in links:
            if isinstance(link.op, Joint):
                problem = (
                    f"`{link.op.key()}` works on several components, and `{self.key()}` on each by itself"
                )
                raise Fault("SD207", problem, link.path, help=f"put it behind `{self.key()}`")
        return [xs[0] for xs in _walk.types(links, (x,), batch_dims)]

    def _fitting(self, number: int, x: Tensor) -> Links:
        """Return a chain as this component needs it: for a mask only what moves it, and that by nearest pixels."""
        links = self.chains[number]
        if not self._masked:
            return links
        fitting = ((link, _walk.for_kind(link.op, x)) for link in links)
        return tuple(Link(op, link.path) for link, op in fitting if op is not None)

    def peaks(self, x: Tensor, *, batched: bool) -> list[int | None]:
        """Return for each chain what it holds for one element beside `x`, its result included."""
        found: list[int | None] = []
        for number in range(len(self.chains)):
            bundles = [(one,) for one in self.types(number, x)]
            found.append(_walk.peak(self._fitting(number, x), bundles, batched=batched))
        return found

    def beyond(self, x: Tensor, y: Tensor) -> int | None:
        """Return what the one chain that is taken holds at most beside `x` and the result."""
        most, result = largest(*self.peaks(x, batched=False)), y.bytes
        return None if most is None or result is None else max(0, most - result) + 4096

    def batch_workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return what all chains hold, of which a batch takes every one before it chooses."""
        return add(*self.peaks(x, batched=True), y.bytes, 4096)

    def applied(self, number: int, value: Any, call: Call) -> Any:
        """Return what a chain makes of `value`, with draws of its own."""
        bundles = [(one,) for one in self.types(number, call.x)]
        own = replace(call, seed=draws.derive_seed(call.seed, "chain", number))
        return _walk.lower(self._fitting(number, call.x), (value,), bundles, own)[0]


def joined(key: str, y: Tensor, made: Sequence[Tensor], links: Links, other: str) -> Tensor:
    """Return the tightest type for what one chain makes and for `y`, what another way leads to.

    Args:
        key: the operation.
        y: the type of the other way.
        made: what enters the chain and leaves each of its operations.
        links: these operations.
        other: what the other way is, for the message.

    Raises:
        Fault: SD215, the two differ in dtype or rank, at the operation that makes them differ.
    """
    last = made[-1]
    if last.dtype == y.dtype and last.rank == y.rank and last.ragged_rank == y.ragged_rank:
        return last.join(y)
    changed = [link for link, x, z in zip(links, made, made[1:], strict=False) if _form(x) != _form(z)]
    problem = f"`{key}` makes {last} here and {y} {other}: both ways must have one dtype and rank"
    way_out = (
        f"end the chain with `{{cast: {y.dtype}}}`" if last.rank == y.rank else "move what changes it behind"
    )
    if changed and "keep_dtype" in type(changed[-1].op).model_fields and last.rank == y.rank:
        way_out = f"write `keep_dtype: true` in `{changed[-1].op.key()}`"
    raise Fault("SD215", problem, changed[-1].path if changed else (), help=way_out)


def alike(call: Call, values: list[Any], key: str) -> list[Any]:
    """Return batches of which one is chosen element by element, once they are found to have one shape."""
    if call.y.static:
        return values
    tf = call.tf
    shapes = [tf.shape(one) for one in values]
    fine = tf.reduce_all(tf.stack(shapes) == shapes[0])
    check = Check(fine, f"SD207: {key} makes batches of differing shapes; got", _walk.listed(tf, shapes))
    return [insist(tf, values[0], [check], call.where), *values[1:]]


def _form(x: Tensor) -> tuple[str, int, int]:
    return x.dtype, x.rank, x.ragged_rank
