"""Count, mean, variance, smallest and largest of numbers that come in portions."""

from __future__ import annotations

from typing import Any

from safedata.analysis.quantiles import Quantiles
from safedata.problem import Fault
from safedata.spec.artifacts import Statistics


class Moments:
    """Numbers about one component, of all values or of each entry of the last dimension.

    Portions are added up as Chan, Golub and LeVeque (1979) do, in float64, so a mean far from 0 costs no digits.

    Args:
        name: the component, for messages.
        asked: what to work out.
        columns: entries of the last dimension; 1 where all values are one column.
    """

    def __init__(self, name: str, asked: Statistics, columns: int) -> None:
        import numpy as np

        self._name = name
        self._asked = asked
        self._columns = columns
        self._count = np.zeros(columns, np.int64)
        self._missing = np.zeros(columns, np.int64)
        self._mean = np.zeros(columns)
        self._squares = np.zeros(columns)
        self._low = np.full(columns, np.inf)
        self._high = np.full(columns, -np.inf)
        self._quantiles = Quantiles() if asked.quantiles else None

    def add(self, values: Any) -> None:
        """Take a portion: an array of any shape whose last dimension is that of the columns, if there are several.

        Raises:
            Fault: SD425, a value is infinite.
        """
        import numpy as np

        given: Any = np.asarray(values)
        table: Any = given.astype(np.float64).reshape(-1, self._columns)
        there = ~np.isnan(table)
        if self._asked.missing is not None:
            there &= given.reshape(-1, self._columns) != self._asked.missing
        if np.isinf(table[there]).any():
            raise Fault(
                "SD425", f"a value of `{self._name}` is infinite", help="put `clip` before it, or a `filter`"
            )
        self._missing += (~there).sum(0)
        self._merge(table, there)
        if self._quantiles is not None:
            self._quantiles.add(table[there])

    def _merge(self, table: Any, there: Any) -> None:
        import numpy as np

        count = there.sum(0)
        share = np.maximum(count, 1)
        mean = np.where(there, table, 0.0).sum(0) / share
        squares = np.where(there, (table - mean) ** 2, 0.0).sum(0)
        total = self._count + count
        part = count / np.maximum(total, 1)
        moved = mean - self._mean
        self._squares += np.where(count > 0, squares + moved**2 * self._count * part, 0.0)
        self._mean += np.where(count > 0, moved * part, 0.0)
        self._count = total
        self._low = np.minimum(self._low, np.where(there, table, np.inf).min(0, initial=np.inf))
        self._high = np.maximum(self._high, np.where(there, table, -np.inf).max(0, initial=-np.inf))

    def numbers(self) -> dict[str, Any]:
        """Return the numbers, as an artifact has them; variances are those of a whole population, as NumPy's.

        Raises:
            Fault: SD425, there is no value.
        """
        import numpy as np

        if not self._count.all():
            raise Fault(
                "SD425", f"`{self._name}` has no value that is not missing", help="take it out of `of`"
            )
        variance = self._squares / self._count
        found = {
            "count": self._plain(self._count), "missing": self._plain(self._missing),
            "mean": self._plain(self._mean), "variance": self._plain(variance),
            "std": self._plain(np.sqrt(variance)),
            "min": self._plain(self._low), "max": self._plain(self._high),
        }  # fmt: skip
        if self._quantiles is not None and self._asked.quantiles:
            parts = self._asked.quantiles
            found["quantiles"] = self._quantiles.at([one / parts for one in range(1, parts)])
            [found["median"]] = self._quantiles.at([0.5])
            found["rank_error"] = self._quantiles.rank_error
        return found

    def _plain(self, values: Any) -> Any:
        """Return a list, or one number where all values are one column."""
        return values.tolist() if self._asked.axis is not None else values.tolist()[0]
