"""What operations share that apply other ones: their entries, their chains, and where faults lie."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple, cast

from pydantic import Field, PrivateAttr, WithJsonSchema

from safedata import draws
from safedata.lowering import Call
from safedata.memory import add
from safedata.ops import _walk
from safedata.ops._drawing import Drawing
from safedata.ops._left import left
from safedata.ops._links import Known, Links, Place, parse_links
from safedata.ops._walk import Bundle
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


class Nested(Joint, Drawing):
    """Applies chains of other operations to one component, or to several that are linked."""

    fallible: ClassVar[bool] = True
    moves: ClassVar[bool] = True

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

    def check_all(self, xs: Bundle, batch_dims: int) -> None:
        """Raise SD207 unless every operation takes elements, or batches, of what comes in to it."""
        for links in self.chains:
            walked(links, xs, batch_dims)
            for link in links:
                if batch_dims and link.op.rows:
                    problem = (
                        f"`{link.op.key()}` makes ragged rows of a batch, which `{self.key()}` does not take"
                    )
                    raise Fault("SD207", problem, link.path, help="put this map before `batch`")

    def on_gpu(self, x: Tensor) -> bool:
        """Return whether every operation can run on a GPU for what comes in to it."""
        return self.off_gpu((x,)) is None

    def off_gpu(self, xs: Bundle) -> Tensor | None:
        """Return the first component that an operation has no GPU for, None where all can run there."""
        refused = (one for links in self.chains for one in _walk.off_gpu(links, walked(links, xs)))
        return next((x for _, x in refused), None)

    def peaks(self, xs: Bundle, batch: int | None = None) -> list[int | None]:
        """Return for each chain what it holds for one element, or a batch, beside `xs`, its results included."""
        return [_walk.peak(links, walked(links, xs), batch) for links in self.chains]

    def scratch_all(self, xs: Bundle, ys: Bundle, count: int | None) -> int | None:
        """Return what all chains leave behind: a thread runs one after the other, or now this one and now that."""
        return add(*(left(links, walked(links, xs), count) for links in self.chains))

    def applied(self, number: int, values: tuple[Any, ...], call: Call, xs: Bundle) -> tuple[Any, ...]:
        """Return what a chain makes of `values`, with draws of its own."""
        links = self.chains[number]
        own = replace(call, seed=draws.derive_seed(call.seed, "chain", number))
        return _walk.lower(links, values, walked(links, xs), own)


def walked(links: Links, xs: Bundle, batch_dims: int | None = None) -> list[Bundle]:
    """Return what enters a chain and what leaves each of its operations.

    Raises:
        Fault: one of them cannot take what comes in; `at` is its path below the operation's value.
    """
    return list(_walk.types(links, xs, batch_dims))
