"""`prefetch`: the next elements made ready while the consumer works."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Final, Literal

from safedata.lowering import Lowering
from safedata.memory import HOST, Hold, add, times
from safedata.problem import Fault
from safedata.scope import PREFETCH_BYTES, Scope
from safedata.stages._elements import is_broken, many_bytes, on_average, rests_on, slot_bytes
from safedata.stages._fields import Buffer, Count, Device, gpu_index
from safedata.stages._gpu import element_blocks
from safedata.stages.base import Stage
from safedata.types import Stream

_AUTO: Final = 2


class Prefetch(Stage):
    """Make the next elements ready while the consumer works on the last one.

    `auto` is two elements, one to be taken and one being made: TensorFlow's own AUTOTUNE grows this
    buffer without regard to what the machine has, so it is never used.
    """

    example: ClassVar[str] = "prefetch: 2"
    once: ClassVar[bool] = True
    main: ClassVar[str | None] = "buffer"
    knobs: ClassVar[tuple[str, ...]] = ("buffer",)
    takes: ClassVar[bool] = True
    ahead: ClassVar[bool] = True
    aligned: ClassVar[bool] = True

    buffer: Count | Buffer | Literal["auto"] = "auto"
    """Elements kept ready; or a size such as `512MiB`; or `auto`."""
    device: Device | None = None
    """Where they are kept: `gpu` carries them there. By default where the step before leaves them."""

    @property
    def follows(self) -> bool:
        """Whether it keeps them where they lie: unless the spec names a place."""
        return self.device is None

    @property
    def gpu(self) -> int | None:
        """The number of the GPU that the spec names, None where it names none."""
        return gpu_index(self.device)

    def slots(self, before: Stream) -> int | None:
        """Return the number of elements kept ready, None where a size cannot be divided."""
        if self.buffer == "auto":
            return _AUTO
        if isinstance(self.buffer, int):
            return self.buffer
        return self.buffer.slots(_slot(before))

    def orderly(self, before: Stream) -> bool:
        """Whether it keeps no more than one element ready."""
        slots = self.slots(before)
        return slots is not None and slots <= 1

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the same stream."""
        if self.slots(before) is None and not is_broken(before):
            way_out = "give `buffer` as a number of elements"
            problem = f"`prefetch: {self.buffer}` needs a bound, and {before} has none"
            scope.fault(Fault("SD204", problem, ("buffer",), help=way_out))
        return before

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the elements kept ready; never more than there are in an epoch.

        The thread waits for a free place before it asks for the next element, so the one in work is among them.
        Source: `n (e + O_pf) + e` (memory facts, 3.1, prefetch), `e` with the consumer; on a GPU with its
        allocator's blocks (3.5), and the one handed on.
        """
        wanted, most, place = self.slots(before), before.cardinality.most, before.place
        one = _slot(before, scope)
        kept = wanted if wanted is None or most is None else min(wanted, most)
        unit = "batches" if before.batch_dims else "elements"
        what = f"{unit} without number" if kept is None else f"{kept} {unit}"
        ready, uneven = (times(kept, one), 0) if place != HOST else many_bytes(before, kept, scope)
        ready = ready if place != HOST else add(ready, times(kept, PREFETCH_BYTES))
        slots = (
            ((kept, one),) if place == HOST and not uneven and kept is not None and one is not None else ()
        )
        what = f"{what} kept ready{on_average(ready, uneven)}"
        yield Hold(place, ready, what, rests_on(before, uneven), slots=slots, uneven=uneven)
        if place != HOST and (most is None or wanted is None or most > wanted):
            yield Hold(place, element_blocks(after), "the element handed on", after.weakest)

    def emptied(self, before: Stream) -> int | None:
        """Return nothing: the buffer grows and shrinks."""
        return 0

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the dataset with a buffer of exactly that many elements."""
        return data.prefetch(self.slots(low.before))


def _slot(stream: Stream, scope: Scope | None = None) -> int | None:
    """Return the bytes of one element in the buffer, where the stream's elements lie."""
    return add(slot_bytes(stream, scope), PREFETCH_BYTES) if stream.place == HOST else element_blocks(stream)
