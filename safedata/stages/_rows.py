"""What stages share that take the rows of components: how many there are, and that components have as many."""

from __future__ import annotations

from typing import Any

from safedata.insist import Check, Where, either, insist
from safedata.lowering import INDEX, Lowering, Values
from safedata.problem import Fault, did_you_mean
from safedata.stages._fields import Names
from safedata.stages.base import Stage
from safedata.types import Dim, Stream


class OfRows(Stage):
    """A stage that takes the rows of one component, or of several that have as many."""

    components: str | Names
    """The component whose rows are taken, or several of them."""

    @property
    def named(self) -> tuple[str, ...]:
        """The components whose rows are taken."""
        return (self.components,) if isinstance(self.components, str) else self.components

    @property
    def fallible(self) -> bool:
        """Whether it may find the data bad: components with different numbers of rows."""
        return len(self.named) > 1

    def check_rows(self, before: Stream, way_out: str) -> None:
        """Raise a fault where a component is not there or has no rows, or elements are batched.

        Args:
            before: what comes in.
            way_out: what to do about a scalar, whose name it has in the place of `{}`.
        """
        if before.batch_dims:
            problem = f"`{self.key()}` takes apart what single elements have, and here they are batched"
            raise Fault(
                "SD207", problem, help="put it before `batch`; or use `unbatch` to take batches apart"
            )
        for name in self.named:
            if name not in before.visible:
                known = did_you_mean(name, before.visible, what="components")
                raise Fault("SD201", f"there is no component `{name}` here", ("components",), help=known)
            tensor = before.element[name]
            if not tensor.rank and not tensor.broken:
                problem = f"`{self.key()}` takes components with rows, and `{name}` is {tensor}"
                raise Fault("SD203", problem, ("components",), help=way_out.format(name))

    def rows(self, before: Stream) -> Dim:
        """Return how many rows an element has: no more than the component with the tightest bound."""
        found = [before.element[name].shape[0] for name in self.named if not before.element[name].broken]
        exact = [dim for dim in found if dim.exact]
        least = min((dim.most for dim in found if dim.most is not None), default=None)
        if exact and least is not None and exact[0].most != least:
            told = " and ".join(f"`{name}` {before.element[name]}" for name in self.named)
            problem = f"components that are taken apart together have as many rows each: {told}"
            raise Fault(
                "SD203", problem, ("components",), help="take one of them out, or cut both to one length"
            )
        return exact[0] if exact else next((dim for dim in found if dim.most == least), Dim.at_most(None))

    def counted_rows(self, tf: Any, values: Values, low: Lowering) -> Any:
        """Return how many rows to take: none of an element that is left out."""
        counts = [_count(tf, values[name]) for name in self.named]
        if len(counts) == 1:
            return counts[0]
        stacked = tf.stack(counts)
        same = tf.reduce_all(stacked == counts[0])
        what = f"SD404: {', '.join(self.named)}: components that are taken apart together have as many rows each; got"
        if low.skipped is not None:
            from safedata.attempt import left_out

            def recorded() -> Any:
                sizes = tf.strings.reduce_join(tf.strings.as_string(stacked), separator=" ")
                return left_out(low, values[INDEX], tf.strings.join([what, sizes], " "))

            fine = tf.cond(same, lambda: True, recorded)
            return tf.where(fine, counts[0], 0)
        where = Where(tf, "an element", low.origin, values.get(INDEX))

        def refuse(count: Any) -> Any:
            return insist(tf, count, [Check(tf.constant(False), what, stacked)], where)

        return either(tf, same, counts[0], tf.identity, refuse)


def _count(tf: Any, value: Any) -> Any:
    return value.nrows(tf.int64) if isinstance(value, tf.RaggedTensor) else tf.shape(value, tf.int64)[0]
