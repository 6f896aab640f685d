"""What the allocator keeps beside the live bytes of a plan: holes, free ends, what earlier epochs left.

`safedata.allocator` knows how the allocators behave; here it is asked about the steps of a plan.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from safedata import allocator
from safedata.apart import Apart, apart
from safedata.held.objects import objects
from safedata.holes import beside_cached, between_elements, between_texts
from safedata.memory import HOST, add, largest, times
from safedata.scope import COMPONENT_BYTES, Scope
from safedata.sources.base import Root
from safedata.stages._elements import batch_shape, component_bytes, largest_of, slot_bytes
from safedata.stages.base import ElementNode
from safedata.types import Element, Stream, Tensor
from safedata.walk import PlannedStep

if TYPE_CHECKING:
    from safedata.plan import Plan

_ROUNDS: Final = 10
"""How often an epoch of nobody knows how many elements may fill a buffer, for what is laid beside its elements. Small
ones count whole long before; beside large ones nothing was found: 60,000 records of 100 kB an epoch through a shuffle
of 500 took 70 to 74 MiB in four epochs, as 2,000 an epoch did; 91 are counted."""


def allocator_share(plan: Plan, live: int | None) -> int | None:
    """Return a bound on what the allocator keeps beside the live bytes of the steps; None where these are unknown.

    A cache lays its elements down in the room that other blocks left, for good, and the pool hands out a piece of
    less than twice the size asked for whole.
    """
    if live is None:
        return None
    own = apart(plan.steps, plan.result.bytes)
    elements = _blocks(plan, own)
    widest = max((size for sizes in elements for size in sizes), default=0)
    code = sum(step.node.code for step in plan.steps if isinstance(step.node, Root))
    heap, inside, lost = _heap(plan), _inside_calls(plan, widest), add(*_unsplit(plan, elements))
    if heap is None or inside is None or lost is None or own.bytes is None:
        return None
    asked = allocator.Asked(
        room=allocator.room(elements),
        calls=inside,
        loose=allocator.unruly(elements, _calls_before_fill(plan)),
        largest=widest,
        heap=heap - code,
        objects=objects(plan.steps, plan.scope),
        lost=lost,
        later=_laid_later(plan),
        parallel=any(step.calls > 1 for step in plan.steps if not isinstance(step.node, Root)),
        steady=_steady(plan),
        single=_single(plan, widest),
        result=_widest(plan.result) if plan.result.place == HOST else 0,
    )
    share = allocator.share(live - code - own.bytes, asked, pooled=plan.scope.pooled)
    holes = add(between_elements(plan.steps, plan.scope), beside_cached(plan.steps, plan.scope))
    return add(share, _left(plan), _scattered_texts(plan), holes)


def _unsplit(plan: Plan, elements: list[list[int]]) -> Iterator[int | None]:
    """Yield what the pool adds to the pieces that a memory cache keeps; None where nobody knows how many."""
    blocks = sorted({size for sizes in elements for size in sizes})
    for step in plan.steps:
        if step.before is None or not _in_memory(step):
            continue
        most = step.before.cardinality.most
        for name, size in _sizes_of(step.before):
            if plan.scope.pooled or size >= allocator.ALWAYS_POOLED:
                every = largest_of(name, step.before, most, attrgetter("bytes"))
                yield None if every is None else int(allocator.unsplit(size, blocks) * every)


def _in_memory(step: PlannedStep) -> bool:
    """Return whether a step is a cache in memory."""
    return not isinstance(step.node, Root) and step.node.freezes and bool(step.holds)


def _laid_later(plan: Plan) -> int:
    """Return how many bytes a memory cache takes at least after the first result has left: what nothing asked for yet.

    Behind a cache of 3,000 elements with a shuffle of 800 and a few batches some 2,000 of them. 0 where nobody knows.
    """
    later = 0
    for number, step in enumerate(plan.steps):
        if step.before is None or not _in_memory(step):
            continue
        count, kept = step.before.cardinality.most, add(*(hold.bytes for hold in step.holds))
        passed = add(*(_elements_in(one, plan.scope) for one in plan.steps[number + 1 :]), _rows(plan.result))
        if count and kept is not None and passed is not None:
            later += kept * max(0, count - passed) // count
    return later


def _elements_in(step: PlannedStep, scope: Scope) -> int | None:
    """Return how many unbatched elements a step holds at most, that in the making included.

    None for one that may leave elements out, so that more than it holds have come before the first one leaves.
    """
    if step.before is None or isinstance(step.node, Root) or scope.on_error == "skip":
        return None
    node = step.node
    if not (isinstance(node, ElementNode) or node.fills or node.takes or node.orderly(step.before)):
        return None
    holds = [hold for hold in step.holds if hold.place == HOST]
    size, rows = slot_bytes(step.before, scope), _rows(step.before)
    if isinstance(step.node, ElementNode):
        return times(step.calls, rows)
    made = _rows(step.after) if step.node.fills else 0
    taken = holds[:-1] if step.node.fills else holds
    held = add(*(hold.bytes for hold in taken))
    if size is None or held is None or rows is None or made is None:
        return None
    return max(-(-held // size), sum(hold.uneven for hold in taken)) * rows + made


def _rows(stream: Stream) -> int | None:
    """Return how many unbatched elements are in one of a stream's, at most."""
    rows = 1
    for dim in batch_shape(stream):
        if dim.most is None:
            return None
        rows *= dim.most
    return rows


def _scattered_texts(plan: Plan) -> int | None:
    """Return what the texts of the element that the consumer keeps may leave unused of the pages that they lie in.

    They settle where shorter-lived ones were freed, and in the pages around them the next epoch's find no room of their
    size. Measured where epochs were broken off: batches of 400,000 texts, 192 MiB alive, 240 MiB, with 72 in the batch;
    pieces of 200,000 texts, 184 alive, 237, with 36 in a piece.
    """
    if plan.result.place != HOST:
        return 0
    texts = (tensor for tensor in plan.result.element.values() if tensor.dtype == "string")
    found = add(*(component_bytes(one, plan.result.batch_dims) for one in texts))
    return found if found is None else min(found, plan.result.together or found)


def _steady(plan: Plan) -> bool:
    """Return whether each element takes the very room that one before it left.

    So it is where one thread makes them all, of one size, and stacks them once; numbers beside them do not matter.
    Large ones that are stacked find no place in the small regions, and lie among batches: with 52 of 1.1 MiB, 181 MiB
    alive, it was 252 where epochs were broken off.
    """
    stacked, element = 0, plan.source.after.element
    for step in plan.steps:
        if isinstance(step.node, Root):
            if step is not plan.source:
                return False
            continue
        if step.before is None or not step.node.orderly(step.before) or (step.node.ahead and not stacked):
            return False
        stacked += step.node.fills
        if step.node.fills and allocator.LARGE <= _widest(step.before) < _widest(step.after):
            return False
    numbers = [one for one in element.values() if one.dtype != "string" and not one.broken]
    if stacked != 1 or not all(one.static and not one.ragged_rank for one in numbers):
        return False
    return sum(one.bytes is None or one.bytes > allocator.LEAST for one in numbers) <= 1


def _single(plan: Plan, widest: int) -> bool:
    """Return whether the largest tensors are there one at a time: a thread stacks them, and takes them apart again."""
    for number, step in enumerate(plan.steps):
        if isinstance(step.node, Root):
            if step is not plan.source:
                return False
        elif step.before is None or step.node.ahead or not step.node.orderly(step.before):
            return False
        elif _widest(step.after) == widest:
            behind = [
                one.node for one in plan.steps[number + 1 : number + 2] if not isinstance(one.node, Root)
            ]
            return any(node.unstacks for node in behind)
    return False


def _heap(plan: Plan) -> int | None:
    """Return the bytes in glibc's heap for certain: a source's own, small elements that a step keeps, scratch."""
    kept = (
        hold.bytes
        for step in plan.steps
        if step.holds and (isinstance(step.node, Root) or not (plan.scope.pooled or _enlarges(step)))
        for hold in step.holds
        if hold.place == HOST
    )
    return add(*kept, *(_scratch(step, plan.scope) for step in plan.steps))


def _scratch(step: PlannedStep, scope: Scope) -> int | None:
    """Return what a step's calls take from `malloc` themselves, and leave in the threads that they ran in."""
    if isinstance(step.node, Root) or step.before is None or step.before.place != HOST:
        return 0
    left = step.node.scratch(step.before, scope)
    if left == 0:
        return 0
    from safedata.stages._scratch import left_behind

    turns = step.node.turns() if isinstance(step.node, ElementNode) else None
    at_once = min(step.calls, max(1, scope.cpus), turns or step.calls)
    behind = left_behind(left, at_once, scope, step.before.weakest)
    return add(times(at_once, left), *(hold.bytes for hold in behind))


def _calls_before_fill(plan: Plan) -> int:
    """Return how many steps with parallel calls make elements that a later step puts together."""
    found, filled = 0, 0
    for step in plan.steps:
        if isinstance(step.node, Root):
            continue
        if step.node.fills:
            filled = found
        found += step.calls > 1
    return filled


def _inside_calls(plan: Plan, handed: int) -> int | None:
    """Return what may be taken anew for the tensors that calls make and do not hand on, such as a whole photo.

    What is handed on settles in the room of these, which is then in the way of the next one: once, and a quarter more
    where calls run at once and what is handed on is not small beside them. Measured: 12 megapixels made smaller by two
    calls, 34 MiB of pixels each, 124 MiB counted without such room: 161 in processes whose threads stood still at
    random, 141 elsewhere, with batches of 4.6 MiB; with batches of 1.1 MiB 122 of 112.

    Args:
        plan: the plan.
        handed: bytes of the largest tensor that a step hands on.
    """
    most = 0
    for step in plan.steps:
        if isinstance(step.node, ElementNode) and step.before is not None and step.before.place == HOST:
            size = step.node.largest_inside(step.before, step.after, plan.scope)
            if size is None:
                return None
            more = min(step.calls, plan.scope.cpus) > 1 and handed * allocator.MANY > size
            most = max(most, (5 if more else 4) * size // 4 if size >= allocator.LARGE else 0)
    return most


def _left(plan: Plan) -> int | None:
    """Return what may stay behind in glibc's heap when an epoch ends: what was in buffers that threads fill or empty.

    Only a `prefetch` and parallel calls have threads, and without one there is nothing of it but for texts. Nor is
    there where elements are cut out of a table and no function is in between: 200,000 rows behind a shuffle of all of
    them took 412 B each after five epochs, where 536 are counted, and three numbers that a function makes 699.
    """
    texts = between_texts(plan.steps, plan.scope)
    parallel = any(step.calls > 1 for step in plan.steps if not isinstance(step.node, Root))
    ahead = any(step.node.ahead for step in plan.steps if not isinstance(step.node, Root))
    if not (parallel or ahead):
        return texts
    sliced, left = False, list[int | None]()
    for step in plan.steps:
        if isinstance(step.node, Root):
            sliced = step.node.slices
        else:
            left.append(0 if sliced else _freed(step, plan.scope))
            sliced = sliced and step.node.commutes
    return largest(add(*left), _touched(plan), texts)


def _touched(plan: Plan) -> int | None:
    """Return how much of an arena that an earlier epoch's reader filled steps' functions may touch again in an epoch.

    Blocks that a reader has made lie in the arena of its epoch's thread. A thread that runs functions may have that
    arena after it, and lays small aligned blocks there; the pieces beside them, and they themselves, go into lists of
    small pieces, from which glibc serves no aligned block, until all that was free has been touched once. Measured:
    lines of 90 B, shuffle 50,000 of 100,000, 30 MiB in the first epoch and 53 from the second on; without a prefetch,
    or made by functions, as in the first in all of them.
    """
    reads = [step.after for step in plan.steps if isinstance(step.node, Root) and step.node.by_reader]
    read = {tensor for stream in reads for tensor in stream.element.values()}
    called = [
        step.after for step in plan.steps if isinstance(step.node, ElementNode) and step.after.place == HOST
    ]
    beside = COMPONENT_BYTES * max((len(stream.element) for stream in called), default=0)
    total: int | None = 0
    for step in plan.steps if reads and called else ():
        kept = _freed(step, plan.scope, whole=True)
        if kept == 0 or step.before is None or not _has_read(step.before.element, read):
            continue
        size, count = slot_bytes(step.before, plan.scope), step.before.cardinality.most
        if kept is None or size is None:
            return None
        laid = kept // size * _ROUNDS if count is None else count
        total = add(total, min(3 * kept // 2, laid * beside))
    return total


def _has_read(element: Element, read: set[Tensor]) -> bool:
    """Return whether a reader made some of an element, numbers aside."""
    return any(tensor in read for tensor in element.values() if tensor.rank or tensor.dtype == "string")


def _freed(step: PlannedStep, scope: Scope, *, whole: bool = False) -> int | None:
    """Return what a step's elements may leave behind in arenas; those of a cache stay where they are.

    Numbers in a `prefetch` go in the order in which they came, so what is free lies together: nothing of 150,000 was
    left in 140 epochs that were broken off. Of arrays some is: 177 MiB for 174 that would be counted without.

    Args:
        step: the step.
        scope: where tensors come from.
        whole: whether all of it counts, and not the part that was measured to stay behind.
    """
    node = step.node
    sizes = [hold.bytes for hold in step.holds if hold.place == HOST]
    if not sizes or step.before is None or isinstance(node, (Root, ElementNode)) or node.freezes:
        return 0
    numbers = all(one.dtype != "string" and not one.rank for one in step.before.element.values())
    if node.ahead and numbers and not whole:
        return 0
    made = sizes.pop() if node.fills else 0
    taken, hollow = add(*sizes), node.hollow(step.before, scope)
    if made is None or taken is None or hollow is None:
        return None
    part = 1.0 if whole else allocator.AGAIN
    before, after = (part * allocator.in_heap(one, pooled=scope.pooled) for one in (step.before, step.after))
    left = before * (taken - hollow) + after * made
    return int(
        left if whole else max(0.0, left - hollow / 2)
    )  # they settle in half of the holes that are counted


def _enlarges(step: PlannedStep) -> bool:
    """Return whether a step has tensors that TensorFlow's pool takes whatever is chosen; a map may, in between."""
    around = (step.before or step.after, step.after)
    large = any(_widest(one) >= allocator.ALWAYS_POOLED for one in around)
    return large or isinstance(step.node, ElementNode)


def _blocks(plan: Plan, own: Apart) -> list[list[int]]:
    """Return for each element that a step hands on the bytes of its numeric tensors, but of those that are `own`."""
    made = [step.after for step in plan.steps[own.steps :] if step.after.place == HOST]
    different = {
        (id(one.element), one.together): one for one in made
    }.values()  # many steps change no component
    sizes = [[min(size, one.together or size) for _, size in _sizes_of(one)] for one in different]
    if not own.steps:
        return sizes
    return [*sizes, [size for name, size in _sizes_of(plan.steps[0].after) if name not in own.names]]


def _widest(stream: Stream) -> int:
    return max((size for _, size in _sizes_of(stream)), default=0)


def _sizes_of(stream: Stream) -> Iterator[tuple[str, int]]:
    """Yield the numeric components of a stream's elements, each with the bytes of the largest there is."""
    for name, tensor in stream.element.items():
        if tensor.dtype != "string" and not tensor.broken:
            size = largest_of(name, stream, 1, attrgetter("bytes"))
            if size:
                yield name, size
