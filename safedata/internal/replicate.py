"""What `tf.distribute` holds beside a pipeline that it deals out to several GPUs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar, Final

from safedata.lowering import Lowering
from safedata.memory import HOST, Hold, add, gpu, times
from safedata.problem import Fault
from safedata.scope import Scope
from safedata.stages._elements import slot_bytes
from safedata.stages._gpu import element_blocks, pinned_bytes
from safedata.stages.base import Node
from safedata.types import Dim, Stream

_AHEAD: Final = 3
"""Batches that are drawn before the step takes one, in whole or in parts.

Measured with `MirroredStrategy` on 2, 3 and 4 devices of the CPU; the parts are one in each device's buffer on
the host, one in its buffer on the device, one being split (`multi_device_iterator_ops.py`; memory facts, 3.5).
"""


class Replicate(Node):
    """Count what a strategy of `replicas` GPUs holds; the dataset itself stays as it is.

    The strategy splits each batch, and on every GPU has one part ready, one being copied, and one in work.
    """

    aligned: ClassVar[bool] = True

    def __init__(self, replicas: int) -> None:
        self.replicas = replicas

    def title(self) -> str:
        """Return this step's name."""
        return f"deal out to {self.replicas}"

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the same stream: its consumer is the strategy."""
        if not before.batch_dims:
            problem = f"a strategy splits batches for its {self.replicas} replicas, and there are none"
            scope.fault(Fault("SD213", problem, ("runtime", "replicas"), help="add a `batch`"))
        elif before.place != HOST:
            problem = f"one pipeline feeds one GPU, and `replicas: {self.replicas}` asks for several"
            way_out = "leave `device` out of the steps: the strategy carries batches to its GPUs"
            scope.fault(Fault("SD213", problem, ("runtime", "replicas"), help=way_out))
        return before

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the batches on their way, on the host and on each GPU, and the copies' pinned memory."""
        evidence = before.weakest
        part = self._part(before)
        yield Hold(HOST, times(_AHEAD, slot_bytes(before)), f"{_AHEAD} batches on their way", evidence)
        if scope.host_only:
            return
        pinned = add(*(pinned_bytes(part) for _ in range(self.replicas)))
        yield Hold(HOST, pinned, "pinned memory for the copies, in regions that double", evidence)
        for index in range(self.replicas):
            blocks = times(_AHEAD, element_blocks(part))
            yield Hold(gpu(index), blocks, "1 part ready, 1 being copied, 1 in work", evidence)

    def _part(self, stream: Stream) -> Stream:
        """Return the stream of what one replica gets: an equal share of the rows, rounded up."""
        element = {
            name: replace(tensor, shape=(self._share(tensor.shape[0]), *tensor.shape[1:]))
            if tensor.shape and not tensor.broken
            else tensor
            for name, tensor in stream.element.items()
        }
        return stream.with_element(element)

    def _share(self, rows: Dim) -> Dim:
        return rows if rows.most is None else replace(rows, most=-(-rows.most // self.replicas), exact=False)

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the dataset: the training program hands it to its strategy."""
        return data
