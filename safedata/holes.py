"""Holes in glibc's heap between elements that functions have made and a buffer keeps.

glibc before 2.38 fits an aligned block into no hole that one of the same size left: it asks for the alignment on top.
What a call reads, or makes and does not hand on, lies between what it hands on; freed, it leaves such a hole beside
each element in the buffer, unless there are smaller blocks that settle in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from safedata import allocator
from safedata.memory import HOST, add
from safedata.scope import Scope
from safedata.sources.base import Root
from safedata.stages._elements import largest_of, slot_bytes
from safedata.stages.base import ElementNode, replaced
from safedata.types import STRING_INLINE, Stream, Tensor
from safedata.walk import PlannedStep

_ALIKE: Final = (0.6, 1.0)
"""Beside a freed block of more than 0.6 times a kept one's size: a hole of the kept one's size. Measured as growth of
`VmHWM` beside the payload of a full shuffle, 95 MiB, one epoch to twenty, threads standing still or not: 52 to 82 MiB
for arrays of 3, 40 and 200 kB that were turned round, 60 to 86 for records of 3 kB that are decoded and cut, 61 to 65
for two values at once, 340 beside 357 for such of whole numbers. For blocks of 0.25 and 0.5 times the size 5 to 12."""
_LARGER: Final = (1.5, 0.7)
"""One of more than 1.5 times its size, in which a smaller one may settle: 0.52."""
_MUCH_LARGER: Final = (4.0, 0.2)
"""And of more than four times its size: 0.2 and less, with what is counted for any heap."""

_HOLES: Final = (_MUCH_LARGER, _LARGER, _ALIKE)
_WITH_HOLES: Final = 2.8
"""How often its own size a block takes with all holes that are counted beside it: one here, 0.8 of one by a shuffle."""
_UNEVEN: Final = 1.2
"""How often the holes count beside elements of different sizes, which add up over epochs: images in the order of their
sizes, turned round by one call, 188 MiB all in a shuffle, took 338 to 388 MiB of glibc's heap, the longer the more."""
_TOGETHER: Final = 0.4
"""Several smaller ones of more than 0.6 times its size together: 0.31 for two of half the size."""
_SMALL: Final = 512
"""Below it holes beside what a source makes are in a component's overhead, as those of a shuffle are."""
_CACHED: Final = 0.75
"""Of these, beside what a cache in memory keeps. Measured beside a cache of 76 MiB, in front of `x * 2 + 1`: 54 MiB for
int64[<=400], 35 to 43 for int64[200], [400], [6000] and [20000], 11 for [1500]; 110 beside 152; 25 for a cast to twice
the size. A buffer or a batch behind the map made it less: 40 and 19."""
_CACHED_SMALL: Final = 1024
"""Below it none: 104 MiB in all for int64[100], where 111 are counted."""
_TEXT_AGAIN: Final = 290
"""Bytes for each text in a buffer that a function made, in pages that earlier epochs have broken up. Measured beside
what the first epoch took: 105,000 texts of 400 B 30 to 35 MiB from the tenth epoch on, of thirty, most of them broken
off; 400,000 in six epochs 116. What is counted for any heap is beside that."""


def between_elements(steps: Sequence[PlannedStep], scope: Scope) -> int | None:
    """Return a bound on the holes beside the elements in all buffers; None where nobody knows how many these are."""
    if not _leaves_holes(steps, scope):
        return 0
    total: int | None = 0
    lines: dict[tuple[str, ...], dict[str, float]] = {}
    drawn = set[tuple[str, ...]]()
    for step in steps:
        if step.before is None or isinstance(step.node, Root):
            lines[step.input] = _joined(lines, step.input)
            if isinstance(step.node, Root) and step.after.place == HOST:
                _drawn(step.node, step.after, scope, lines[step.input])
                drawn.add(step.input)
            continue
        beside = lines.setdefault(step.input, {})
        if isinstance(step.node, ElementNode):
            _made_anew(step.node, step.before, step.after, scope, beside)
            drawn.discard(step.input)
            continue
        # Gathered ones leave together: 1,000 of 100 kB, as a source makes them, took 462 MiB where 458 were counted.
        together = step.node.fills and step.input in drawn
        if not together and any(beside.values()) and step.before.place == HOST:
            total = add(total, _beside_kept(step, scope, beside))
        if step.node.fills:
            beside.clear()
    return total


def beside_cached(steps: Sequence[PlannedStep], scope: Scope) -> int | None:
    """Return a bound on the holes beside what caches in memory keep; None where nobody knows how much that is.

    A cache is laid down while what is behind it works on the same elements: a block that a call makes of one lies
    between it and the next one, for good.
    """
    if not _leaves_holes(steps, scope):
        return 0
    total: int | None = 0
    for number, step in enumerate(steps):
        if step.before is None or isinstance(step.node, Root) or not step.node.freezes or not step.holds:
            continue
        freed = [size for later in steps[number + 1 :] for size in _worked_on(later, step.after, scope)]
        kept = {name: one for name, one in step.before.element.items() if _block(one) >= _CACHED_SMALL}
        beside = {name: _CACHED * _hole(freed, one, scope) for name, one in kept.items()}
        if any(beside.values()):
            total = add(total, _beside_kept(step, scope, beside))
    return total


def _leaves_holes(steps: Sequence[PlannedStep], scope: Scope) -> bool:
    """Return whether some blocks find no room where others were.

    The pool has none for those that are larger than what was freed, as each is of images in the order of their sizes:
    600 of 5 kB to 1.8 MiB, 188 MiB in all, turned round by one call and all in a shuffle, took 368 MiB, 219 in the
    opposite order.
    """
    return not scope.pooled or any(step.before.strata for step in steps if step.before is not None)


def _worked_on(step: PlannedStep, cached: Stream, scope: Scope) -> Iterator[int]:
    """Yield the bytes of each block that a call makes of an element as it lies in a cache."""
    node, before = step.node, step.before
    if not isinstance(node, ElementNode) or before is None or before.batch_dims != cached.batch_dims:
        return
    yield from node.freed(before, scope)
    yield from (_block(step.after.element[name]) for name in node.makes(before, step.after))


def _joined(lines: dict[tuple[str, ...], dict[str, float]], joint: tuple[str, ...]) -> dict[str, float]:
    """Return what comes out of a combinator's inputs: beside each component the most of any; nothing where none are.

    Holes are in parts of what they lie beside.
    """
    found: dict[str, float] = {}
    for name in [one for one in lines if len(one) > len(joint) and one[: len(joint)] == joint]:
        for component, size in lines.pop(name).items():
            found[component] = max(size, found.get(component, 0.0))
    return found


def _drawn(root: Root, after: Stream, scope: Scope, beside: dict[str, float]) -> None:
    """Put into `beside` the holes that a source leaves beside each component that it makes."""
    if freed := root.freed(after):
        for name, tensor in after.element.items():
            beside[name] = _hole(freed, tensor, scope) if _block(tensor) >= _SMALL else 0.0


def _made_anew(
    node: ElementNode, before: Stream, after: Stream, scope: Scope, beside: dict[str, float]
) -> None:
    """Put into `beside` the holes that a call leaves beside each component that it makes."""
    made = node.makes(before, after)
    freed = [*map(_block, replaced(before, made, after)), *node.freed(before, scope)]
    for name in before.element:
        if name not in after.element:
            beside.pop(name, None)
    for name in made:
        beside[name] = _hole(freed, after.element[name], scope)


def _block(tensor: Tensor) -> int:
    """Return the bytes of a tensor's block; 0 for text, and where they are not known."""
    return 0 if tensor.dtype == "string" or tensor.broken else tensor.bytes or 0


def _laid(tensor: Tensor) -> int:
    """Return the bytes of a tensor's block in glibc's heap; of those that differ the largest that lies there.

    Where the largest of all lie elsewhere, such a one is counted as one of them, and that is room for its holes too.
    """
    size, most = _block(tensor), allocator.ALWAYS_POOLED - 1
    if _in_heap(size) or tensor.constant:
        return size if _in_heap(size) else 0
    return max(0, min(most, int(_WITH_HOLES * most) - size))


def _in_heap(size: int) -> bool:
    return 0 < size < allocator.ALWAYS_POOLED


def _hole(freed: Sequence[int], kept: Tensor, scope: Scope) -> float:
    """Return the hole beside a kept block that blocks leave which were freed, as a part of it.

    Where some of the kept ones lie in the heap, and larger ones do not, what is freed beside them is so much smaller.
    """
    size = _block(kept)
    if not size or (kept.constant and (scope.pooled or not _in_heap(size))):
        return 0.0
    heap = _in_heap(size) and not scope.pooled
    near = [one for one in freed if (_in_heap(one) if heap else one)]
    parts = [next((part for more, part in _HOLES if one > more * size), 0.0) for one in near]
    together = _TOGETHER if sum(near) > _ALIKE[0] * size else 0.0
    return max(*parts, together, 0.0)


def _beside_kept(step: PlannedStep, scope: Scope, beside: Mapping[str, float]) -> int | None:
    """Return the holes beside the elements that a step keeps; there is none beside the room that others left."""
    assert step.before is not None
    assert not isinstance(step.node, Root)
    holds = [hold for hold in step.holds if hold.place == HOST]
    taken = holds[:-1] if step.node.fills else holds
    held, hollow = add(*(hold.bytes for hold in taken)), step.node.hollow(step.before, scope)
    size = slot_bytes(step.before, scope)
    if held == 0 or not holds:
        return 0
    if held is None or hollow is None or not size:
        return None
    uneven, total = sum(hold.uneven for hold in taken), 0.0
    for name, part in beside.items():
        if name in step.before.strata and uneven:
            every = largest_of(name, step.before, uneven, _block if scope.pooled else _laid)
            total += _UNEVEN * part * (every or 0)
        elif name in step.before.element and not scope.pooled:
            total += part * max((held - hollow) / size, uneven) * _laid(step.before.element[name])
    return int(total)


def between_texts(steps: Sequence[PlannedStep], scope: Scope) -> int | None:
    """Return what texts that functions make leave over the epochs, in all buffers; None where nobody knows how many."""
    others = _kept_apart(steps)
    return add(*(_texts_left(step, scope, others) for step in steps))


def _kept_apart(steps: Sequence[PlannedStep]) -> frozenset[Tensor]:
    """Return the tensors that a reader or a table hands out, of which `allocation` knows more."""
    roots = (
        step for step in steps if isinstance(step.node, Root) and (step.node.slices or step.node.by_reader)
    )
    return frozenset(tensor for step in roots for tensor in step.after.element.values())


def _texts_left(step: PlannedStep, scope: Scope, others: frozenset[Tensor]) -> int | None:
    if (
        step.before is None
        or isinstance(step.node, (Root, ElementNode))
        or step.node.freezes
        or step.node.fills
    ):
        return 0
    texts = (one for one in step.before.element.values() if one.dtype == "string" and not one.rank)
    long = sum(
        one.length.most is None or one.length.most > STRING_INLINE for one in texts if one not in others
    )
    holds = [hold for hold in step.holds if hold.place == HOST]
    held = add(*(hold.bytes for hold in holds))
    if not long or held == 0:
        return 0
    size = slot_bytes(step.before, scope)
    if held is None or not size:
        return None
    return _TEXT_AGAIN * long * max(held // size, sum(hold.uneven for hold in holds))
