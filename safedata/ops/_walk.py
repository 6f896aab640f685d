"""A chain's operations one after the other, on one component or on several side by side: types, bytes, graph.

Components that go side by side are linked: each random operation makes one draw for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace as dataclass_replace
from typing import Any

from safedata import draws
from safedata.insist import Check, insist
from safedata.lowering import Call
from safedata.memory import add, largest
from safedata.ops._links import Link, Links
from safedata.ops.base import Joint, Op
from safedata.problem import Fault
from safedata.types import Tensor

Bundle = tuple[Tensor, ...]
"""The types of the components that a chain carries at one point, those of one element."""


def types(links: Links, xs: Bundle, batch_dims: int, names: Sequence[str] = ()) -> Iterator[Bundle]:
    """Yield what enters the first operation and what leaves each; stops where a type is not known.

    Args:
        links: the operations.
        xs: what enters, without batch dimensions.
        batch_dims: how many batch dimensions there are beside them.
        names: what messages call the components, for as long as there are as many.

    Raises:
        Fault: an operation cannot take what comes in; `at` starts with its path.
    """
    yield xs
    for link in links:
        if any(x.broken for x in xs):
            return
        try:
            xs = _step(link.op, xs, batch_dims, names if len(names) == len(xs) else ())
        except Fault as fault:
            raise fault.under(*link.path) from None
        yield xs


def _step(op: Op, xs: Bundle, batch_dims: int, names: Sequence[str]) -> Bundle:
    if isinstance(op, Joint):
        for x in xs:
            _require_form(op, x, batch_dims)
        return op.infer_all(xs)
    if len(xs) > 1 and op.moves:
        require_one_size(op, xs, names)
    return tuple(
        _one(op, x, batch_dims, len(xs) > 1, name)
        for x, name in zip(xs, names or ("",) * len(xs), strict=True)
    )


def _one(op: Op, x: Tensor, batch_dims: int, linked: bool, name: str) -> Tensor:
    try:
        fitting = for_kind(op, x) if linked else op
        if fitting is None:
            return x
        _require_form(fitting, x, batch_dims)
        return fitting.infer(x)
    except Fault as fault:
        if name and linked:
            fault.notes = (*fault.notes, f"the component is `{name}`, one of those that are linked")
        raise


def _require_form(op: Op, x: Tensor, batch_dims: int) -> None:
    """Raise where an operation is for elements and not for batches, or the other way round, or for dense ones."""
    if batch_dims:
        op.check_batch(x)
    elif not op.elements:
        problem = f"`{op.key()}` works on a batch, and here is one element"
        raise Fault("SD207", problem, help="put this map behind `batch`")
    if x.ragged_rank and not op.ragged:
        problem = f"`{op.key()}` takes a dense component, not {x}"
        raise Fault("SD203", problem, help="put `to_dense` before it")


def for_kind(op: Op, x: Tensor) -> Op | None:
    """Return the operation as a linked component of this kind needs it, None where it is left as it is.

    Raises:
        Fault: SD110, boxes and key points are not moved along.
    """
    if x.kind in ("boxes", "keypoints") and (op.moves or op.colors):
        if op.moves:
            problem = f"`{op.key()}` does not move {x.kind} along in this version"
            way_out = "leave them out of the linked components, and `drop` them where the image moves"
            raise Fault("SD110", problem, help=way_out)
        return None
    if x.kind != "mask":
        return op
    return None if op.colors else op.for_mask()


def images(xs: Bundle) -> list[int]:
    """Return the places of those components that are images or masks, [height, width, channels]."""
    return [number for number, x in enumerate(xs) if x.rank == 3 and x.dtype != "string"]


def require_one_size(op: Op, xs: Bundle, names: Sequence[str]) -> None:
    """Raise SD217 where linked images are known to differ in height or width."""
    found = images(xs)
    for number in found[1:]:
        for one, other in zip(xs[found[0]].shape[:2], xs[number].shape[:2], strict=True):
            if _never_alike(one.static, other.most) or _never_alike(other.static, one.most):
                first, second = (names[place] if names else "one" for place in (found[0], number))
                problem = (
                    f"`{op.key()}` moves {xs[found[0]]} and {xs[number]} together, and their sizes differ"
                )
                labels = (f"`{first}` and `{second}` are linked",) if names else ()
                way_out = f"bring both to one size first: `{second}: [{{resize: ...}}]`"
                raise Fault("SD217", problem, notes=labels, help=way_out)


def _never_alike(exact: int | None, most: int | None) -> bool:
    return exact is not None and most is not None and exact > most


def peak(links: Links, bundles: Sequence[Bundle], *, batched: bool = False) -> int | None:
    """Return an upper bound in bytes of what these operations hold for one element beside what enters the first.

    Components that go side by side may be at different operations, so their peaks add up; an operation on several
    waits for all of them. Two neighbours and the workspace between them are alive at once.

    Args:
        links: the operations.
        bundles: what `types` yields for them; unbounded (None) where it stopped short.
        batched: whether the element is one of a batch.
    """
    if len(bundles) <= len(links):
        return None
    most: int | None = 0
    sides: list[int | None] = [0] * len(bundles[0])
    for number, link in enumerate(links):
        xs, ys = bundles[number], bundles[number + 1]
        if isinstance(link.op, Joint):
            entering = add(*(x.bytes for x in xs)) if number else 0
            here = add(entering, link.op.workspace_all(xs, ys), *(y.bytes for y in ys))
            most, sides = largest(most, add(*sides), here), [0] * len(ys)
            continue
        held = [_held(link.op, x, y, len(xs) > 1, not number, batched) for x, y in zip(xs, ys, strict=True)]
        sides = [largest(one, other) for one, other in zip(sides, held, strict=True)]
    return largest(most, add(*sides))


def _held(op: Op, x: Tensor, y: Tensor, linked: bool, first: bool, batched: bool) -> int | None:
    entering = (
        0 if first else x.bytes
    )  # what enters the first is the element itself, counted once for all chains
    fitting = for_kind(op, x) if linked else op
    if fitting is None:
        return entering
    made = 0 if fitting.forwards and not first and x.bytes == y.bytes else y.bytes
    space = fitting.batch_workspace(x, y) if batched else fitting.workspace(x, y)
    return add(entering, space, made)


def off_gpu(links: Links, bundles: Sequence[Bundle]) -> Iterator[tuple[Link, Tensor]]:
    """Yield the operations that no GPU can run, each with what it would have to take; strings are left out."""
    for link, xs in zip(links, bundles, strict=False):
        for x in xs:
            fitting = link.op if len(xs) == 1 or isinstance(link.op, Joint) else for_kind(link.op, x)
            if fitting is None or x.broken or x.dtype == "string" or fitting.on_gpu(x):
                continue
            yield link, x
            break


def lower(
    links: Links, values: tuple[Any, ...], bundles: Sequence[Bundle], call: Call, names: Sequence[str] = ()
) -> tuple[Any, ...]:
    """Return the tensors that the operations make of `values`.

    Args:
        links: the operations.
        values: one tensor for each component.
        bundles: what `types` yields for them.
        call: the surroundings; its seed is that of the chain.
        names: what messages call the components.
    """
    agree = False
    for number, link in enumerate(links):
        xs, ys, op = bundles[number], bundles[number + 1], link.op
        seed = draws.derive_seed(call.seed, sum(one.op.random for one in links[:number]), op.key())
        here = dataclass_replace(call, x=xs[0], y=ys[0], seed=seed)
        if isinstance(op, Joint):
            values, agree = op.lower_all(values, here, xs), False
            continue
        if op.moves and len(xs) > 1 and not agree:
            values, agree = of_one_size(values, xs, here, names), True
        values = tuple(
            _made(op, value, here.typed(x, y), len(xs) > 1)
            for value, x, y in zip(values, xs, ys, strict=True)
        )
    return values


def _made(op: Op, value: Any, call: Call, linked: bool) -> Any:
    fitting = for_kind(op, call.x) if linked else op
    return value if fitting is None else fitting.lower(value, call)


def of_one_size(values: tuple[Any, ...], xs: Bundle, call: Call, names: Sequence[str]) -> tuple[Any, ...]:
    """Return the values once linked images are found to have one height and width."""
    tf, found = call.tf, images(xs)
    if len(found) < 2 or all(dim.exact for number in found for dim in xs[number].shape[:2]):
        return values
    sizes = [tf.shape(values[number])[call.batch_dims : call.batch_dims + 2] for number in found]
    alike = tf.reduce_all(tf.stack([tf.reduce_all(one == sizes[0]) for one in sizes[1:]]))
    who = " and ".join(names[number] for number in found) if len(names) == len(xs) else "linked images"
    check = Check(alike, f"SD217: {who} must have one height and one width; got", listed(tf, sizes))
    first = insist(tf, values[found[0]], [check], call.where)
    return tuple(first if number == found[0] else value for number, value in enumerate(values))


def listed(tf: Any, shapes: Sequence[Any]) -> Any:
    """Return shapes as text, `5 x 4, 6 x 4`: an assertion shows three numbers of a tensor and no more."""
    one_by_one = [tf.strings.reduce_join(tf.strings.as_string(shape), separator=" x ") for shape in shapes]
    return tf.strings.join(one_by_one, ", ")
