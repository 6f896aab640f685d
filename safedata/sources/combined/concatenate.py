"""`concatenate`: several sources, one after the other."""

from __future__ import annotations

from typing import Any, ClassVar

from safedata.cardinality import INFINITE, UNKNOWN, Cardinality, at_most, exactly
from safedata.lowering import Lowering
from safedata.problem import Fault
from safedata.records import record
from safedata.scope import Scope
from safedata.sources._inputs import Combinator, Ready, handed
from safedata.sources.combined._alike import Alike
from safedata.stages._stacking import counted
from safedata.types import Stream


class Concatenate(Combinator):
    """All elements of the first input, then all of the second, and so on.

    The inputs have the same components, of the same dtypes and ranks; where their sizes differ, the type is the
    tightest one that holds for all. An input without end can only be the last.
    """

    example: ClassVar[str] = "concatenate: [{range: 10}, {source: {range: 100}, steps: [{shuffle: 20}]}]"

    def joint(self, inputs: tuple[Ready, ...], scope: Scope) -> Concatenated:
        """Return the root over inputs whose headers were read."""
        return Concatenated(inputs)


@record(frozen=True)
class Concatenated(Alike):
    """The elements of the inputs in their order."""

    in_turn: ClassVar[bool] = True

    def title(self) -> str:
        """Return the source's name."""
        return "concatenate"

    def count(self, counts: tuple[Cardinality, ...]) -> Cardinality:
        """Return the sum."""
        return total(counts)

    def joined(self, streams: tuple[Stream, ...], scope: Scope) -> Stream:
        """Return the type that holds for all; reports an input that is never reached as well."""
        for number, stream in enumerate(streams[:-1]):
            if stream.cardinality.kind == "infinite":
                one, never = self.inputs[number].input, self.inputs[number + 1].name
                message = f"`{one.name}` has no end, so `{never}` behind it is never reached"
                way_out = "give its `repeat` a number, or end it with `take`; `mix` takes turns"
                scope.fault(Fault("SD225", message, one.at, help=way_out))
                break
        return super().joined(streams, scope)

    def lower(self, low: Lowering) -> Any:
        """Return the inputs' datasets in a row."""
        names, of = list(low.after.element), len(low.inputs)
        first, *others = (handed(data, names, low, number, of) for number, data in enumerate(low.inputs))
        for data in others:
            first = first.concatenate(data)
        return counted(low.tf, first, low.after.cardinality)


def total(counts: tuple[Cardinality, ...]) -> Cardinality:
    """Return how many elements inputs have together."""
    if any(one.kind == "infinite" for one in counts):
        return INFINITE
    known = [one.count for one in counts if one.count is not None]
    if len(known) < len(counts):
        return UNKNOWN
    return exactly(sum(known)) if all(one.kind == "exactly" for one in counts) else at_most(sum(known))
