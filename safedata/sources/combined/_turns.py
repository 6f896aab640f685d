"""The root of a `mix` with a `pattern`: its inputs in turns that are known before."""

from __future__ import annotations

from typing import Any, ClassVar

from safedata.cardinality import INFINITE, UNKNOWN, Cardinality, at_most, exactly
from safedata.lowering import Lowering
from safedata.records import record
from safedata.sources._inputs import handed
from safedata.sources.combined.concatenate import total
from safedata.sources.combined.mix import Mixed
from safedata.stages._stacking import counted


@record(frozen=True)
class Turns(Mixed):
    """Elements of inputs in an order that is gone through again and again."""

    draws: ClassVar[bool] = False

    pattern: tuple[int, ...]
    """The number of the input that each element is of."""

    def count(self, counts: tuple[Cardinality, ...]) -> Cardinality:
        """Return the sum, or how many come before the first that an input no longer has."""
        if not self.stop_on_empty:
            return total(counts)
        if all(one.kind == "infinite" for one in counts):
            return INFINITE
        ends = [(number, one) for number, one in enumerate(counts) if one.kind != "infinite"]
        known = [self._before(number, one.count) for number, one in ends if one.count is not None]
        if not known:
            return UNKNOWN
        return exactly(min(known)) if all(one.kind == "exactly" for _, one in ends) else at_most(min(known))

    def _before(self, number: int, count: int) -> int:
        """Return how many elements stand before the one that an input with `count` of them does not have."""
        places = [place for place, one in enumerate(self.pattern) if one == number]
        rounds, rest = divmod(count, len(places))
        return rounds * len(self.pattern) + places[rest]

    def lower(self, low: Lowering) -> Any:
        """Return the datasets chosen from by number, the pattern written out."""
        tf, names, of = low.tf, list(low.after.element), len(low.inputs)
        datasets = [handed(data, names, low, number, of) for number, data in enumerate(low.inputs)]
        choices = tf.data.Dataset.from_tensor_slices(tf.constant(self.pattern, tf.int64)).repeat()
        made = tf.data.Dataset.choose_from_datasets(datasets, choices, self.stop_on_empty)
        return counted(tf, made, low.after.cardinality)
