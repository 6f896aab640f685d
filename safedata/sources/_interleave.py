"""Elements of several files in turn, in place of one file after the other."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from safedata.fields import Int
from safedata.lowering import INDEX, Lowering, Values, as_written
from safedata.memory import HOST, KIB, Hold, times
from safedata.records import record, replace
from safedata.scope import Scope
from safedata.sources.base import Root
from safedata.stages._stacking import counted
from safedata.types import SCALAR_INT64, Stream

if TYPE_CHECKING:
    from safedata.sources._records import Places

_OPEN: Final = 64 * KIB
"""Bound on the datasets and iterators of one open file."""
_FILE_BITS: Final = 32
"""Of an index, the low bits that count the elements of one file, where the files' own numbers are not known."""


class Interleave(BaseModel):
    """How to take turns between files: `interleave: 8`, or `{cycle: 8, block: 16}`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)

    cycle: Annotated[Int, Field(ge=1)]
    """Files that are open at once."""
    block: Annotated[Int, Field(ge=1)] = 1
    """Elements in a row from one file, before the next one has its turn."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        """Return `4` as `{cycle: 4}`."""
        return {"cycle": value} if isinstance(value, (int, float)) and not isinstance(value, bool) else value


class FileRoot(Root):
    """A root over files, each of which can be read on its own."""

    files: tuple[str, ...]

    @abstractmethod
    def numbering(self) -> Places | None:
        """Return where each element lies; None where they were not all read."""

    @abstractmethod
    def of_file(self, low: Lowering, file: Any, count: Any) -> Any:
        """Return the dataset of one file's elements.

        Args:
            low: the surroundings of the whole source.
            file: its path, a scalar string tensor.
            count: how many elements it has, int64; 0 where that is not known.
        """


def in_turn(root: FileRoot, said: Interleave | None) -> Root:
    """Return the root that takes turns between its files; the same one where that changes nothing."""
    return root if said is None or min(said.cycle, len(root.files)) == 1 else Interleaved(root, said)


@record(frozen=True)
class Interleaved(Root):
    """The same elements with the same indices as one file after the other gives, in another order."""

    inner: FileRoot
    said: Interleave
    indexed: bool = False
    """Whether each element has its index: it cannot be counted behind this step, which reorders them."""

    @property
    def _cycle(self) -> int:
        return min(self.said.cycle, len(self.inner.files))

    def title(self) -> str:
        """Return the source's name."""
        return self.inner.title()

    def numbered(self) -> Root:
        """Return the same root, whose elements have their indices."""
        return replace(self, indexed=True)

    def keep(self, names: frozenset[str]) -> Root:
        """Return the same root, with indices only where something needs them."""
        return replace(self, indexed=INDEX in names)

    def infer(self, scope: Scope) -> Stream:
        """Return the files' elements, with their indices where they are wanted."""
        stream = self.inner.infer(scope)
        return stream.with_element({**stream.element, INDEX: SCALAR_INT64}) if self.indexed else stream

    def holds(self, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield what one file's reader holds, as often as files are open.

        Source: `C inner` (memory facts, 3.1, interleave without parallel calls), whatever the length of a block: the
        elements of a block are handed on one by one.
        """
        silent = replace(scope, report=None)
        for hold in self.inner.holds(self.inner.infer(silent), scope):
            yield hold._replace(
                bytes=times(self._cycle, hold.bytes), why=f"{self._cycle} files open: {hold.why}"
            )
        yield Hold(HOST, self._cycle * _OPEN, f"{self._cycle} files open: their iterators")

    def lower(self, low: Lowering) -> Any:
        """Return the files' elements in turn: always in the same order."""
        tf = low.tf
        counts, firsts = self._numbers()
        slices = (list(self.inner.files), tf.constant(counts, tf.int64), tf.constant(firsts, tf.int64))

        def elements(file: Any, count: Any, first: Any) -> Any:
            found = self.inner.of_file(low, file, count)
            if not self.indexed:
                return found
            return found.enumerate(first).map(as_written(low, indexed))

        def indexed(index: Any, values: Values) -> Values:
            return {**values, INDEX: index}

        files = tf.data.Dataset.from_tensor_slices(slices)
        data = files.interleave(
            as_written(low, elements), cycle_length=self._cycle, block_length=self.said.block
        )
        return counted(tf, data, low.after.cardinality)

    def _numbers(self) -> tuple[list[int], list[int]]:
        """Return how many elements each file has, 0 where that is not known, and the index of its first one."""
        files, places = len(self.inner.files), self.inner.numbering()
        if places is None:
            return [0] * files, [number << _FILE_BITS for number in range(files)]
        counts, firsts = [0] * files, [0] * files
        starts = [*places.starts, places.count]
        for run in reversed(range(len(places.starts))):
            counts[places.files[run]] += starts[run + 1] - starts[run]
            firsts[places.files[run]] = starts[run]
        return counts, firsts

    def describe(self, index: int) -> str:
        """Return where the element with this index comes from."""
        if self.inner.numbering() is not None:
            return self.inner.describe(index)
        number, inside = divmod(index, 1 << _FILE_BITS)
        return f"{self.inner.files[number]} element {inside}"

    def origin(self, tf: Any, index: Any) -> Any:
        """Return the same inside the graph."""
        if self.inner.numbering() is not None:
            return self.inner.origin(tf, index)
        number, inside = index // (1 << _FILE_BITS), index % (1 << _FILE_BITS)
        file = tf.gather(tf.constant(self.inner.files), number)
        return tf.strings.join([file, " element ", tf.strings.as_string(inside)])

    def diagnose(self, message: str) -> str | None:
        """Return the file, and the offset in it, that an error of TensorFlow's readers speaks of."""
        return self.inner.diagnose(message)
