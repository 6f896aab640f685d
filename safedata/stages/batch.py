"""`batch`: consecutive elements stacked into one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from safedata.lowering import Lowering, rewrapped
from safedata.memory import HOST, Hold, times
from safedata.scope import Scope
from safedata.stages._elements import batched, slot_bytes
from safedata.stages._fields import Count
from safedata.stages._stacking import check_even
from safedata.stages.base import Stage
from safedata.types import Stream


class Batch(Stage):
    """Stack consecutive elements along a new first dimension.

    Every component must have the same shape in all elements; ragged components may differ, and stay
    ragged. The last batch is short unless `drop_remainder` is true: without it the new dimension is at
    most `size`, which TensorFlow shows as unknown, even where the number of elements divides evenly.
    """

    example: ClassVar[str] = "batch: 64"
    main: ClassVar[str | None] = "size"
    knobs: ClassVar[tuple[str, ...]] = ("size",)
    fills: ClassVar[bool] = True

    size: Count
    """Elements in one batch."""
    drop_remainder: bool = False
    """Leave out the last batch when it is short."""

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the stream of batches."""
        check_even("batch", before, scope)
        return batched(before, self.size, self.drop_remainder)

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the elements gathered for the batch in work, and the batch.

        Source: `B (e + O) + B e` (memory facts, 3.1, batch).
        """
        yield Hold(
            HOST,
            times(self.size, slot_bytes(before, scope)),
            f"{self.size} elements gathered",
            before.weakest,
        )
        yield Hold(HOST, slot_bytes(after, scope), f"one batch of {self.size}", after.weakest)

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the batched dataset, its elements copied by all threads of the pipeline.

        `Dataset.batch` has one thread copy them, while a map before it stands still; the operation below it can do
        better (`parallel_copy`, from 1 MiB on). Measured with 64 elements of 224 x 224 x 3 float32 on 2 CPUs: 1.1
        times as fast behind a map that keeps both CPUs busy, 1.6 times behind a memory cache; two whole batches
        at once (`num_parallel_calls`) hold twice as much and reach 1.1 and 1.3.
        """
        tf = low.tf
        made = data.batch(self.size, drop_remainder=self.drop_remainder)
        specs = list(made.element_spec.values())
        if not all(isinstance(spec, tf.TensorSpec) for spec in specs):
            return made
        copied = tf.raw_ops.BatchDatasetV2(
            input_dataset=tf.data.experimental.to_variant(data),
            batch_size=tf.constant(self.size, tf.int64),
            drop_remainder=self.drop_remainder,
            parallel_copy=True,
            output_types=[spec.dtype for spec in tf.nest.flatten(made.element_spec)],
            output_shapes=[spec.shape for spec in tf.nest.flatten(made.element_spec)],
        )
        return rewrapped(tf, copied, made.element_spec, data)
