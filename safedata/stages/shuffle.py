"""`shuffle`: elements in random order, drawn from a buffer."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, ClassVar, Final, Literal

from safedata.lowering import Lowering
from safedata.memory import HOST, KIB, MIB, Hold, add, times
from safedata.problem import Fault
from safedata.scope import COMPONENT_BYTES, Scope
from safedata.stages._elements import (
    FILLED_BYTES,
    is_broken,
    largest_of,
    many_bytes,
    on_average,
    rests_on,
    slot_bytes,
)
from safedata.stages._fields import Buffer, Count
from safedata.stages.base import Stage
from safedata.types import Stream, Tensor

_SLOT: Final = 24
"""Bytes of one slot of the buffer, taken up front for all of them (memory facts, 3.1, shuffle)."""

_MAPPED_ALONE: Final = 32 * MIB
"""From here on glibc gives every block pages of its own, and they go back when it is freed."""
_POOLED: Final = 256 * KIB
"""From here on TensorFlow's oneDNN build takes tensors from a pool of its own, which joins what is freed."""
_SMALL: Final = 512
"""Below it a tensor's holes are in its overhead: that was measured where elements come and go."""
_HOLES_PERCENT: Final = 80
"""Bytes that stay behind where tensors were freed in another order than they came, in percent of them.

TensorFlow asks for aligned blocks, and glibc before 2.38 fits none into the hole that one of the same size left.
Measured as growth of `VmHWM` over the payload, glibc 2.36, 32 kB elements, 12,000 slots, two epochs of the
buffer: 1.98 (1.87 with one arena); 120 kB behind a map with 16 calls: 2.07; uint8 224 x 224 x 3: 1.51; bare TensorFlow
with one thread, after 60 epochs: 1.27 (4 kB), 1.80 (32 kB), 1.47 (100 kB), 1.29 (148 kB). TensorFlow's own pool leaves
none: 1.06 for 32 kB.
"""
_ALONE: Final = 2
_FEW: Final = 3
_FILLED_FEW: Final = 160
"""Bytes beside the payload of each of so few components, in a buffer that is filled once in an epoch.

Measured with what earlier epochs leave, which counts beside them: for each element 327 B (one int64), 464 (two), 699
(three), 2180 (ten); where as many come after the first ones 347, 559, 753, 2310."""
_ADD_UP: Final = 16 * KIB
"""Below it holes add up to 15 eighths of the buffer's elements, and otherwise to as many as it has.

Measured over the payload where 1 and 4 buffers come after the first, three epochs, glibc 2.36: 0.83 and 1.25 (2 KiB),
0.24 and 1.04 (4 kB), 0.58 and 1.52 (6 kB), 0.3 and 0.9 (9 kB), 0.43 and 0.57 (600 B; 1.48 where 9 come)."""
_UNEVEN_PERCENT: Final = 10
"""The same of the pool, for elements of different sizes: measured 20 to 29, with what is counted for any pool, of
images that came in the order of their sizes, the smallest first."""
_TEXT_HOLES_PERCENT: Final = 10
"""The same for texts, whose blocks are not aligned: a hole takes the next text of its size, or a smaller one."""


class Shuffle(Stage):
    """Give elements in random order, each drawn from a buffer of the next ones.

    The buffer never gets more slots than there are elements. A size in bytes is turned into the number
    of elements that fit it; `all` is a perfect shuffle. The order is the same in every run with the same
    seed, and another one each epoch unless `reshuffle` is false.
    """

    example: ClassVar[str] = "shuffle: 1000"
    once: ClassVar[bool] = True
    main: ClassVar[str | None] = "buffer"
    knobs: ClassVar[tuple[str, ...]] = ("buffer",)
    takes: ClassVar[bool] = True
    commutes: ClassVar[bool] = True

    buffer: Count | Buffer | Literal["all"]
    """Elements in the buffer; or a size such as `2GiB`; or `all`."""
    seed: int | None = None
    """The order's own seed; made from `runtime.seed` and the step's place when it is left out."""
    reshuffle: bool = True
    """Another order in each epoch."""

    def slots(self, before: Stream) -> int | None:
        """Return the number of elements in the buffer, None where it cannot be known."""
        elements = before.cardinality.most
        most = None if elements is None else max(elements, 1)
        if self.buffer == "all":
            return most
        if isinstance(self.buffer, int):
            wanted: int | None = self.buffer
        else:
            wanted = self.buffer.slots(add(slot_bytes(before), _SLOT))
        return wanted if wanted is None or most is None else min(wanted, most)

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the same stream: only the order changes."""
        if self.slots(before) is None and not is_broken(before):
            what = "the number of elements is not known" if self.buffer == "all" else f"{before} has no bound"
            fault = Fault(
                "SD204",
                f"`shuffle: {self.buffer}` needs a bound, and {what}",
                ("buffer",),
                help="give `buffer` as a number of elements",
            )
            scope.fault(fault)
        return before

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the slots, taken up front, and the elements in them; the one that leaves is the next step's.

        A memory cache directly before it shares its elements. Source: `24 S + min(S, N) (e + O)`
        (memory facts, 3.1, shuffle; sharing: 3.7).
        """
        slots = self.slots(before)
        kept, uneven = many_bytes(before, slots, scope, beside=self._beside(before))
        filled = add(kept, times(slots, _SLOT))
        unit = "batches" if before.batch_dims else "elements"
        what = f"{unit} without number" if slots is None else f"{slots} {unit}"
        holes = self.hollow(before, scope)
        more = (
            f", shared with the {before.shared}"
            if before.shared
            else ", and holes in the heap"
            if holes
            else ""
        )
        one = slot_bytes(before, scope) if scope.pooled else None
        places = () if one is None or slots is None or uneven else ((slots, one),)
        what += on_average(kept, uneven) + more
        yield Hold(
            HOST,
            add(filled, holes),
            f"a buffer of {what}",
            rests_on(before, uneven),
            slots=places,
            uneven=uneven,
        )

    def _beside(self, before: Stream) -> int | None:
        """Return what a component takes beside its payload in glibc's heap, None for what it takes in any buffer."""
        sizes = [tensor.bytes for tensor in before.element.values()]
        if len(sizes) <= _ALONE and all(size is not None and size < _SMALL // 2 for size in sizes):
            return COMPONENT_BYTES
        if self._refilled(before) != 0:
            return None
        return FILLED_BYTES if len(sizes) > _FEW else _FILLED_FEW

    def _refilled(self, before: Stream) -> int | None:
        """Return how many elements are laid down in an epoch after one has left; None where nobody knows."""
        slots, most = self.slots(before), before.cardinality.most
        return None if slots is None or most is None else max(0, most - slots)

    def hollow(self, before: Stream, scope: Scope) -> int | None:
        """Return what lies idle in the heap between its elements; nothing where a memory cache shares them.

        A hole is left by an element that another one could not replace, so there are no more of them than elements that
        come after the buffer is full: of 80 MiB in blocks of 2 KiB from glibc, all elements in the buffer, a process
        took 92 MiB, whether one thread or eight calls had made them. They add up over several times the buffer.
        """
        if before.shared:
            return 0
        slots, refilled = self.slots(before), self._refilled(before)
        total: int | None = 0
        for name, tensor in before.element.items():
            most = None if slots is None else slots * _most_holes(tensor) // 8
            count = most if most is None or refilled is None else min(most, refilled)
            if scope.pooled and name not in before.strata and tensor.dtype != "string":
                continue  # each is counted as the largest, and has room
            total = add(total, largest_of(name, before, count, lambda one: _scattered(one, scope)))
        return None if total is None else total // 100

    def emptied(self, before: Stream) -> int | None:
        """Return the slots, which stay until the iterator goes."""
        return times(self.slots(before), _SLOT)

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the shuffled dataset, its seed written out."""
        seed = low.seed if self.seed is None else self.seed
        made = data.shuffle(
            self.slots(low.before), seed=seed & 0x7FFFFFFF, reshuffle_each_iteration=self.reshuffle
        )
        return low.renews(made) if self.reshuffle else made


def _scattered(tensor: Tensor, scope: Scope) -> int | None:
    """Return what one component may leave behind, in hundredths of a byte; texts lie in glibc's heap in any case."""
    size = tensor.bytes
    if tensor.dtype != "string" and scope.pooled:
        return 0 if tensor.constant else times(_UNEVEN_PERCENT, size)
    if tensor.dtype == "string":
        return times(_TEXT_HOLES_PERCENT, size if (tensor.length.most or _SMALL) >= _SMALL else 0)
    if size is None:
        return None
    if size < _alone_from():
        return _HOLES_PERCENT * size if size >= _SMALL else 0
    # Others may be smaller, and with their holes take more than the largest.
    return 0 if tensor.constant else max(0, (100 + _HOLES_PERCENT) * (_alone_from() - 1) - 100 * size)


def _most_holes(tensor: Tensor) -> int:
    """Return how often a buffer's elements may leave such holes, in eighths."""
    small = tensor.dtype != "string" and (tensor.bytes is None or tensor.bytes < _ADD_UP)
    return 15 if small else 8


def _alone_from() -> int:
    """Return the size from which a tensor's block leaves no hole: that of the pool, where there is one."""
    switched_off = os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0"
    passed_by = os.environ.get("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "0").lower() in ("1", "true")
    pooled = hasattr(os, "uname") and os.uname().machine == "x86_64" and not switched_off and not passed_by
    return _POOLED if pooled else _MAPPED_ALONE
