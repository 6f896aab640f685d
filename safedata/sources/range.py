"""`range`: consecutive integers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import NonNegativeInt

from safedata.cardinality import exactly
from safedata.lowering import Lowering, Values, as_written
from safedata.memory import HOST, Hold
from safedata.scope import Scope
from safedata.sources.base import Inspected, Root, Source
from safedata.types import SCALAR_INT64, Stream, Tensor, ValueRange


class Range(Source):
    """The integers from 0 up to `count`, as the int64 component `value`."""

    example: ClassVar[str] = "range: 10"
    main: ClassVar[str | None] = "count"

    count: NonNegativeInt
    """How many integers."""

    def inspect(self, scope: Scope) -> Inspected:
        """Return the root; there is no data to look at."""
        return Inspected(RangeRoot(self.count), fingerprint=f"range {self.count}")


@dataclass(frozen=True)
class RangeRoot(Root):
    """Integers from 0 up to `count`."""

    seeks: ClassVar[bool] = True

    count: int

    def title(self) -> str:
        """Return the source's name."""
        return "range"

    def infer(self, scope: Scope) -> Stream:
        """Return scalars whose range is known."""
        values = Tensor("int64", range=ValueRange(0, max(self.count - 1, 0)))
        return Stream({"value": values}, exactly(self.count))

    def holds(self, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the one scalar handed on."""
        yield Hold(HOST, SCALAR_INT64.bytes, "the element handed on")

    def lower(self, low: Lowering) -> Any:
        """Return the dataset of the integers."""

        def named(value: Any) -> Values:
            return {"value": value}

        return low.tf.data.Dataset.range(low.first, self.count).map(as_written(low, named))
