"""The epoch of elements that the workers of a service hand over."""

from __future__ import annotations

from typing import Any

from safedata import draws
from safedata.internal.keys import Epoch, each_epoch
from safedata.lowering import EPOCH, Lowering, Values, as_written


class RemoteEpoch(Epoch):
    """Mix the trainer's own epoch into the workers'.

    Theirs begins anew in each of the trainer's, and `repeat` before `distribute` changes it.
    """

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return what must come in: the workers' epoch too."""
        return after | {EPOCH}

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the dataset whose elements have another number in each epoch of the trainer, and of the workers."""
        tf = low.tf

        def stamped(epoch: Any, values: Values) -> Values:
            return {**values, EPOCH: draws.parted(tf, epoch, values[EPOCH])}

        return tf.data.Dataset.zip((each_epoch(low, self.seed), data)).map(as_written(low, stamped))
