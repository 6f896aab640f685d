"""`map`: chains of operations, component by component."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from pydantic import Field

from safedata import draws
from safedata.chain import Chain
from safedata.insist import Where
from safedata.lowering import INDEX, Call, Lowering, Values
from safedata.memory import HOST, Evidence, Hold, add, largest, weakest
from safedata.ops import _walk
from safedata.problem import Fault
from safedata.records import replace
from safedata.scope import Scope
from safedata.stages._chains import (
    bare,
    chain_bytes,
    chain_evidence,
    freed_in,
    is_idle,
    report_refused,
    require_order,
    tensors_between,
    types_of,
)
from safedata.stages._elements import batch_shape
from safedata.stages._fields import Count, Device, gpu_index
from safedata.stages._groups import Group, chains_of, parse_groups
from safedata.stages.base import ElementNode, Parsing, Stage
from safedata.types import BROKEN, Stream, Tensor

if TYPE_CHECKING:
    from typing_extensions import Self

    from safedata.expr import Expression
    from safedata.ops._computed import Formula


class Map(ElementNode, Stage):
    """Apply a chain of operations to each named component of every element.

    All chains of a group read the element as it came in; the element that leaves is the old one with the
    named components replaced or added. A list of groups runs in order. A value that starts with `=` is an
    expression, and `{from: other}` as a chain's first entry starts it from another component.

    `image, mask: [random_flip_left_right]` links components: each random operation makes one draw for all of them,
    and each is treated as its kind asks. A mask keeps its classes (`set_kind: mask` makes one): its pixels are the
    nearest ones, and operations that change an image's values leave it alone. Operations on several components
    start from them, `x: [{from: [a, b]}, concat]`, or make them, `input, target: [{from: tokens}, shift_split]`.
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
        groups = list(parse_groups(value, parsing))
        made = super().parse({}, beside, parsing)
        if made is None or None in groups:
            return None
        return made.model_copy(update={"groups": tuple(groups)})

    @property
    def chains(self) -> Iterator[Chain]:
        """Every chain of every group, in order."""
        for group in cast("tuple[Group, ...]", self.groups):
            yield from chains_of(group)

    @property
    def patterned(self) -> bool:
        """Whether a chain names components by a pattern, or values of some types only are bad for it."""
        return any(chain.patterned or chain.uncertain for chain in self.chains)

    def spelled(self, before: Stream) -> Map:
        """Return the map with the components written out that its patterns stand for, and what is bad for it known."""
        groups: list[Group] = []
        for group, entering in self._entered(before, Scope("", report=_unheard)):
            found = {chain.makes: _settled(chain, entering) for chain in chains_of(group)}
            groups.append({name: found[chain.makes] for name, chain in group.items()})
        same = all(
            one is other
            for old, new in zip(self.groups, groups, strict=True)
            for one, other in zip(old.values(), new.values(), strict=True)
        )
        return self if same else self.model_copy(update={"groups": tuple(groups)})

    @property
    def gpu(self) -> int | None:
        """The number of the GPU that the operations run on, None for the CPU."""
        return gpu_index(self.device)

    @property
    def random(self) -> bool:
        """Whether an operation draws."""
        return any(chain.random for chain in self.chains)

    @property
    def fallible(self) -> bool:
        """Whether an operation may find the data bad; none that a GPU can run does."""
        return self.gpu is None and any(chain.fallible for chain in self.chains)

    def calls(self, scope: Scope) -> int:
        """Return the number of calls at once."""
        if self.gpu is not None:
            return 1
        return scope.cpus if self.parallel == "auto" else self.parallel

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the stream with each chain's component replaced or added."""
        for group in cast("tuple[Group, ...]", self.groups):
            element = dict(before.element)
            for chain in chains_of(group):
                element.update(zip(chain.makes, _infer_chain(chain, before, scope), strict=True))
                if self.gpu is not None:
                    _report_off_gpu(chain, before, scope)
            before = replace(before, element=element, shared=None)
        return before

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return what the chains read, and what passes by."""
        for group in reversed(cast("tuple[Group, ...]", self.groups)):
            reads = frozenset[str]().union(*(chain.reads for chain in chains_of(group)))
            after = (after - frozenset(group)) | reads
        return after

    def call_bytes(self, before: Stream, after: Stream, scope: Scope) -> int | None:
        """Return the largest group: its element, and each chain's two largest neighbours with workspace.

        Chains of a group may run at the same time, so their peaks add up. The element that came in is
        held throughout, beside what earlier groups have made.
        """
        return self._peak(before, scope, alone=True)

    def aside_bytes(self, before: Stream, after: Stream, scope: Scope) -> int | None:
        """Return the same for a call that is in no function of Python's."""
        return self._peak(before, scope, aside=True)

    def turns(self) -> int | None:
        """Return how many calls may be in functions of Python's at once."""
        found = [link.op.turns for chain in self.chains for link in chain.links]
        known = [one for one in found if one is not None]
        return sum(known) if known else None

    def timed(self) -> int:
        """Return how many calls may be in functions of Python's that have a `timeout_s`."""
        return sum(
            op.turns or 1 for chain in self.chains for op in chain.ops if getattr(op, "timeout_s", None)
        )

    def _peak(self, before: Stream, scope: Scope, *, alone: bool = False, aside: bool = False) -> int | None:
        peaks: list[int | None] = []
        silent = replace(scope, report=_unheard)
        reads = Counter(name for chain in self.chains for name in chain.reads)
        own = {name for name, count in reads.items() if alone and count == 1}
        for group, stream in self._entered(before, silent):
            parts = [
                chain_bytes(chain, stream, aside=aside, alone=chain.reads <= own)
                for chain in chains_of(group)
            ]
            peaks.append(add(before.bytes if peaks else 0, stream.bytes, *parts))
        return None if None in peaks else max((peak for peak in peaks if peak is not None), default=None)

    def scratch(self, before: Stream, scope: Scope) -> int | None:
        """Return what operations of all chains leave behind in a thread's arena."""
        from safedata.stages._scratch import chain_scratch

        entered = self._entered(before, replace(scope, report=_unheard))
        return add(*(chain_scratch(chain, stream) for group, stream in entered for chain in chains_of(group)))

    def inside(self, before: Stream, scope: Scope) -> int | None:
        """Return the bytes of the largest tensor between two operations, such as a photo before it is made smaller.

        None of a batch's counts: its operations' copies are counted one by one, and TensorFlow makes fewer.
        """
        if before.batch_dims:
            return 0
        entered = self._entered(before, replace(scope, report=_unheard))
        found = (tensors_between(chain, stream) for group, stream in entered for chain in chains_of(group))
        return largest(0, *(x.bytes for between in found for x in between))

    def makes(self, before: Stream, after: Stream) -> frozenset[str]:
        """Return the names of the components that its chains make, those apart that they hand on as they are."""
        entered = self._entered(before, Scope("", report=_unheard))
        chains = ((chain, stream) for group, stream in entered for chain in chains_of(group))
        made = (name for chain, stream in chains if not is_idle(chain, stream) for name in chain.makes)
        return super().makes(before, after) | (frozenset(made) & frozenset(after.element))

    def freed(self, before: Stream, scope: Scope) -> list[int]:
        """Return the bytes of numeric tensors that a call makes and does not hand on, where they are known."""
        entered = self._entered(before, replace(scope, report=_unheard))
        return [
            size
            for group, stream in entered
            for chain in chains_of(group)
            for size in freed_in(chain, stream)
        ]

    def resident(self) -> Iterator[Hold]:
        """Yield what operations keep for all calls together, such as a table of words."""
        for chain in self.chains:
            if chain.expression is not None and (table := chain.expression.resident) != 0:
                yield Hold(HOST, table, "the words of an artifact")
            for op in chain.ops:
                if (kept := op.resident()) != 0:
                    yield Hold(HOST, kept, f"the table of `{op.key()}`")

    def evidence(self, before: Stream, after: Stream, scope: Scope) -> Evidence:
        """Return the weakest evidence of what enters and leaves each operation."""
        found = [before.weakest, after.weakest]
        for group, stream in self._entered(before, replace(scope, report=_unheard)):
            found += (chain_evidence(chain, stream) for chain in chains_of(group))
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
        from safedata.said import component_scope

        stream = low.before
        scope = Scope("", report=_unheard)
        for number, group in enumerate(cast("tuple[Group, ...]", self.groups)):
            made: Values = {}
            for chain in chains_of(group):
                own = replace(low, seed=draws.derive_seed(low.seed, number, chain.makes[0]))
                with low.tf.name_scope(component_scope(chain.makes[0])):
                    made.update(zip(chain.makes, _apply_chain(chain, values, stream, own), strict=True))
            values = {**values, **made}
            stream = Map.model_construct(groups=(group,)).infer(stream, scope)
        return values


def _settled(chain: Chain, before: Stream) -> Chain:
    """Return a chain with its components written out, which knows whether values may be bad for it."""
    chain = chain.spelled(before.visible)
    try:
        return chain.settled(bare(before))
    except Fault:  # of its types: the walk reports it
        return chain


def _unheard(fault: Fault) -> None:
    """Take a fault that another walk over the types reports."""


def _infer_chain(chain: Chain, before: Stream, scope: Scope) -> tuple[Tensor, ...]:
    try:
        if chain.expression is not None:
            made: tuple[Tensor, ...] = (_infer_expression(chain.expression, before),)
        else:
            *_, made = types_of(chain, before)
            if any(x.broken for x in made):
                return (BROKEN,) * len(chain.makes)
            _require_count(chain, made)
            require_order(chain)
            report_refused(chain, before, scope)
    except Fault as fault:
        scope.fault(fault if fault.at else fault.under(*chain.path))  # operations have put their place on
        return (BROKEN,) * len(chain.makes)
    return tuple(x if x.broken else x.with_leading(*batch_shape(before)) for x in made)


def _require_count(chain: Chain, made: tuple[Tensor, ...]) -> None:
    if len(made) == len(chain.makes):
        return
    problem = f"the chain makes {_counted(len(made))}, and `{chain.title}` names {len(chain.makes)}"
    if len(made) < len(chain.makes):
        way_out = f"name {len(made)}, or leave out what joins them"
    else:
        every = ", ".join([*chain.makes, "other"])
        way_out = f"name all of them, `{every}: [...]`, or join them with `concat` or `stack`"
    raise Fault("SD216", problem, chain.path, help=way_out, on_key=True)


def _counted(number: int) -> str:
    return "1 component" if number == 1 else f"{number} components"


def _report_off_gpu(chain: Chain, before: Stream, scope: Scope) -> None:
    """Report the operations of a chain that no GPU can run; strings are told of where they are carried over."""
    way_out = "put it into a map without `device`, before this one"
    if chain.formula is not None and _may_fail(chain.formula, before):
        problem = f"values may be bad for `{chain.formula.text.strip()}`, and no GPU tells of them"
        scope.fault(Fault("SD211", problem, chain.path, help=way_out))
    if chain.expression is not None and (why := chain.expression.off_gpu) is not None:
        problem = f"`{chain.expression.text.strip()}` {why}, which no GPU can"
        scope.fault(Fault("SD211", problem, chain.path, help=way_out))
    try:
        bundles = list(types_of(chain, before))
    except Fault:  # of its types, which has been reported
        return
    for link, x in _walk.off_gpu(chain.links, bundles):
        problem = f"TensorFlow has no GPU kernel for `{link.op.key()}` on {x}"
        scope.fault(Fault("SD211", problem, link.path, help=way_out))


def _may_fail(formula: Formula, before: Stream) -> bool:
    try:
        return formula.fails(bare(before))
    except Fault:  # of its types, which has been reported
        return False


def _infer_expression(expression: Expression, before: Stream) -> Tensor:
    if before.batch_dims and not expression.batchable:
        problem = f"the results of `{expression.text.strip()}` differ in shape within a batch"
        raise Fault("SD207", problem, help="put this map before `batch`")
    return expression.infer(bare(before))


def _computed(expression: Expression, values: Values, before: Stream, low: Lowering) -> Any:
    from safedata.said import operation_scope

    where = Where(low.tf, "an element", low.origin, values.get(INDEX), before.batch_dims)
    guards = expression.guards(bare(before), where)
    with low.tf.name_scope(operation_scope("expression")):
        return expression.lower(low.tf, expression.given(values), before.batch_dims, low.seed, guards)


def _apply_chain(chain: Chain, values: Values, before: Stream, low: Lowering) -> tuple[Any, ...]:
    if chain.expression is not None:
        return (_computed(chain.expression, values, before, low),)
    chain = chain.spelled(before.visible)
    bundles = list(types_of(chain, before))
    x = bundles[0][0]
    call = Call(low.tf, x, x, before.batch_dims, low.seed, values, low.origin)
    given = tuple(values[start] for start in chain.starts)
    return _walk.lower(chain.links, given, bundles, call, chain.starts)
