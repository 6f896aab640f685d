"""`split`: one of several named parts that share no element."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field, model_validator

from safedata.cardinality import Cardinality
from safedata.draws import derive_seed
from safedata.lowering import Lowering, Values, as_written
from safedata.memory import HOST, Hold, add
from safedata.problem import Fault, did_you_mean
from safedata.records import replace
from safedata.scope import Scope
from safedata.stages._stacking import check_single, counted
from safedata.stages.base import Stage
from safedata.types import INTEGERS, SCALAR_INT64, Stream

_GOLDEN: Final = 0x9E3779B97F4A7C15
"""2^64 divided by the golden ratio: its multiples, modulo 2^64, lie as evenly as any number's can."""
_WHOLE: Final = 1 << 64
_BITS: Final = 53
"""Bits of a place that are held against the fractions."""
_NEAR: Final = 1e-9
"""How far fractions may be from adding up to 1."""

Fraction = Annotated[float, Field(gt=0, le=1, strict=False)]


class Split(Stage):
    """Give the elements of one part; no two parts share an element, and together they are what the fractions say.

    Elements are dealt out by their place: evenly, so that any run of neighbours has its share in each part, and the
    numbers are within a few elements of the fractions. Which part a place is in depends on nothing but the fractions
    and `seed`: elements that are added at the end move none of the others. With `by` it is the hash of that
    component that decides, an element's path or key: then elements with one value stay together, and
    a part keeps its elements whatever is added, left out or reordered; the numbers are those of chance.
    """

    example: ClassVar[str] = "split: {part: train, parts: {train: 0.8, validation: 0.1, test: 0.1}}"
    once: ClassVar[bool] = True
    counts: ClassVar[bool] = True

    part: str
    """The name of the part to give."""
    parts: Annotated[dict[str, Fraction], Field(min_length=1)]
    """Name: fraction of all elements, 1 in all at most; the same in every spec of one data set."""
    by: str | None = None
    """A component, a scalar string or integer, by whose value elements are dealt out; by their place unless said."""
    seed: int = 0
    """Another number deals out other elements."""

    @model_validator(mode="after")
    def _adds_up(self) -> Split:
        total = sum(self.parts.values())
        if total > 1 + _NEAR:
            raise ValueError(f"the fractions of all parts are 1 at most, and these add up to {total:g}")
        if self.part not in self.parts:
            raise ValueError(
                f"there is no part `{self.part}`; {did_you_mean(self.part, self.parts, what='parts')}"
            )
        return self

    @property
    def unseeing(self) -> bool:
        """Whether it goes by places alone."""
        return self.by is None

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return what passes by, and the component that decides."""
        return after if self.by is None else after | {self.by}

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the same elements, fewer of them.

        Raises:
            Fault: SD201, SD202 or SD203, the component that decides is none that can; SD207, elements are batched.
        """
        if self.by is None:
            return replace(before, cardinality=self._dealt(before.cardinality))
        check_single("split", before)
        if self.by not in before.visible:
            known = did_you_mean(self.by, before.visible, what="components")
            raise Fault("SD201", f"there is no component `{self.by}` here", ("by",), help=known)
        tensor = before.element[self.by]
        if not tensor.broken and (tensor.rank or tensor.dtype not in ("string", *INTEGERS)):
            problem = f"`split` goes by a scalar string or integer, and `{self.by}` is {tensor}"
            code = "SD203" if tensor.rank else "SD202"
            raise Fault(code, problem, ("by",), help="name a path, a key or an index; or leave `by` out")
        return replace(before, cardinality=before.cardinality.weakened())

    def _bounds(self) -> tuple[int, int]:
        """Return where the part starts and ends, of 2^53 in all."""
        ends = [0.0, *accumulate(self.parts.values())]
        place = list(self.parts).index(self.part)
        low, high = (1.0 if abs(end - 1) < _NEAR else end for end in ends[place : place + 2])
        return round(low * (1 << _BITS)), round(high * (1 << _BITS))

    @property
    def _offset(self) -> int:
        return derive_seed(self.seed, "split") << 1

    def _dealt(self, elements: Cardinality) -> Cardinality:
        if elements.count is None:
            return elements
        low, high = (bound << (64 - _BITS) for bound in self._bounds())
        count = _below(elements.count, high, self._offset) - _below(elements.count, low, self._offset)
        return Cardinality(elements.kind, count)

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield what decides: a number, or the component as text; the element is held by the step that made it."""
        key = SCALAR_INT64.bytes if self.by is None else before.element[self.by].bytes
        yield Hold(HOST, add(SCALAR_INT64.bytes, key), "what decides on the part", before.weakest)

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the dataset of the part's elements."""
        tf = low.tf
        least, most = self._bounds()

        def inside(place: Any) -> Any:
            return (place >= tf.constant(least, tf.int64)) & (place < tf.constant(most, tf.int64))

        def placed(number: Any, _: Values) -> Any:
            place = tf.cast(number, tf.uint64) * tf.constant(_GOLDEN, tf.uint64)
            place += tf.constant(self._offset, tf.uint64)
            return inside(
                tf.cast(tf.bitwise.right_shift(place, tf.constant(64 - _BITS, tf.uint64)), tf.int64)
            )

        def only(_: Any, values: Values) -> Values:
            return values

        def hashed(values: Values) -> Any:
            value = values[self.by or ""]
            text = value if value.dtype == tf.string else tf.strings.as_string(value)
            return inside(tf.strings.to_hash_bucket_strong(text, 1 << _BITS, [self._offset >> 1, _BITS]))

        if self.by is not None:
            return data.filter(as_written(low, hashed))
        kept = data.enumerate().filter(as_written(low, placed)).map(as_written(low, only))
        return counted(tf, kept, low.after.cardinality)


def _below(count: int, bound: int, offset: int) -> int:
    """Return how many places (number * golden + offset) modulo 2^64 lie below a bound, of numbers below `count`."""
    shifted = _floor_sum(count, _WHOLE, _GOLDEN, offset - bound + _WHOLE)
    return _floor_sum(count, _WHOLE, _GOLDEN, offset) - shifted + count


def _floor_sum(count: int, modulus: int, factor: int, start: int) -> int:
    """Return the sum of (factor * i + start) // modulus over i below `count`, in as many steps as Euclid takes."""
    total = 0
    while True:
        total += factor // modulus * count * (count - 1) // 2 + start // modulus * count
        factor, start = factor % modulus, start % modulus
        top = factor * count + start
        if top < modulus:
            return total
        count, start = divmod(top, modulus)
        modulus, factor = factor, modulus
