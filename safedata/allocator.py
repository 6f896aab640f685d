"""Where TensorFlow takes the memory of tensors from: glibc's heap, or a pool of its own.

As it comes, TensorFlow asks glibc for every tensor below 256 KiB. It asks for aligned blocks, and glibc before 2.38
fits none into the hole that one of the same size left, so behind a shuffle resident memory runs to 1.2 to 2 times the
live bytes. TensorFlow's other allocator for CPUs (`BFCAllocator`, the one that GPUs have) fits blocks into such holes
and joins what is freed; it takes 256 B at least for a tensor. It is switched on by an environment variable that
TensorFlow reads when it starts, so the first pipeline of a process decides for all.

Nothing here imports TensorFlow.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from safedata.memory import KIB, MIB
from safedata.scope import COMPONENT_BYTES
from safedata.types import Stream

POOL: Final = "TF_CPU_ALLOCATOR_USE_BFC"
LIMIT: Final = "TF_CPU_BFC_MEM_LIMIT_IN_MB"
_ENDLESS: Final = str(1 << 24)
"""The pool's own limit in MiB, 64 GiB unless set: budgets are held before anything runs, not by the pool."""
_TRUE: Final = ("1", "true", "t", "yes", "y")

_POOL_SHARE: Final = (8 * MIB, 13)
_HEAP_SHARE: Final = (6 * MIB, 7)
"""Bytes, and percent of the live bytes: what each keeps beside them.

The pool: 8 B for each 256 B of its regions, which double, so 6.25 percent at most; free ends of blocks that do not fit:
7 percent in all were measured for 652 MiB of blocks of 12 and 48 KiB. glibc: heaps of threads, free ends.
"""
ALWAYS_POOLED: Final = 256 * KIB
"""From here on TensorFlow's oneDNN build takes tensors from a pool of the same kind, whatever is chosen."""

LEAST: Final = 256
"""Bytes of the pool's smallest block."""
_FIRST_REGION: Final = 2 * MIB
"""Bytes of the first region that the pool asks the system for."""

AGAIN: Final = 0.17
"""How often blocks of buffers in glibc's heap may be there once more, where threads of earlier epochs freed them and
what is free was given back in between: pages with something else in them. Measured with epochs broken off, beside what
is alive: 0.1 (ten scalars), 0.3 (180,000 texts of 20 B, with what is counted for any heap)."""

_ANEW_PERCENT: Final = 130
_STEADY_PERCENT: Final = 25
"""Room taken anew for the largest block in the pool, in percent of it, and where each element finds its own room."""
_HALF_FULL: Final = (0.43, 0.4)
"""Which part of a region is full when a batch in the middle of it may leave the unused end the smaller one: where one
thread makes the elements, and where calls run at once, whose blocks lie further apart."""

_SIDE_BY_SIDE: Final = 8
"""Where what the consumer gets is small it is half a region, less so many of these, which lie behind the elements of
buffers: batches ready and in work, that of the epoch before, and the room of some that have gone. Measured with epochs
broken off, regions of 126 MiB: three components of 4 kB, batches of 0.47, 0.44 of the last region, 148; rows of 48 kB,
one at a time, 0.44 of it, 112; 30,300 arrays of 3,072 B, all of them in a shuffle, batches of 0.75, 0.47 of it, 113 in
four epochs and 144 in the fifth."""

LARGE: Final = MIB
"""Blocks below it find room in what is counted for the allocator in any case."""
_MIXED_PERCENT: Final = 205
"""Room taken anew for the large blocks of an element that has several sizes of them, in percent of these."""
_ALIKE: Final = 4
"""A block of less than a fourth of the largest is small beside it."""

_UNRULY: Final = {"one": 1.0, "alike": 1.25, "mixed": 1.5, "of few": 2.0}
"""How often the large blocks of an element may be taken anew behind parallel calls, beside once for each step that has
them: where an element has one large block, several of a size or of different ones, and where they are made of few large
ones. `unruly` has the measurements."""
MANY: Final = 16
"""So many blocks, or more, that make up a large one are many."""

_chosen: dict[int, bool] = {}
"""By process: what was set before TensorFlow started."""


class Asked(NamedTuple):
    """What the steps of a plan ask the allocator for, in bytes."""

    room: int
    """Of a plan's elements, what may be taken anew for their large blocks: `room`."""
    calls: int = 0
    """The same of tensors that calls make and do not hand on."""
    loose: int = 0
    """What may be taken anew for large blocks behind parallel calls, where there is room: `unruly`."""
    largest: int = 0
    """The largest tensor that a step hands on."""
    heap: int = 0
    """How many of the live bytes lie in glibc's heap although these tensors do not."""
    objects: int = 0
    """How many of the others are tensors' objects, which lie in no region of the pool."""
    lost: int = 0
    """What pieces that a memory cache keeps have too much: `unsplit`."""
    later: int = 0
    """What a memory cache takes after the first result has left, for good."""
    parallel: bool = False
    """Whether calls that run at once make elements."""
    steady: bool = False
    """Whether each element finds the room that the same one left an element ago.

    Replayed with the pool's rules and random timing, batches and windows of 55 to 115 MB with up to one ready: 1
    percent more than was alive, 9 with a label beside each image. With two ready it is the largest block.
    """
    single: bool = False
    """Whether no two of the largest tensors are there at a time, so that one's room is all that others may stand in.

    Batches of 26 MiB taken apart again, shuffled and stacked: 92 MiB with 65 alive, 126 with 111 (a larger shuffle).
    """
    result: int = 0
    """The largest tensor that the consumer gets, and may still have when the next epoch begins."""


def share(live: int, asked: Asked, *, pooled: bool) -> int:
    """Return a bound on what the allocator keeps beside the live bytes, holes that shuffles leave not counted.

    Room for one more of the largest blocks and three tenths: small ones settle in the room that one such left, and
    while they are there the next one takes new room. Measured 205 MiB for 155 live with blocks of 37; in processes
    that broke epochs off, 462 for 289 with blocks of 95. Behind parallel calls it is more, as far as the regions that
    the pool has have room for it, and one block beyond: measured 171 MiB for 118 live, blocks of 27 and regions of 126.

    Args:
        live: what the steps hold, in bytes.
        asked: what they ask for.
        pooled: whether tensors come from TensorFlow's pool.
    """
    block = max(asked.room, asked.calls)
    in_pool = pooled or block >= ALWAYS_POOLED
    floor, percent = _POOL_SHARE if in_pool else _HEAP_SHARE
    heap = min(asked.heap, live)
    inside, beside = live - heap, heap * _HEAP_SHARE[1] // 100
    beside += floor + inside * percent // 100
    if not in_pool:
        return beside + block
    whole = max(0, inside - asked.objects) + asked.lost
    if asked.steady:
        anew = block * _STEADY_PERCENT // 100
    else:
        alone = asked.single and asked.room == asked.largest
        usual = max(asked.room if alone else asked.room * _ANEW_PERCENT // 100, asked.calls)
        anew = max(usual, min(asked.loose, regions(whole) - whole + block))
    if asked.steady and asked.result * _ALIKE < asked.largest:  # it lies in a small region, in nobody's way
        return asked.lost + beside + anew
    return asked.lost + max(beside + anew, floor + _split(whole, asked))


def _split(live: int, asked: Asked) -> int:
    """Return what lies beside so many bytes in the pool's regions where one block has split the last of them; or 0.

    A batch that the consumer still has when the next epoch begins, after it has broken one off, lies in a region that
    is free but for it, where the used part ended when the first batch was made. The pool fills the smaller part first,
    and that is the end that nothing has used yet, once the region was more than half full. What is free then lies in
    pieces, so that a block may be laid in a region more, for which the pool has tables from its start: 8 B for each
    256 B. Measured with epochs broken off anywhere, MiB: 3 components of 4 kB, 104 alive, regions of 126: 148; padded
    batches of 20, 100 alive: 160; buckets with batches of 77, 464 alive, regions of 510: 631; images and masks, 182
    alive, 56 of them in the last region of 128: 271.

    Args:
        live: bytes of blocks in the pool.
        asked: what steps ask it for.
    """
    found = regions(live)
    last = (found + _FIRST_REGION) // 2
    full = max(_HALF_FULL[asked.parallel] * last, last // 2 - _SIDE_BY_SIDE * asked.result)
    if live - asked.later - (found - last) <= full:
        return 0
    return found - live + asked.largest + (2 * found + _FIRST_REGION) // 32


def room(elements: Iterable[Sequence[int]]) -> int:
    """Return how many bytes of room may be taken anew although as many are free, in pieces that do not fit.

    The largest block that there is, where others are small beside it. Of several large ones of different sizes in an
    element each settles in the room that another one left: there it is a little more than twice all of them, to which
    `share` adds. Measured as growth of `VmHWM`, uint8, 20 elements in a batch, in a process whose threads stood still
    at random and that broke epochs off: 88 MiB of room beside 94 live ones for 1,000,000 and 600,000 B with one batch
    ready, 2.2 times a batch beyond what is counted for any pool; 120 beside 147 for 1,000,000, 600,000 and 300,000 B
    with two, 2.6 times. On an even machine 41 and 36.

    Args:
        elements: for each element that a step hands on, the bytes of its tensors.
    """
    most = 0
    for sizes in elements:
        least = max(LARGE, max(sizes, default=0) // _ALIKE)
        large = {size for size in sizes if size >= least}
        different = [_MIXED_PERCENT * sum(large) // 100] if len(large) > 1 else []
        most = max(most, *sizes, *different, 0)
    return most


def unruly(elements: Sequence[Sequence[int]], parallel: int) -> int:
    """Return how many bytes may be taken anew in the pool's own regions behind parallel calls, where there is room.

    Calls end in any order, so blocks of all sizes come and go in any order, and a multiple of the large blocks of an
    element may lie where nothing was before. Measured beyond what is counted for any pool, in processes whose threads
    stood still at random, as multiples of these blocks: batches of 16 elements and more behind one step with calls
    0.6 to 1.2 with one component, 0.9 to 2.3 with two; behind three such steps 3.1, all regions in use; batches of 4
    and of 8 elements of 4 and of 8 MiB behind one 1.2 and 2.6, all regions in use.

    Args:
        elements: for each element that a step hands on, the bytes of its tensors.
        parallel: how many steps with parallel calls come before elements are put together.
    """
    most, largest = 0, [max(sizes, default=0) for sizes in elements]
    for sizes in elements:
        large = [size for size in sizes if size >= LARGE]
        if large and parallel:
            parts = max((one for one in largest if one < max(large)), default=0)
            kind = "one" if len(large) == 1 else "mixed" if len(set(large)) > 1 else "alike"
            kind = "of few" if parts * MANY > max(large) else kind
            most = max(most, int((parallel + _UNRULY[kind]) * sum(large)))
    return most


def regions(live: int) -> int:
    """Return the bytes of the regions that the pool needs for so many: 2 MiB, and each twice the one before.

    Source: `BFCAllocator::Extend`, with growth allowed.
    """
    last = _FIRST_REGION
    total = last
    while total < live:
        last *= 2
        total += last
    return total


def unsplit(size: int, blocks: Iterable[int]) -> float:
    """Return which part of blocks of `size` bytes the pool may add to them, where they fill the room of `blocks`.

    A piece is cut off only where at least as much is left (`BFCAllocator::FindChunkPtr`), so in the room of a
    block k times as large there is place for k - 1 at least. Measured: 40,000 cached elements of 12 KiB before a
    shuffle of 48 KiB took 31 percent more, room for three where four should fit.
    """
    worst = 0.0
    for block in blocks:
        if block >= 2 * size:
            worst = max(worst, 1 / max(1, block // size - 1))
        elif block > size:
            worst = max(worst, block / size - 1)
    return worst


def in_heap(stream: Stream, *, pooled: bool) -> float:
    """Return which part of the bytes of elements in a buffer lies in glibc's heap, where it may stay behind: `AGAIN`.

    Every epoch has threads of its own, each of them has one of glibc's arenas, and what is freed in one is no use to
    another. A dataset that was loaded gives it back before the next epoch, but for pages with something else in them.
    `docs/memory.md` has figures.

    Args:
        stream: the elements; where one has no bound all of it counts.
        pooled: whether their tensors come from TensorFlow's pool; texts and tensors' objects do not.
    """
    whole = heap = 0
    for tensor in stream.element.values():
        size = None if tensor.broken else tensor.bytes
        if size is None:  # then the buffer's bytes are unknown too, and with them what is left of them
            return 1.0
        large = pooled or COMPONENT_BYTES + size >= ALWAYS_POOLED
        whole += COMPONENT_BYTES + size
        heap += COMPONENT_BYTES + (0 if large and tensor.dtype != "string" else size)
    return heap / whole if whole else 0.0


def settled() -> bool | None:
    """Return whether tensors come from the pool in this process, None while that can still be chosen.

    The user has the first word, by TensorFlow's variable; and once TensorFlow has started nothing changes it.
    """
    if os.getpid() in _chosen and started():
        return _chosen[os.getpid()]
    said = os.environ.get(POOL)
    if said is not None and os.getpid() not in _chosen:
        return said.lower() in _TRUE
    return False if started() else None


def choose(pooled: bool) -> None:
    """Let TensorFlow take tensors from the pool, or not, where that can still be chosen."""
    if settled() is not None:
        return
    _chosen[os.getpid()] = pooled
    if pooled:
        os.environ[POOL] = "true"
        os.environ.setdefault(LIMIT, _ENDLESS)
    else:
        os.environ.pop(POOL, None)


def started() -> bool:
    """Return whether TensorFlow has made its devices, and their allocators with them."""
    module = sys.modules.get("tensorflow.python.eager.context")
    context = getattr(module, "_context", None)
    return context is not None and bool(getattr(context, "_initialized", True))
