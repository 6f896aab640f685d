"""`prefetch`: the next elements made ready while the consumer works."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Final, Literal

from safedata.lowering import Lowering
from safedata.memory import HOST, Hold, add, times
from safedata.problem import Fault
from safedata.scope import PREFETCH_BYTES, Scope
from safedata.stages._elements import is_broken, slot_bytes
from safedata.stages._fields import Buffer, Count
from safedata.stages.base import Stage
from safedata.types import Stream

_AUTO: Final = 2


class Prefetch(Stage):
    """Make the next elements ready while the consumer works on the last one.

    `auto` is two elements, one to be taken and one being made: TensorFlow's own AUTOTUNE grows this
    buffer without regard to what the machine has, so it is never used.
    """

    example: ClassVar[str] = "prefetch: 2"
    main: ClassVar[str | None] = "buffer"
    knobs: ClassVar[tuple[str, ...]] = ("buffer",)
    ahead: ClassVar[bool] = True

    buffer: Count | Buffer | Literal["auto"] = "auto"
    """Elements kept ready; or a size such as `512MiB`; or `auto`."""

    def slots(self, before: Stream) -> int | None:
        """Return the number of elements kept ready, None where a size cannot be divided."""
        if self.buffer == "auto":
            return _AUTO
        if isinstance(self.buffer, int):
            return self.buffer
        return self.buffer.slots(add(slot_bytes(before), PREFETCH_BYTES))

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the same stream."""
        if self.slots(before) is None and not is_broken(before):
            way_out = "give `buffer` as a number of elements"
            problem = f"`prefetch: {self.buffer}` needs a bound, and {before} has none"
            scope.fault(Fault("SD204", problem, ("buffer",), help=way_out))
        return before

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the elements kept ready and the one handed on; never more than there are in an epoch.

        Source: `n (e + O_pf) + e` (memory facts, 3.1, prefetch).
        """
        slots, most = self.slots(before), before.cardinality.most
        one = add(slot_bytes(before), PREFETCH_BYTES)
        kept = slots if slots is None or most is None else min(slots, most)
        what = "elements without number" if kept is None else f"{kept} elements"
        yield Hold(HOST, times(kept, one), f"{what} kept ready", before.weakest)
        more = most is None or slots is None or most > slots
        yield Hold(HOST, after.bytes if more else 0, "the element handed on", after.weakest)

    def keeps_all(self, before: Stream) -> bool:
        """Return whether an epoch has no more elements than the buffer and the one handed on."""
        slots, most = self.slots(before), before.cardinality.most
        return slots is not None and most is not None and most <= slots + 1

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the dataset with a buffer of exactly that many elements."""
        return data.prefetch(self.slots(low.before))
