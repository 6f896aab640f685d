"""`shuffle`: elements in random order, drawn from a buffer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from safedata.lowering import Lowering
from safedata.memory import HOST, Hold, add, times
from safedata.problem import Fault
from safedata.scope import Scope
from safedata.stages._elements import is_broken, slot_bytes
from safedata.stages._fields import Buffer, Count
from safedata.stages.base import Stage
from safedata.types import Stream

_SLOT = 24
"""Bytes of one slot of the buffer, taken up front for all of them (memory facts, 3.1, shuffle)."""


class Shuffle(Stage):
    """Give elements in random order, each drawn from a buffer of the next ones.

    The buffer never gets more slots than there are elements. A size in bytes is turned into the number
    of elements that fit it; `all` is a perfect shuffle. The order is the same in every run with the same
    seed, and another one each epoch unless `reshuffle` is false.
    """

    example: ClassVar[str] = "shuffle: 1000"
    main: ClassVar[str | None] = "buffer"
    knobs: ClassVar[tuple[str, ...]] = ("buffer",)
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
        """Yield the slots, taken up front, and the elements in them.

        A memory cache directly before it shares its elements. Source: `24 S + min(S, N) (e + O)`
        (memory facts, 3.1, shuffle; sharing: 3.7).
        """
        slots = self.slots(before)
        filled = times(slots, add(slot_bytes(before), _SLOT))
        what = "elements without number" if slots is None else f"{slots} elements"
        shared = f", shared with the {before.shared}" if before.shared else ""
        yield Hold(HOST, filled, f"a buffer of {what}{shared}", before.weakest)
        yield Hold(HOST, after.bytes, "the element handed on", after.weakest)

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the shuffled dataset, its seed written out."""
        seed = low.seed if self.seed is None else self.seed
        return data.shuffle(
            self.slots(low.before), seed=seed & 0x7FFFFFFF, reshuffle_each_iteration=self.reshuffle
        )
