"""Features out of a serialized `tf.train.Example` or `tf.train.SequenceExample`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from safedata.examples.feature import encode
from safedata.examples.parsing import Parsed, found_whole, parsed, parsed_named, parsing_bytes
from safedata.insist import Where
from safedata.lowering import INDEX, Lowering, Values, enforce
from safedata.memory import add
from safedata.scope import Scope
from safedata.stages.base import ElementNode
from safedata.strata import passing, texts_in
from safedata.types import Strata, Stratification, Stream

RECORD: Final = "#record"
"""The internal component of a record that is not parsed yet: a scalar string."""


@dataclass(frozen=True)
class ParseExample(ElementNode):
    """Parse each record into the features named, held to the bounds of their types."""

    features: tuple[Parsed, ...]
    sequence: bool = False
    """Whether the records are `SequenceExample`s."""
    seen: bool = True
    """Whether every record was parsed at the check. One that is no `Example` is told otherwise before it is parsed:
    TensorFlow's parser shows the record in its error, and Python fails on one that is no UTF-8."""
    sizes: Mapping[str, Stratification] = field(
        default_factory=dict[str, Stratification], repr=False, compare=False
    )
    """By component: how many of the images or lists in it are of which size, where they were seen."""

    @property
    def fallible(self) -> bool:
        """Whether it may find the data bad: a record may be anything."""
        return True

    def title(self) -> str:
        """Return this step's name."""
        return "parse_sequence_example" if self.sequence else "parse_example"

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the features' types in place of the record."""
        made = {feature.name: feature.tensor for feature in self.features}
        kept = {name: tensor for name, tensor in before.element.items() if name != RECORD}
        skips = scope.on_error == "skip"
        cardinality = before.cardinality.weakened() if skips else before.cardinality
        return replace(before, element={**made, **kept}, cardinality=cardinality)

    def makes(self, before: Stream, after: Stream) -> frozenset[str]:
        """Return the features' names."""
        return frozenset(one.name for one in self.features) & frozenset(after.element)

    def strata(self, before: Stream, after: Stream, scope: Scope) -> Strata:
        """Return those of what passes by, and of texts: none is longer than the record that it is in."""
        found = dict(passing(before, after))
        records = before.strata.get(RECORD, ())
        for one in self.features:
            text = one.tensor.dtype == "string" and not one.tensor.rank
            longer = max((len(encode(value)) for value in one.default or ()), default=0)
            ways = [texts_in(one.tensor, strata, least=longer) for strata in records] if text else []
            ways += [seen] if (seen := self.sizes.get(one.name)) else []
            if ways:
                found[one.name] = tuple(ways)
        return found

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return the record, and whatever is no feature."""
        return (after - {feature.name for feature in self.features}) | {RECORD}

    def call_bytes(self, before: Stream, after: Stream, scope: Scope) -> int | None:
        """Return the record, its features, and what parsing it takes."""
        return add(before.bytes, *(one.tensor.bytes for one in self.features), parsing_bytes(self.features))

    def apply(self, values: Values, low: Lowering) -> Values:
        """Return the features of one record, with their bounds made true."""
        tf = low.tf
        where = Where(tf, "a record", low.origin, values.get(INDEX))
        record = enforce(tf, values[RECORD], low.before.element[RECORD], "record", where)
        if self.seen or self.sequence:
            found = parsed(tf, record, self.features, self.sequence, where)
        else:
            record = found_whole(tf, record, where)
            found = parsed_named(tf, record, self.features, self.sequence, where)
        kept = {name: value for name, value in values.items() if name != RECORD}
        return {**found, **kept}
