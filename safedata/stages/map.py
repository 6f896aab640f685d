"""`map`: chains of operations, component by component."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from pydantic import Field

from safedata import draws
from safedata.chain import Chain, parse_chain
from safedata.lowering import Call, Lowering, Values
from safedata.memory import Evidence, add, times, weakest
from safedata.problem import Fault, did_you_mean
from safedata.records import replace
from safedata.scope import Scope
from safedata.stages._elements import batch_shape
from safedata.stages._fields import Count, Device, gpu_index
from safedata.stages.base import ElementNode, Parsing, Stage
from safedata.types import BROKEN, Element, Stream, Tensor

if TYPE_CHECKING:
    from typing_extensions import Self

    from safedata.expr import Expression

Group = Mapping[str, Chain]
"""The chains that read one element and run side by side, by the component that each makes."""


class Map(ElementNode, Stage):
    """Apply a chain of operations to each named component of every element.

    All chains of a group read the element as it came in; the element that leaves is the old one with the
    named components replaced or added. A list of groups runs in order. A value that starts with `=` is an
    expression, and `{from: other}` as a chain's first entry starts it from another component.
    """

    example: ClassVar[str] = "map: {image: [decode_image, {resize: [64, 64]}]}"
    knobs: ClassVar[tuple[str, ...]] = ("parallel",)

    groups: Any = Field(default=(), exclude=True)
    device: Device = "cpu"
    """Where the operations run: `cpu`, `gpu`, or `gpu:1` for the second GPU."""
    parallel: Count | Literal["auto"] = "auto"
    """Calls at once; `auto` is one for each CPU, written into the graph as that number. On a GPU it is one."""

    @classmethod
    def parse(cls, value: object, beside: dict[str, object], parsing: Parsing) -> Self | None:
        """Return the map that a step's value says, or None after its faults were reported."""
        groups = list(_parse_groups(value, parsing))
        made = super().parse({}, beside, parsing)
        complete = all(chain is not None for group in groups for chain in group.values())
        if made is None or not complete:
            return None
        return made.model_copy(update={"groups": tuple(groups)})

    @property
    def chains(self) -> Iterator[Chain]:
        """Every chain of every group, in order."""
        for group in cast("tuple[Group, ...]", self.groups):
            yield from group.values()

    @property
    def gpu(self) -> int | None:
        """The number of the GPU that the operations run on, None for the CPU."""
        return gpu_index(self.device)

    @property
    def random(self) -> bool:
        """Whether an operation draws."""
        return any(link.op.random for chain in self.chains for link in chain.links)

    @property
    def fallible(self) -> bool:
        """Whether an operation may find the data bad; none that a GPU can run does."""
        return self.gpu is None and any(link.op.fallible for chain in self.chains for link in chain.links)

    def calls(self, scope: Scope) -> int:
        """Return the number of calls at once."""
        if self.gpu is not None:
            return 1
        return scope.cpus if self.parallel == "auto" else self.parallel

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the stream with each chain's component replaced or added."""
        for group in cast("tuple[Group, ...]", self.groups):
            element = dict(before.element)
            for name, chain in group.items():
                element[name] = _infer_chain(chain, before, scope)
                if self.gpu is not None:
                    _report_off_gpu(chain, before, scope)
            before = replace(before, element=element, shared=None)
        return before

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return what the chains read, and what passes by."""
        for group in reversed(cast("tuple[Group, ...]", self.groups)):
            reads = frozenset[str]().union(*(chain.reads for chain in group.values()))
            after = (after - frozenset(group)) | reads
        return after

    def call_bytes(self, before: Stream, after: Stream, scope: Scope) -> int | None:
        """Return the largest group: its element, and each chain's two largest neighbours with workspace.

        Chains of a group may run at the same time, so their peaks add up. The element that came in is
        held throughout, beside what earlier groups have made.
        """
        peaks: list[int | None] = []
        silent = replace(scope, report=_unheard)
        for group, stream in self._entered(before, silent):
            parts = [_chain_bytes(chain, stream, silent) for chain in group.values()]
            peaks.append(add(before.bytes if peaks else 0, stream.bytes, *parts))
        return None if None in peaks else max((peak for peak in peaks if peak is not None), default=None)

    def evidence(self, before: Stream, after: Stream, scope: Scope) -> Evidence:
        """Return the weakest evidence of what enters and leaves each operation."""
        found = [before.weakest, after.weakest]
        for group, stream in self._entered(before, replace(scope, report=_unheard)):
            found += (_chain_evidence(chain, stream) for chain in group.values())
        return weakest(*found)

    def _entered(self, before: Stream, scope: Scope) -> Iterator[tuple[Group, Stream]]:
        """Yield each group with what enters it; what leaves the last is not worked out."""
        done: Group | None = None
        for group in cast("tuple[Group, ...]", self.groups):
            if done is not None:
                before = Map.model_construct(groups=(done,)).infer(before, scope)
            yield group, before
            done = group

    def apply(self, values: Values, low: Lowering) -> Values:
        """Return the element with every chain applied."""
        stream = low.before
        scope = Scope("", report=_unheard)
        for number, group in enumerate(cast("tuple[Group, ...]", self.groups)):
            made = {
                name: _apply_chain(
                    chain, values, stream, replace(low, seed=draws.derive_seed(low.seed, number, name))
                )
                for name, chain in group.items()
            }
            values = {**values, **made}
            stream = Map.model_construct(groups=(group,)).infer(stream, scope)
        return values


def _unheard(fault: Fault) -> None:
    """Take a fault that another walk over the types reports."""


def _parse_groups(value: object, parsing: Parsing) -> Iterator[dict[str, Chain | None]]:
    many = isinstance(value, list) and value != []
    listed = cast("list[object]", value if many else [value])
    for number, group in enumerate(listed):
        here = parsing.at(number) if many else parsing
        if not isinstance(group, dict) or not group:
            way_out = "write `map: {image: [decode_image]}`"
            here.fault(Fault("SD105", "`map` takes components with a chain of operations each", help=way_out))
            yield {"": None}
            continue
        yield {
            name: parse_chain(name, chain, here.at(name))
            for name, chain in cast("dict[str, object]", group).items()
        }


def _source_type(chain: Chain, before: Stream) -> Tensor:
    if chain.start not in before.element:
        raise Fault(
            "SD201",
            f"there is no component `{chain.start}` here",
            help=did_you_mean(chain.start, before.visible, what="components"),
        )
    return before.element[chain.start].without_leading(before.batch_dims)


def _types(chain: Chain, before: Stream) -> Iterator[Tensor]:
    """Yield what enters the chain and what leaves each of its operations, one element's types."""
    x = _source_type(chain, before)
    yield x
    for link in chain.links:
        if x.broken:
            return
        try:
            if before.batch_dims and not link.op.batches:
                way_out = "put this map before `batch`"
                raise Fault("SD207", f"`{link.op.key()}` takes one element, not a batch", help=way_out)
            if x.ragged_rank and not link.op.ragged:
                problem = f"`{link.op.key()}` takes a dense component, not {x}"
                raise Fault("SD203", problem, help="put `to_dense` before it")
            x = link.op.infer(x)
        except Fault as fault:
            raise fault.under(*link.path) from None
        yield x


def _infer_chain(chain: Chain, before: Stream, scope: Scope) -> Tensor:
    try:
        if chain.expression is not None:
            last = _infer_expression(chain.expression, before)
            return last if last.broken else last.with_leading(*batch_shape(before))
        *_, last = _types(chain, before)
    except Fault as fault:
        scope.fault(fault if fault.at else fault.under(*chain.path))  # operations have put their place on
        return BROKEN
    return last if last.broken else last.with_leading(*batch_shape(before))


def _report_off_gpu(chain: Chain, before: Stream, scope: Scope) -> None:
    """Report the operations of a chain that no GPU can run; strings are told of where they are carried over."""
    way_out = "put it into a map without `device`, before this one"
    if chain.expression is not None and not chain.expression.on_gpu:
        problem = f"`{chain.expression.text.strip()}` makes text or parts of differing sizes: no GPU can"
        scope.fault(Fault("SD211", problem, chain.path, help=way_out))
    try:
        for link, x in zip(chain.links, _types(chain, before), strict=False):
            if not x.broken and x.dtype != "string" and not link.op.on_gpu(x):
                problem = f"TensorFlow has no GPU kernel for `{link.op.key()}` on {x}"
                scope.fault(Fault("SD211", problem, link.path, help=way_out))
    except Fault:  # of its types, which has been reported
        return


def _infer_expression(expression: Expression, before: Stream) -> Tensor:
    if before.batch_dims and not expression.batchable:
        problem = f"the results of `{expression.text.strip()}` differ in shape within a batch"
        raise Fault("SD207", problem, help="put this map before `batch`")
    return expression.infer(_bare(before))


def _bare(stream: Stream) -> Element:
    """Return the components that an expression can name, as types of one element."""
    return {
        name: tensor if tensor.broken else tensor.without_leading(stream.batch_dims)
        for name, tensor in stream.visible.items()
    }


def _chain_bytes(chain: Chain, before: Stream, scope: Scope) -> int | None:
    copies = _copies(before)
    try:
        if chain.expression is not None:
            bare = _bare(before)
            result = chain.expression.infer(bare)
            return times(copies, add(chain.expression.workspace(bare), result.bytes))
        types = list(_types(chain, before))
    except Fault:
        return None
    peak: int | None = 0
    if len(types) <= len(chain.links):
        return None
    for number, link in enumerate(chain.links):
        x, y = types[number], types[number + 1]
        entering = x.bytes if number else 0  # the first is the element itself, counted once for all chains
        made = y.bytes
        if number and link.op.forwards and x.bytes == made:
            made = 0
        here = add(entering, link.op.workspace(x, y), made)
        peak = None if peak is None or here is None else max(peak, here)
    return times(copies, peak)


def _chain_evidence(chain: Chain, before: Stream) -> Evidence:
    if chain.expression is not None:
        return "exact"  # it reads components of the element, and these count already
    try:
        return weakest(*(tensor.evidence for tensor in _types(chain, before)))
    except Fault:  # the walk reports it
        return "exact"


def _copies(stream: Stream) -> int | None:
    """Return how many elements a batch has at most: 1 where nothing is batched."""
    return Tensor("bool", batch_shape(stream)).elements


def _apply_chain(chain: Chain, values: Values, before: Stream, low: Lowering) -> Any:
    if chain.expression is not None:
        read = {name: values[name] for name in chain.reads}
        return chain.expression.lower(low.tf, read, before.batch_dims)
    x = values[chain.start]
    types = list(_types(chain, before))
    for number, link in enumerate(chain.links):
        call = Call(
            low.tf,
            types[number],
            types[number + 1],
            before.batch_dims,
            draws.derive_seed(low.seed, sum(one.op.random for one in chain.links[:number]), link.op.key()),
            values,
            low.origin,
        )
        x = link.op.lower(x, call)
    return x
