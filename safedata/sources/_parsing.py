"""What the steps share that make columns of a line or a row that is not parsed yet."""

from __future__ import annotations

from abc import abstractmethod

from safedata.records import replace
from safedata.scope import Scope
from safedata.sources._records import RECORD, skipping
from safedata.stages.base import ElementNode
from safedata.types import Element, Stream


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

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return the record, and whatever is no column."""
        return (after - set(self.made)) | {RECORD}
