"""A chain's operations one after the other, on one component or on several side by side: types, bytes, graph.

Components that go side by side are linked: each random operation makes one draw for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace as dataclass_replace
from typing import Any

from safedata.insist import Check, insist
from safedata.lowering import Call
from safedata.memory import add, largest, times
from safedata.ops._links import Link, Links
from safedata.ops.base import Joint, Op
from safedata.problem import Fault
from safedata.types import Tensor

Bundle = tuple[Tensor, ...]
"""The types of the components that a chain carries at one point, those of one element."""


def types(links: Links, xs: Bundle, batch_dims: int | None, names: Sequence[str] = ()) -> Iterator[Bundle]:
    """Yield what enters the first operation and what leaves each; stops where a type is not known.

    Args:
        links: the operations.
        xs: what enters, without batch dimensions.
        batch_dims: how many batch dimensions there are beside them; None where operations are known to take them.
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


def _step(op: Op, xs: Bundle, batch_dims: int | None, names: Sequence[str]) -> Bundle:
    if isinstance(op, Joint):
        for x in xs:
            _require_form(op, x, batch_dims)
        if batch_dims is not None:
            op.check_all(xs, batch_dims)
        ys = op.infer_all(xs)
        if not (batch_dims and op.rows):
            return ys
        rows = zip(ys, op.ragged_rows(), strict=True)
        return tuple(_as_rows(op, y, batch_dims) if ragged else y for y, ragged in rows)
    if len(xs) > 1 and op.moves:
        require_sizes(op, xs, names)
    return tuple(_one(op, xs, place, batch_dims, names) for place in range(len(xs)))


def _one(op: Op, xs: Bundle, place: int, batch_dims: int | None, names: Sequence[str]) -> Tensor:
    try:
        one, x = fitting(op, xs, place), xs[place]
        if one is None:
            return x
        _require_form(one, x, batch_dims)
        return _as_rows(one, one.infer(x), batch_dims) if batch_dims and one.rows else one.infer(x)
    except Fault as fault:
        if names and len(xs) > 1:
            fault.notes = (*fault.notes, f"the component is `{names[place]}`, one of those that are linked")
        raise


def _as_rows(op: Op, y: Tensor, batch_dims: int) -> Tensor:
    """Return the type of one element's result where those of a batch are the rows of a ragged component."""
    if batch_dims > 1:
        problem = f"`{op.key()}` takes one element or a batch of them, not a batch of batches"
        raise Fault("SD207", problem, help="put this map before one `batch` of the two")
    return dataclass_replace(y, ragged_rank=1)


def _require_form(op: Op, x: Tensor, batch_dims: int | None) -> None:
    """Raise where an operation is for elements and not for batches, or the other way round, or for dense ones."""
    if batch_dims:
        op.check_batch(x)
    elif batch_dims == 0 and not op.elements:
        problem = f"`{op.key()}` works on a batch, and here is one element"
        raise Fault("SD207", problem, help="put this map behind `batch`")
    if x.ragged_rank and not op.ragged:
        problem = f"`{op.key()}` takes a dense component, not {x}"
        raise Fault("SD203", problem, help="put `to_dense` before it")


def fitting(op: Op, xs: Bundle, place: int) -> Op | None:
    """Return the operation as the component in this place needs it, None where that is left as it is.

    Raises:
        Fault: SD110, boxes and key points are not moved along.
    """
    if len(xs) == 1:
        return op
    x = xs[place]
    if x.kind in ("boxes", "keypoints") and (op.moves or op.colors):
        if op.moves:
            problem = f"`{op.key()}` does not move {x.kind} along in this version"
            way_out = "leave them out of the linked components, and `drop` them where the image moves"
            raise Fault("SD110", problem, help=way_out)
        return None
    op = op.for_place(place, len(xs))
    if x.kind != "mask":
        return op
    return None if op.colors else op.for_mask()


def images(xs: Bundle) -> list[int]:
    """Return the places of those components that are images or masks, [height, width, channels]."""
    return [number for number, x in enumerate(xs) if x.rank == 3 and x.dtype != "string"]


def require_sizes(op: Op, xs: Bundle, names: Sequence[str]) -> None:
    """Raise SD217 where linked images are known to have other heights and widths than the operation takes."""
    found, scales = images(xs), op.scales(len(xs))
    for number in found[1:]:
        pair = (found[0], number)
        if not _apart(xs[pair[0]], xs[number], None if scales is None else (scales[pair[0]], scales[number])):
            continue
        problem = f"`{op.key()}` moves {xs[pair[0]]} and {xs[number]} together, and their sizes differ"
        if scales is None:
            problem = f"{problem} in proportion"
        elif len(set(scales)) > 1:
            problem = f"{problem} from {scales[pair[0]]} to {scales[number]}"
        first, second = (f"`{names[place]}`" if names else "one" for place in pair)
        labels = (f"{first} and {second} are linked",) if names else ()
        way_out = f"bring both to one size first: `{names[number] if names else 'image'}: [{{resize: ...}}]`"
        raise Fault("SD217", problem, notes=labels, help=op.scaled_help(xs) or way_out)


def _apart(x: Tensor, z: Tensor, scales: tuple[int, int] | None) -> bool:
    """Return whether two images can never be of sizes in this proportion, in any one where there is None."""
    if scales is None:
        (height, width), (other, aside) = ((dim.static for dim in one.shape[:2]) for one in (x, z))
        if height is None or width is None or other is None or aside is None:
            return False
        return height * aside != width * other
    return any(
        _never_alike(one.static, other.most, scales)
        or _never_alike(other.static, one.most, (scales[1], scales[0]))
        for one, other in zip(x.shape[:2], z.shape[:2], strict=True)
    )


def _never_alike(exact: int | None, most: int | None, scales: tuple[int, int]) -> bool:
    if exact is None or most is None:
        return False
    return exact * scales[1] > most * scales[0] or exact % scales[0] > 0


def peak(
    links: Links, bundles: Sequence[Bundle], batch: int | None = None, *, aside: bool = False
) -> int | None:
    """Return an upper bound in bytes of what these operations hold beside what enters the first.

    Components that go side by side may be at different operations, so their peaks add up; an operation on several
    waits for all of them. Two neighbours and the workspace between them are alive at once.

    Args:
        links: the operations.
        bundles: what `types` yields for them; unbounded (None) where it stopped short.
        batch: the number of elements, at most, of a batch; None for one element alone.
        aside: whether it is no turn of this call's in operations that run in only some calls at once.
    """
    if len(bundles) <= len(links):
        return None
    most: int | None = 0
    sides: list[int | None] = [0] * len(bundles[0])
    for number, link in enumerate(links):
        xs, ys, op = bundles[number], bundles[number + 1], link.op
        if isinstance(op, Joint):
            space = op.workspace_all(xs, ys) if batch is None else op.batch_workspace_all(xs, ys, batch)
            if aside and op.turns is not None:
                space = op.aside_all(xs, ys, 1 if batch is None else batch)
            here = add(_payload(xs, batch) if number else 0, space, _payload(ys, batch))
            most, sides = largest(most, add(*sides), here), [0] * len(ys)
            continue
        held = [
            _held(fitting(op, xs, place), x, y, not number, batch)
            for place, (x, y) in enumerate(zip(xs, ys, strict=True))
        ]
        sides = [largest(one, other) for one, other in zip(sides, held, strict=True)]
    return largest(most, add(*sides))


def _payload(xs: Bundle, batch: int | None) -> int | None:
    """Return the bytes of one element, or of a batch."""
    return times(1 if batch is None else batch, add(*(x.bytes for x in xs)))


def _held(op: Op | None, x: Tensor, y: Tensor, first: bool, batch: int | None) -> int | None:
    # What enters the first is the element itself, counted once for all chains.
    entering = 0 if first else _payload((x,), batch)
    if op is None or op.idle(x):
        return entering
    made = 0 if op.forwards and not first and x.bytes == y.bytes else _payload((y,), batch)
    space = op.workspace(x, y) if batch is None else op.batch_workspace(x, y, batch)
    return add(entering, space, made)


def off_gpu(links: Links, bundles: Sequence[Bundle]) -> Iterator[tuple[Link, Tensor]]:
    """Yield the operations that no GPU can run, each with what it would have to take; strings are left out."""
    for link, xs in zip(links, bundles, strict=False):
        if isinstance(link.op, Joint):
            if (refused := link.op.off_gpu(xs)) is not None:
                yield link, refused
            continue
        for place, x in enumerate(xs):
            one = fitting(link.op, xs, place)
            if one is None or x.broken or x.dtype == "string" or one.on_gpu(x):
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
    from safedata.said import operation_scope

    agreed: set[tuple[int, ...] | None] = set()
    for number, link in enumerate(links):
        xs, ys, op = bundles[number], bundles[number + 1], link.op
        seed = op.drawn_by(call.seed, sum(one.op.random for one in links[:number]))
        here = dataclass_replace(call, x=xs[0], y=ys[0], seed=seed)
        with call.tf.name_scope(operation_scope(op.key())):
            if isinstance(op, Joint):
                values = op.lower_all(values, here, xs)
                agreed.clear()
                continue
            if op.moves and len(xs) > 1 and (scales := op.scales(len(xs))) not in agreed:
                values = of_sizes(values, xs, here, names, scales)
                agreed.add(scales)
            values = tuple(
                _made(fitting(op, xs, place), value, here.typed(xs[place], ys[place]))
                for place, value in enumerate(values)
            )
    return values


def _made(op: Op | None, value: Any, call: Call) -> Any:
    return value if op is None else op.lower(value, call)


def of_one_size(values: tuple[Any, ...], xs: Bundle, call: Call) -> tuple[Any, ...]:
    """Return the values once linked images are found to have one height and width."""
    return of_sizes(values, xs, call, (), (1,) * len(xs))


def of_sizes(
    values: tuple[Any, ...],
    xs: Bundle,
    call: Call,
    names: Sequence[str],
    scales: tuple[int, ...] | None,
) -> tuple[Any, ...]:
    """Return the values once the sizes of linked images are found to be as `scales`; None for any proportion."""
    tf, found = call.tf, images(xs)
    if len(found) < 2 or all(dim.exact for number in found for dim in xs[number].shape[:2]):
        return values
    sizes = [tf.shape(values[number])[call.batch_dims : call.batch_dims + 2] for number in found]
    who = " and ".join(names[number] for number in found) if len(names) == len(xs) else "linked images"
    long = [tf.cast(one, tf.int64) for one in sizes]
    if scales is None:
        alike = [one[0] * long[0][1] == one[1] * long[0][0] for one in long[1:]]
        law = "sides in one proportion"
    else:
        units = [scales[number] for number in found]
        alike = [
            (one * units[0] == long[0] * unit) & (one % unit == 0)
            for one, unit in zip(long[1:], units[1:], strict=True)
        ]
        alone = len(set(units)) == 1
        law = "one height and one width" if alone else f"sizes as {' : '.join(map(str, units))}"
    fine = tf.reduce_all(tf.stack([tf.reduce_all(one) for one in alike]))
    check = Check(fine, f"SD217: {who} must have {law}; got", listed(tf, sizes))
    first = insist(tf, values[found[0]], [check], call.where)
    return tuple(first if number == found[0] else value for number, value in enumerate(values))


def listed(tf: Any, shapes: Sequence[Any]) -> Any:
    """Return shapes as text, `5 x 4, 6 x 4`: an assertion shows three numbers of a tensor and no more."""
    one_by_one = [tf.strings.reduce_join(tf.strings.as_string(shape), separator=" x ") for shape in shapes]
    return tf.strings.join(one_by_one, ", ")
