"""The step that carries each element over to a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

from safedata.lowering import Lowering, Values, as_written
from safedata.memory import HOST, Hold, Place
from safedata.problem import Fault, Path
from safedata.scope import ITERATOR_BYTES, THREAD_BYTES, Scope
from safedata.stages._gpu import element_blocks, pinned_bytes
from safedata.stages.base import Node
from safedata.types import Stream, Tensor


class Transfer(Node):
    """Carry the components that are needed behind it to `place`, one element after the other.

    What stands behind it runs in the same call, on that device: `safedata.internal.crossing` builds it. With
    `place` on the host, under `runtime.device_fallback`, it only leaves out what is not needed.
    """

    aligned: ClassVar[bool] = True

    def __init__(self, place: Place, names: frozenset[str], path: Path) -> None:
        self.place = place
        self.names = names
        self.path = path
        """Where the spec asks for the device: the first step there."""

    def title(self) -> str:
        """Return this step's name, TensorFlow's own; on the host, why it is there."""
        return "device_fallback" if self.place == HOST else "copy_to_device"

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return the components that are carried over."""
        return self.names

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the stream on the device, with only what is needed there."""
        element = {name: tensor for name, tensor in before.element.items() if name in self.names}
        for name, tensor in element.items():
            fault = self._refused(name, tensor)
            if fault is not None:
                scope.fault(fault)
        if not before.batch_dims:
            problem = "elements are carried to the GPU one by one"
            way_out = "put `batch` before this step"
            scope.fault(Fault("SD214", problem, self.path, help=way_out, severity="warning"))
        return replace(before, element=element, place=self.place, shared=None)

    def _refused(self, name: str, tensor: Tensor) -> Fault | None:
        if tensor.dtype == "string":
            way_out = f"leave `{name}` out of `output`, or turn it into numbers before this step"
            return Fault("SD212", f"`{name}` is text, which no GPU holds", self.path, help=way_out)
        if tensor.ragged_rank:
            way_out = f"use `padded_batch`, or leave `{name}` out of `output`"
            problem = f"`{name}` is ragged, and only dense components are carried to a GPU"
            return Fault("SD212", problem, self.path, help=way_out)
        return None

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the element carried over, the pinned memory that it goes through, and a second iterator.

        The copy reads the element that the step before hands on; that one is counted there.
        """
        if self.place == HOST:
            return
        yield Hold(self.place, element_blocks(after), "the element carried over", after.weakest)
        yield Hold(HOST, pinned_bytes(after), "pinned memory for the copies, in regions that double", "exact")
        threads = scope.cpus
        why = f"a second iterator with {threads} threads of its own"
        yield Hold(HOST, ITERATOR_BYTES + threads * THREAD_BYTES, why)

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the dataset on the host without what is not needed; a device has `Crossing`."""
        if low.before.element.keys() <= self.names:
            return data

        def needed(values: Values) -> Values:
            return {name: value for name, value in values.items() if name in self.names}

        return data.map(as_written(low, needed))
