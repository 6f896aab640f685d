"""`window`: neighbouring elements stacked, the next window a few elements further on."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, ClassVar

from safedata.cardinality import Cardinality
from safedata.lowering import Lowering, Values, as_written
from safedata.memory import HOST, Hold, add, times
from safedata.scope import Scope
from safedata.stages._elements import slot_bytes, stacked
from safedata.stages._fields import Count
from safedata.stages._stacking import check_even, counted
from safedata.stages.base import Stage
from safedata.types import Dim, Stream

_NESTED = 1024
"""Bytes that a window takes beside its elements, for each component: a dataset of its own, its iterator."""
_SLOT = 24
"""Bytes of an element's place in a queue or list."""


class Window(Stage):
    """Stack `size` neighbouring elements along a new first dimension; the next window starts `shift` further on.

    With `shift` below `size` windows overlap, above it elements between them are left out. `stride` is
    the distance between neighbours inside a window: `{size: 3, stride: 2}` takes elements 0, 2 and 4.
    Windows at the end are short, as in `tf.data`, unless `drop_remainder` is true. A window is one element:
    `x[:-1]` leaves out its last neighbour, `flatten` takes it apart, and a random operation draws once for all of it.
    """

    example: ClassVar[str] = "window: {size: 24, shift: 1, drop_remainder: true}"
    main: ClassVar[str | None] = "size"
    knobs: ClassVar[tuple[str, ...]] = ("size",)
    counts: ClassVar[bool] = True
    fills: ClassVar[bool] = True

    size: Count
    """Elements in one window."""
    shift: Count | None = None
    """From the start of one window to the start of the next; `size` unless said."""
    stride: Count = 1
    """From one element of a window to the next one in it."""
    drop_remainder: bool = False
    """Leave out windows at the end that are short."""

    @property
    def span(self) -> int:
        """How many elements a window reaches over, those between its own included."""
        return (self.size - 1) * self.stride + 1

    @property
    def step(self) -> int:
        """How many elements further on the next window starts."""
        return self.size if self.shift is None else self.shift

    def orderly(self, before: Stream) -> bool:
        """Whether all elements of a window go before the next one is made; others lie where that would have room."""
        return self.step >= self.span

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the stream of windows."""
        check_even("window", before, scope)
        rows = Dim.exactly(self.size) if self.drop_remainder else self._at_most(before)
        stacks = _stacks(before)
        return Stream(
            {name: stacked(one, rows) if name in stacks else one for name, one in before.element.items()},
            self._windows(before.cardinality),
            before.batch_dims + 1 if before.batch_dims else 0,
            evidence=before.evidence,
            place=before.place,
        )

    def _at_most(self, before: Stream) -> Dim:
        count = before.cardinality.most
        reached = self.size if count is None else -(-count // self.stride)
        if reached >= self.size:
            return Dim.at_most(self.size)
        return Dim.at_most(max(reached, 1), before.evidence)

    def _windows(self, elements: Cardinality) -> Cardinality:
        missing = self.span - self.step if self.drop_remainder else 0
        if missing >= 0:
            return elements.minus(missing).floor_div(self.step, round_up=not self.drop_remainder)
        # With gaps between windows the last one needs no elements behind it.
        return elements.minus(self.span - 1).floor_div(self.step, round_up=True)

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the elements that the window reaches over, with those of the one before it, and the window.

        Source: `w (e + O)` for the open window (memory facts, 3.1, window) and its copy. TensorFlow's
        `window_dataset_op.cc` keeps `(size - 1) stride + 1` elements; the datasets that a window is handed
        on as, one for each component, refer to the same tensors, and so does the list that is stacked.
        """
        count = before.cardinality.most
        held = self.span if count is None else min(self.span, max(count, 1))
        one = add(slot_bytes(before, scope), _SLOT)
        references = (2 * self.size * _SLOT + _NESTED) * len(before.element)
        yield Hold(HOST, add(times(held, one), references), f"{held} elements of a window", before.weakest)
        yield Hold(HOST, slot_bytes(after, scope), f"one window of {self.size}", after.weakest)

    def skips(self, count: int, before: Stream) -> tuple[int, int] | None:
        """Return as many as lie before the first of the next window."""
        return count * self.step, 0

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the dataset of stacked windows."""
        tf, stacks = low.tf, _stacks(low.before)

        def stack(parts: Values) -> Any:
            whole = {
                name: part.batch(self.size, self.drop_remainder) if name in stacks else part.take(1)
                for name, part in parts.items()
            }
            return tf.data.Dataset.zip(whole)

        windows = data.window(self.size, self.step, self.stride, self.drop_remainder)
        return counted(tf, windows.flat_map(as_written(low, stack)), low.after.cardinality)


def _stacks(before: Stream) -> Collection[str]:
    """Return the components that are stacked: a window of single elements keeps the keys of its first one."""
    return before.element if before.batch_dims else before.visible
