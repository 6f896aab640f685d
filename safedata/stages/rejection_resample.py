"""`rejection_resample`: elements left out at random, so that classes are as frequent as is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from pydantic import Field, FiniteFloat, model_validator
from typing_extensions import Self

from safedata.insist import Check, Where, insist
from safedata.lowering import INDEX, Call, Lowering, Values, as_written
from safedata.memory import HOST, Hold
from safedata.problem import Fault, did_you_mean
from safedata.records import replace
from safedata.scope import Scope
from safedata.stages._stacking import check_single
from safedata.stages.base import Stage
from safedata.types import INTEGERS, Stream, Tensor

Shares = Annotated[
    tuple[Annotated[FiniteFloat, Field(ge=0)], ...], Field(strict=False, min_length=1, max_length=100_000)
]
"""One number for each class, of which their sum is the whole."""


class RejectionResample(Stage):
    """Leave out elements at random, so that what stays has its classes in the proportions of `target_dist`.

    The rule of `tf.data.Dataset.rejection_resample` where `initial_dist` is known: an element of class i stays with
    probability (t_i / q_i) / max_j (t_j / q_j), for shares t wanted and q there are; of n elements about
    n / max_j (t_j / q_j) stay. Unlike there the draw is a hash of the seed, the epoch and the element's index, so
    the same elements stay whatever the threads and the order, and others in the next epoch. Nothing is buffered.
    A label that is no class is bad data (SD404).
    """

    example: ClassVar[str] = "rejection_resample: {label: label, target_dist: [1, 1], initial_dist: [9, 1]}"

    label: str
    """The component with the class, a scalar whole number from 0 on."""
    target_dist: Shares
    """How frequent each class is to be: shares or counts, in any unit."""
    initial_dist: Shares | None = None
    """How frequent each class is in the data, shares or counts; all alike unless said."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        there = self._initial
        if len(there) != len(self.target_dist):
            raise ValueError(
                f"`initial_dist` has {len(there)} numbers and `target_dist` {len(self.target_dist)}: "
                "write one for each class"
            )
        if not sum(self.target_dist) > 0:
            raise ValueError("`target_dist` needs a number above 0")
        for number, (wanted, found) in enumerate(zip(self.target_dist, there, strict=True)):
            if wanted > 0 and found == 0:
                raise ValueError(f"`target_dist` asks for class {number}, of which `initial_dist` has none")
        return self

    @property
    def _initial(self) -> tuple[float, ...]:
        return self.initial_dist if self.initial_dist is not None else (1.0,) * len(self.target_dist)

    @property
    def _kept(self) -> list[float]:
        """The probability that an element of each class stays."""
        ratios = [
            wanted / found if found else 0.0
            for wanted, found in zip(self.target_dist, self._initial, strict=True)
        ]
        return [one / max(ratios) for one in ratios]

    @property
    def random(self) -> bool:
        """Whether it draws: always."""
        return True

    @property
    def fallible(self) -> bool:
        """Whether it may find the data bad: a label that is no class."""
        return True

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return the label, and what passes by."""
        return after | {self.label}

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the same elements, fewer of them.

        Raises:
            Fault: SD201, SD202 or SD203, there is no such label; SD205, none of its values is a class; SD207, elements
                are batched.
        """
        check_single("rejection_resample", before)
        if self.label not in before.visible:
            known = did_you_mean(self.label, before.visible, what="components")
            raise Fault("SD201", f"there is no component `{self.label}` here", ("label",), help=known)
        x = before.element[self.label]
        if not x.broken:
            self._check(x)
        return replace(before, cardinality=before.cardinality.weakened())

    def _check(self, x: Tensor) -> None:
        if x.rank or x.dtype not in INTEGERS:
            problem = f"`rejection_resample` goes by a scalar whole number, and `{self.label}` is {x}"
            code = "SD203" if x.rank else "SD202"
            raise Fault(code, problem, ("label",), help="put it before `one_hot`, or `argmax` before it")
        most = len(self.target_dist) - 1
        if x.range is not None and (x.range.low > most or x.range.high < 0):
            problem = f"`{self.label}` lies in {x.range}, and the classes are 0..{most}"
            raise Fault("SD205", problem, ("target_dist",), help="write one number for each class")

    def _all_known(self, x: Tensor) -> bool:
        return x.range is not None and x.range.low >= 0 and x.range.high < len(self.target_dist)

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the classes' probabilities, in the graph and in a call; the element is held where it is made."""
        yield Hold(HOST, 16 * len(self.target_dist) + 256, "how often each class stays")

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the dataset of the elements that stay."""
        tf, x = low.tf, low.before.element[self.label]

        def kept(values: Values) -> Any:
            label = tf.cast(values[self.label], tf.int64)
            known = (label >= 0) & (label < len(self.target_dist))
            number = tf.where(known, label, 0)
            share = tf.gather(tf.constant(self._kept, tf.float32), number)
            stays = Call(tf, x, x, 0, low.seed, values).draw() < share
            return stays if self._all_known(x) else self._checked(stays, known, label, values, low)

        return data.filter(as_written(low, kept))

    def _checked(self, stays: Any, known: Any, label: Any, values: Values, low: Lowering) -> Any:
        """Return whether an element stays: one whose label is no class is left out and noted, or ends the run."""
        tf = low.tf
        most = len(self.target_dist) - 1
        message = f"SD404: rejection_resample: {self.label} must be a class from 0 to {most}; got"
        if low.skipped is not None:
            from safedata.attempt import left_out

            return tf.cond(known, lambda: stays, lambda: left_out(low, values[INDEX], message))
        where = Where(tf, "an element", low.origin, values.get(INDEX))
        return insist(tf, stays, [Check(known, message, label)], where)
