"""How many elements an epoch has: a number, a bound, or neither."""

from __future__ import annotations

from typing import Final, Literal

from safedata.records import record


@record(frozen=True, slots=True)
class Cardinality:
    """How many elements one epoch has."""

    kind: Literal["exactly", "at most", "unknown", "infinite"]
    count: int | None = None

    @property
    def most(self) -> int | None:
        """The largest number of elements, None when there is none to name."""
        return self.count

    @property
    def finite(self) -> bool:
        """Whether a largest number is known."""
        return self.count is not None

    def map(self, low: int) -> Cardinality:
        """Return the cardinality cut off at `low` elements."""
        if self.kind == "infinite":
            return exactly(low)
        if self.count is None:
            return at_most(low)
        return Cardinality(self.kind, min(self.count, low))

    def floor_div(self, size: int, *, round_up: bool) -> Cardinality:
        """Return the number of groups of `size`; the short last one counts if `round_up`."""
        if self.count is None:
            return self
        return Cardinality(self.kind, -(-self.count // size) if round_up else self.count // size)

    def times(self, factor: int) -> Cardinality:
        """Return `factor` times as many."""
        if factor == 0:
            return exactly(0)
        return self if self.count is None else Cardinality(self.kind, self.count * factor)

    def minus(self, count: int) -> Cardinality:
        """Return what is left after `count` are left out."""
        return self if self.count is None else Cardinality(self.kind, max(0, self.count - count))

    def weakened(self) -> Cardinality:
        """Return this as an upper bound: some elements may be left out."""
        if self.kind in ("infinite", "unknown"):
            return UNKNOWN
        return Cardinality("at most", self.count)

    def __str__(self) -> str:
        return self.kind if self.count is None else f"{self.kind} {self.count}"


INFINITE: Final = Cardinality("infinite")
UNKNOWN: Final = Cardinality("unknown")


def exactly(count: int) -> Cardinality:
    """Return the cardinality of exactly `count` elements."""
    return Cardinality("exactly", count)


def at_most(count: int) -> Cardinality:
    """Return the cardinality of at most `count` elements."""
    return Cardinality("at most", count)
