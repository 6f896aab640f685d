"""What the chains of a map take in, and what they hold, by their types."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from safedata.chain import Chain
from safedata.memory import Evidence, add, times, weakest
from safedata.ops import _walk
from safedata.ops.base import Joint
from safedata.problem import Fault, did_you_mean
from safedata.scope import Scope
from safedata.stages._elements import batch_shape
from safedata.types import Element, Stream, Tensor


def entering(chain: Chain, before: Stream) -> tuple[Tensor, ...]:
    """Return the types that a chain without patterns starts from, those of one element."""
    if chain.wrong is not None:
        raise chain.wrong
    for start in chain.starts:
        if start not in before.element:
            way_out = did_you_mean(start, before.visible, what="components")
            at = chain.links[0].path if chain.computed else ()
            raise Fault("SD201", f"there is no component `{start}` here", at, help=way_out)
    found = (before.element[start] for start in chain.starts)
    return tuple(x if x.broken else x.without_leading(before.batch_dims) for x in found)


def types_of(chain: Chain, before: Stream) -> Iterator[tuple[Tensor, ...]]:
    """Yield what enters a chain's operations and what leaves each of them, one element's types.

    Raises:
        Fault: an operation cannot take what comes in.
    """
    chain = chain.spelled(before.visible)
    yield from _walk.types(chain.links, entering(chain, before), before.batch_dims, chain.starts)


def report_refused(chain: Chain, before: Stream, scope: Scope) -> None:
    """Report elements that are known to come and that an operation refuses.

    Under `on_error: skip` they are left out; and behind a step that leaves elements out, they may not come.
    """
    if chain.expression is not None:
        return
    for link, bundle in zip(chain.links, types_of(chain, before), strict=False):
        for x in bundle:
            fault = None if x.broken else link.op.refuses(x)
            if fault is not None:
                scope.fault(_weighed(fault, x, before, scope).under(*link.path))


def _weighed(fault: Fault, x: Tensor, before: Stream, scope: Scope) -> Fault:
    """Return the fault as a warning where the elements are to be left out, or may have been."""
    if scope.on_error == "skip":
        most = f"; more than {scope.max_skipped} of them stop the run" if scope.max_skipped else ""
        return replace(fault, severity="warning", notes=(f"they will be left out{most}",))
    fault = replace(fault, help=f"{fault.help}; or `runtime: {{on_error: skip}}` leaves them out")
    every = sum(count for *_, count in x.encoded.sizes) if x.encoded else 0
    if every and before.cardinality.kind == "exactly" and (before.cardinality.count or 0) >= every:
        return fault
    return replace(fault, severity="warning", notes=("a step before this one may have left them out",))


def tensors_between(chain: Chain, before: Stream) -> list[Tensor]:
    """Return the types of the numbers that one operation of a chain hands to the next, of one element."""
    if chain.expression is not None:
        return []
    try:
        bundles = list(types_of(chain, before))[1:-1]
    except Fault:  # the walk reports it
        return []
    return [x for bundle in bundles for x in bundle if not x.broken and x.dtype != "string"]


def is_idle(chain: Chain, before: Stream) -> bool:
    """Return whether a chain leaves its component the very tensor that it is, such as a cast to the dtype it has."""
    if chain.expression is not None or chain.starts != chain.makes:
        return False
    try:
        bundles = list(types_of(chain, before))
    except Fault:  # the walk reports it
        return False
    return all(link.op.idle(x) for link, xs in zip(chain.links, bundles, strict=False) for x in xs)


def freed_in(chain: Chain, before: Stream) -> list[int]:
    """Return the bytes of numbers that a chain makes and does not hand on; of an expression no more than its result."""
    if chain.expression is None:
        return [x.bytes for x in tensors_between(chain, before) if x.bytes]
    copies = Tensor("bool", batch_shape(before)).elements
    try:
        types = bare(before)
        result = chain.expression.infer(types)
        inside = times(copies, chain.expression.workspace(types))
    except Fault:
        return []
    size = times(copies, result.bytes)
    return [min(inside, size)] if inside and size and result.dtype != "string" else []


def require_order(chain: Chain) -> None:
    """Raise SD216 where a chain gives a result the name that its last operation has for another one."""
    op = chain.links[-1].op if chain.links else None
    if not isinstance(op, Joint):
        return
    crossed = [
        name for name, own in zip(chain.makes, op.names, strict=False) if name != own and name in op.names
    ]
    if crossed:
        own = ", ".join(op.names)
        problem = (
            f"`{op.key()}` makes {own} in this order, and `{chain.title}` gives `{crossed[0]}` to another one"
        )
        raise Fault("SD216", problem, chain.path, help=f"name them in its order: `{own}: [...]`", on_key=True)


def bare(stream: Stream) -> Element:
    """Return the components that an expression can name, as types of one element."""
    return {
        name: tensor if tensor.broken else tensor.without_leading(stream.batch_dims)
        for name, tensor in stream.visible.items()
    }


def chain_bytes(chain: Chain, before: Stream, *, aside: bool = False, alone: bool = False) -> int | None:
    """Return an upper bound in bytes of what one call of a chain holds beside the element; None when unbounded.

    Args:
        chain: the chain.
        before: the elements, or batches, that it gets.
        aside: whether the call is in no function of Python's.
        alone: whether no other chain of the call reads what this one reads.
    """
    copies = Tensor("bool", batch_shape(before)).elements  # 1 where nothing is batched
    try:
        if chain.expression is not None:
            types = bare(before)
            result = chain.expression.infer(types)
            return times(copies, add(chain.expression.workspace(types, alone=alone), result.bytes))
        bundles = list(types_of(chain, before))
    except Fault:
        return None
    if not before.batch_dims:
        return _walk.peak(chain.links, bundles, aside=aside)
    return None if copies is None else _walk.peak(chain.links, bundles, copies, aside=aside)


def chain_evidence(chain: Chain, before: Stream) -> Evidence:
    """Return the weakest evidence of what enters and leaves each operation of a chain."""
    if chain.expression is not None:
        return "exact"  # it reads components of the element, and these count already
    try:
        return weakest(*(tensor.evidence for bundle in types_of(chain, before) for tensor in bundle))
    except Fault:  # the walk reports it
        return "exact"
