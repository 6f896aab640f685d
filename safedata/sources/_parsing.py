"""What the steps share that make columns of a line or a row that is not parsed yet."""

from __future__ import annotations

from abc import abstractmethod

from safedata.records import replace
from safedata.scope import Scope
from safedata.sources._records import RECORD, skipping
from safedata.stages.base import ElementNode
from safedata.strata import passing, texts_in
from safedata.types import Element, Strata, Stream


class ParseRecord(ElementNode):
    """Puts columns in the place of the record; whatever stands beside it passes by."""

    @property
    @abstractmethod
    def made(self) -> Element:
        """The columns' types, by name."""

    @property
    def fallible(self) -> bool:
        """Whether it may find the data bad: a record may be anything."""
        return True

    def read(self, before: Stream) -> Stream:
        """Return the stream with the columns in place of the record."""
        beside = {name: tensor for name, tensor in before.element.items() if name != RECORD}
        return replace(before, element={**self.made, **beside})

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the columns in place of the record; under `on_error: skip` of those that are not bad."""
        return skipping(self.read(before), scope)

    def strata(self, before: Stream, after: Stream, scope: Scope) -> Strata:
        """Return those of what passes by, and of texts: none is longer than the record that it is in."""
        found, records = dict(passing(before, after)), before.strata.get(RECORD, ())
        for name, tensor in self.made.items() if records else ():
            if tensor.dtype == "string" and not tensor.rank:
                found[name] = tuple(texts_in(tensor, one, least=self.given(name)) for one in records)
        return found

    @abstractmethod
    def given(self, name: str) -> int:
        """Return the bytes of the text that a column has where the record has none, 0 where there is none."""

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return the record, and whatever is no column."""
        return (after - set(self.made)) | {RECORD}
