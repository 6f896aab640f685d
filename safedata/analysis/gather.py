"""What each kind of artifact takes from the batches of a pass, and how it is written in the end."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from safedata.analysis.counting import Counts, Value
from safedata.analysis.moments import Moments
from safedata.artifacts.heading import Origin
from safedata.artifacts.statistics import write_statistics
from safedata.artifacts.words import write_words
from safedata.problem import Fault
from safedata.spec.artifacts import Analyze, Classes, Statistics, Vocabulary
from safedata.types import FLOATS, INTEGERS, Tensor

if TYPE_CHECKING:
    from safedata.plan import Plan


class Gatherer:
    """Takes batches, and makes an artifact of them."""

    @abstractmethod
    def add(self, batch: dict[str, Any]) -> None:
        """Take a batch.

        Raises:
            Fault: SD425, its values cannot be analyzed.
        """

    @abstractmethod
    def write(self, path: str, origin: Origin) -> dict[str, Any]:
        """Write the artifact, whole or not at all; return facts about it.

        Raises:
            Fault: SD425, there are no values, or some that cannot be written.
            DataError: SD408, the place cannot be written to.
        """


def gatherer(analyze: Analyze, plan: Plan, folder: str) -> Gatherer:
    """Return what makes an artifact of what leaves a plan.

    Raises:
        Fault: SD202 or SD203, the components are not of a kind that it can be made of.
    """
    work = analyze.work
    dims = plan.result.batch_dims
    types = {name: plan.result.element[name].without_leading(dims) for name in work.of}
    if isinstance(work, Statistics):
        return _Numbers(work, types)
    return _Values(work, types, folder)


class _Values(Gatherer):
    """Vocabularies and class lists."""

    def __init__(self, work: Vocabulary | Classes, types: dict[str, Tensor], folder: str) -> None:
        self._work = work
        kinds = {_kind(name, x) for name, x in types.items()}
        if len(kinds) > 1:
            raise Fault(
                "SD202", "one list cannot have texts and whole numbers", ("of",), help="make two artifacts"
            )
        self._text = kinds == {"string"}
        self._counts = Counts(folder, text=self._text)

    def add(self, batch: dict[str, Any]) -> None:
        for name in self._work.of:
            values = _flat(batch[name]).reshape(-1)
            self._counts.add(values.tolist())

    def write(self, path: str, origin: Origin) -> dict[str, Any]:
        if not self._counts.seen:
            raise Fault(
                "SD425", "there are no values to list", ("of",), help="look at the data, or at a `filter`"
            )
        kind = "vocabulary" if isinstance(self._work, Vocabulary) else "classes"
        kept = write_words(path, map(_as_text, self._kept()), kind, origin, text=self._text)
        return {"values": self._counts.seen, "kept": kept}

    def _kept(self) -> Iterator[Value]:
        if isinstance(self._work, Classes):
            return (value for value, _ in self._counts.items())
        return (value for value, _ in self._counts.ranked(self._work.top, self._work.min_count))


class _Numbers(Gatherer):
    """Statistics."""

    def __init__(self, work: Statistics, types: dict[str, Tensor]) -> None:
        self._work = work
        self._moments = {name: Moments(name, work, _columns(name, x, work)) for name, x in types.items()}

    def add(self, batch: dict[str, Any]) -> None:
        for name, moments in self._moments.items():
            moments.add(_flat(batch[name]))

    def write(self, path: str, origin: Origin) -> dict[str, Any]:
        numbers = {name: moments.numbers() for name, moments in self._moments.items()}
        write_statistics(path, numbers, origin)
        return {"components": numbers}


def _flat(value: Any) -> Any:
    """Return the values of a batch as an array; of a ragged one those that are there."""
    return (value.flat_values if hasattr(value, "flat_values") else value).numpy()


def _as_text(value: Value) -> bytes:
    return value if isinstance(value, bytes) else b"%d" % value


def _kind(name: str, x: Tensor) -> str:
    if x.dtype != "string" and x.dtype not in INTEGERS:
        problem = f"a list has texts or whole numbers, and `{name}` is {x}"
        raise Fault("SD202", problem, ("of",), help="put `bucketize` or `as_string` before it")
    return "string" if x.dtype == "string" else "int64"


def _columns(name: str, x: Tensor, work: Statistics) -> int:
    if x.dtype not in (*INTEGERS, *FLOATS):
        way_out = "put `to_number` before it" if x.dtype == "string" else "put `cast` before it"
        raise Fault("SD202", f"statistics are of numbers, and `{name}` is {x}", ("of",), help=way_out)
    if work.axis is None:
        return 1
    last = x.shape[-1].static if x.rank else None
    if not last or x.ragged_rank == x.rank:
        problem = f"`axis: -1` wants a last dimension of one size, and `{name}` is {x}"
        raise Fault("SD203", problem, ("axis",), help="leave `axis` out")
    return last
