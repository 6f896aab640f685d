"""`as_element`: a batch seen as one element."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from safedata.lowering import EPOCH, INDEX, OK, ROW, Lowering, Values, as_written
from safedata.problem import Fault
from safedata.records import replace
from safedata.scope import Scope
from safedata.stages.base import Stage
from safedata.types import BOOL, SCALAR_INT64, Stream

_KEYS: Final = (INDEX, EPOCH, ROW)


class AsElement(Stage):
    """See each batch as one element, whose first dimension is the batch's.

    Operations behind it count that dimension with the others: `{transpose: [1, 0]}` makes a padded batch of sequences
    time-major, `{transpose: [1, 2, 3, 0]}` puts the batch of images last, `= x - mean(x, axis=0)` takes the batch's own
    mean. A random operation draws once for all of it, by the key of the first element. `flatten` takes it apart again.
    """

    example: ClassVar[str] = "as_element:"
    aligned: ClassVar[bool] = True

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the same components, none of whose dimensions is a batch's any more.

        Raises:
            Fault: SD207, nothing is batched here.
        """
        if not before.batch_dims:
            problem = "`as_element` makes elements of batches, and nothing is batched here"
            raise Fault("SD207", problem, help="take it out, or put it behind `batch`")
        keys = {name: SCALAR_INT64 for name in _KEYS if name in before.element}
        if OK in before.element:
            keys[OK] = BOOL
        return replace(before, element={**before.element, **keys}, batch_dims=0, shared=None)

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the dataset, with the keys of each batch's first element where there are keys."""
        tf = low.tf
        keys = [name for name in (*_KEYS, OK) if name in low.before.element]

        def one(values: Values) -> Values:
            made = {name: tf.reshape(values[name], [-1])[0] for name in keys if name != OK}
            if OK in keys:
                made[OK] = tf.reduce_all(values[OK])
            return {**values, **made}

        return data.map(as_written(low, one)) if keys else data
