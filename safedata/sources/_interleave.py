"""Elements of several files in turn, in place of one file after the other."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from safedata.fields import Int
from safedata.lowering import INDEX, Lowering, Values, as_written, rewrapped
from safedata.memory import HOST, KIB, Hold, times
from safedata.records import record, replace
from safedata.scope import COMPONENT_BYTES, THREAD_BYTES, Scope
from safedata.sources.base import Root
from safedata.stages._elements import slot_bytes
from safedata.stages._stacking import counted
from safedata.types import SCALAR_INT64, Strata, Stream

if TYPE_CHECKING:
    from typing_extensions import Self

    from safedata.sources._records import Places

_OPEN: Final = 96 * KIB
"""Bound on the datasets and iterators of one open file, beside its reader's buffer.

Measured as growth of `VmHWM` over one file's, for each of 200 files of 1 kB: 37 KiB of `text` and 47 of `csv` in one
epoch, 77 of `csv` with indices in the fourth epoch; of 600 and of 1,000 files a quarter less."""
_NAME: Final = 5 * COMPONENT_BYTES
"""Bound on a file's place in a shuffle's buffer beside its path: four components, and their slot."""
_FILE_BITS: Final = 32
"""Of an index, the low bits that count the elements of one file, where the files' own numbers are not known."""


class Interleave(BaseModel):
    """How to take turns between files: `interleave: 8`, or `{cycle: 8, block: 16, parallel: 2}`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)

    cycle: Annotated[Int, Field(ge=1)]
    """Files that are open at once."""
    block: Annotated[Int, Field(ge=1)] = 1
    """Elements in a row from one file, before the next one has its turn."""
    parallel: Annotated[Int, Field(ge=1)] = 1
    """Files that are read at once: above 1, threads of their own read a block of each open file ahead, in the same
    order as without. That helps where reading is work, as it is for compressed files."""

    shuffle: bool = False
    """Take the files in another order in each epoch, which follows from `runtime.seed`; elements keep their draws."""

    @model_validator(mode="after")
    def _within(self) -> Self:
        if self.parallel > self.cycle:
            raise ValueError(f"`parallel` is at most `cycle`, {self.cycle}: no more files are open at once")
        return self

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        """Return `4` as `{cycle: 4}`."""
        return {"cycle": value} if isinstance(value, (int, float)) and not isinstance(value, bool) else value


class FileRoot(Root):
    """A root over files, each of which can be read on its own."""

    by_reader: ClassVar[bool] = True

    files: tuple[str, ...]
    """One for each time that a file is read: one that is read twice stands here twice."""

    def keep(self, names: frozenset[str]) -> FileRoot:
        """Return the same root with no other components than these, as far as that costs nothing."""
        return self

    def common(self) -> Iterator[Hold]:
        """Yield those of its holds that count once however many files are open; nothing unless said."""
        yield from ()

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

    def of_place(self, low: Lowering, place: Any, file: Any, count: Any) -> Any:
        """Return the same for the file at a place in `files`, int64: where the path alone does not say what to read."""
        return self.of_file(low, file, count)

    def describe(self, index: int) -> str:
        """Return the file, and the line, row or record in it, of the element with this index, as far as known."""
        places = self.numbering()
        found = places.find(index) if places else None
        return f"{found[0]} {places.unit} {found[1]}" if places and found else super().describe(index)

    def located(self, index: int) -> dict[str, Any]:
        """Return the same in parts; of one file whose lines or records were not counted, the number of the record."""
        places = self.numbering()
        if places is None and len(self.files) == 1:
            return {"file": self.files[0], "record": index}
        return (places.located(index) if places else {}) or super().located(index)

    def origin(self, tf: Any, index: Any) -> Any:
        """Return the same inside the graph."""
        places = self.numbering()
        return places.origin(tf, index) if places and places.count else super().origin(tf, index)


def in_turn(root: FileRoot, said: Interleave | None) -> Root:
    """Return the root that takes turns between its files; the same one where that changes nothing."""
    if said is None or len(root.files) == 1 or (said.cycle == 1 and not said.shuffle):
        return root
    return Interleaved(root, said)


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

    @property
    def _parallel(self) -> int:
        return min(self.said.parallel, self._cycle)

    def title(self) -> str:
        """Return the source's name."""
        return self.inner.title()

    def numbered(self) -> Root:
        """Return the same root, whose elements have their indices."""
        return replace(self, indexed=True)

    def keep(self, names: frozenset[str]) -> Root:
        """Return the same root without what nothing needs, indices too."""
        return replace(self, inner=self.inner.keep(names), indexed=INDEX in names)

    def infer(self, scope: Scope) -> Stream:
        """Return the files' elements, with their indices where they are wanted."""
        stream = self.inner.infer(scope)
        return stream.with_element({**stream.element, INDEX: SCALAR_INT64}) if self.indexed else stream

    def strata(self, after: Stream) -> Strata:
        """Return those of the files' elements, in whatever order they come."""
        return self.inner.strata(after)

    def holds(self, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield what one file's reader holds, as often as files are open, and what is read ahead.

        Source: `C inner` (memory facts, 3.1, interleave without parallel calls), whatever the length of a block: the
        elements of a block are handed on one by one. In parallel a block of each file waits, and beside it the element
        that is being read: with cycles of 4 and blocks of 2 there were 9 elements once one was taken (measured).
        """
        silent = replace(scope, report=None)
        elements = self.inner.infer(silent)
        common = list(self.inner.common())
        yield from common
        for hold in self.inner.holds(elements, scope):
            if hold not in common:
                why = f"{self._cycle} files open: {hold.why}"
                yield hold._replace(bytes=times(self._cycle, hold.bytes), why=why, slots=())
        yield Hold(HOST, self._cycle * _OPEN, f"{self._cycle} files open: their iterators")
        if self.said.shuffle:
            longest = max(len(os.fsencode(file)) for file in self.inner.files)
            names = len(self.inner.files) * (_NAME + longest)
            yield Hold(HOST, names, f"a buffer of {len(self.inner.files)} files' names")
        if self._parallel > 1:
            waiting = self._cycle * (self.said.block + 1)
            ahead = times(waiting, slot_bytes(after, scope))
            yield Hold(HOST, ahead, f"{waiting} elements read ahead", after.weakest)
            # for each open file, and each that is read at once: measured 205 more for 200 files, 4 of them at once
            threads = self._cycle + self._parallel + 1
            yield Hold(HOST, threads * THREAD_BYTES, f"{threads} threads that read files")

    def lower(self, low: Lowering) -> Any:
        """Return the files' elements in turn, in the same order in every run."""
        tf = low.tf
        counts, firsts = self._numbers()
        places = tf.range(len(counts), dtype=tf.int64)
        slices = (
            places,
            list(self.inner.files),
            tf.constant(counts, tf.int64),
            tf.constant(firsts, tf.int64),
        )

        def elements(place: Any, file: Any, count: Any, first: Any) -> Any:
            found = self.inner.of_place(low, place, file, count)
            if not self.indexed:
                return found
            return found.enumerate(first).map(as_written(low, indexed))

        def indexed(index: Any, values: Values) -> Values:
            return {**values, INDEX: index}

        files = tf.data.Dataset.from_tensor_slices(slices)
        if self.said.shuffle:
            files = files.shuffle(len(counts), seed=low.seed & 0x7FFFFFFF, reshuffle_each_iteration=True)
            low.renews(files)
        data = files.interleave(
            as_written(low, elements), cycle_length=self._cycle, block_length=self.said.block
        )
        if self._parallel > 1:
            data = self._at_once(low, files, data)
        return counted(tf, data, low.after.cardinality)

    def _at_once(self, low: Lowering, files: Any, data: Any) -> Any:
        """Return `data`, the files in turn, read by several threads: a block of each open file ahead, and no more.

        `Dataset.interleave` opens three times as many files and reads two blocks of each ahead (memory facts, 3.1);
        the operation below it takes both numbers.
        """
        tf = low.tf
        traced = getattr(getattr(data, "_map_func", None), "function", None)
        if traced is None:  # then one after the other, as without `parallel`
            return data
        specs = tf.nest.flatten(data.element_spec)
        numbers = (self._cycle, self.said.block, self.said.block, 0, self._parallel)
        cycle, block, ahead, opened, calls = (tf.constant(number, tf.int64) for number in numbers)
        made = tf.raw_ops.ParallelInterleaveDatasetV4(
            input_dataset=tf.data.experimental.to_variant(files),
            other_arguments=traced.captured_inputs,
            cycle_length=cycle,
            block_length=block,
            buffer_output_elements=ahead,
            prefetch_input_elements=opened,
            num_parallel_calls=calls,
            f=traced,
            output_types=[spec.dtype for spec in specs],
            output_shapes=[spec.shape for spec in specs],
            deterministic="true" if low.deterministic else "false",
        )
        return rewrapped(tf, made, data.element_spec, (files, data))

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

    def located(self, index: int) -> dict[str, Any]:
        """Return the same in parts."""
        if self.inner.numbering() is not None:
            return self.inner.located(index)
        number, inside = divmod(index, 1 << _FILE_BITS)
        return {"file": self.inner.files[number], "record": inside}

    def reason(self, index: int, message: str) -> str | None:
        """Return why an element could not be read, where its file's reader knows."""
        return self.inner.reason(index, message) if self.inner.numbering() is not None else None

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
