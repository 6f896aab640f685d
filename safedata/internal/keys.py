"""What random operations and error messages need of an element: its index and its epoch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from safedata.lowering import EPOCH, INDEX, OK, Lowering, Values, as_written, rewrapped
from safedata.memory import HOST, Hold
from safedata.scope import Scope
from safedata.stages.base import ElementNode, Node
from safedata.types import BOOL, SCALAR_INT64, Stream

_ONE_NUMBER = 1024
"""Bytes of the one-element dataset that holds an epoch's number, with its iterator; measured below 1 kB."""


class Identify(Node):
    """Count the elements as they leave the source: the index that errors and draws refer to."""

    aligned: ClassVar[bool] = True
    once: ClassVar[bool] = True

    def title(self) -> str:
        """Return this step's name."""
        return "enumerate"

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the stream with an index beside each element."""
        return before.with_element({**before.element, INDEX: SCALAR_INT64})

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return what must come in: all but the index."""
        return after - {INDEX}

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the number; the rest of the element is held by the step that made it."""
        yield Hold(HOST, SCALAR_INT64.bytes, "the element's index")

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the enumerated dataset."""

        def indexed(index: Any, values: Values) -> Values:
            return {**values, INDEX: index}

        return data.enumerate(low.first).map(as_written(low, indexed))


class Epoch(Node):
    """Put the epoch's own number beside each element, another one each time the data is gone through."""

    aligned: ClassVar[bool] = True
    once: ClassVar[bool] = True

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def title(self) -> str:
        """Return this step's name."""
        return "epoch"

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the stream with the epoch's number beside each element: one for each index in a batch."""
        return before.with_element({**before.element, EPOCH: before.element.get(INDEX, SCALAR_INT64)})

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return what must come in: all but the epoch."""
        return after - {EPOCH}

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the number and the dataset that it comes from; the element is held by the step that made it."""
        yield Hold(HOST, _ONE_NUMBER, "the epoch's number")

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the dataset zipped with one random number that is drawn anew for each iterator.

        `rerandomize_each_iteration` gives another number each epoch, and the same ones in a new process.
        """
        tf = low.tf
        forever = each_epoch(low, self.seed)

        def stamped(epoch: Any, values: Values) -> Values:
            batched = low.before.batch_dims and INDEX in values
            return {**values, EPOCH: tf.fill(tf.shape(values[INDEX]), epoch) if batched else epoch}

        both = tf.data.Dataset.zip((forever, data))
        renewed = EPOCH in data.element_spec  # behind a cache, which has kept an earlier one
        if renewed or (low.before.batch_dims and INDEX in data.element_spec):
            return both.map(as_written(low, stamped))
        # The tensors of a mapping stand in the order of their names: `#epoch` before all others, as they are here.
        structure = {**data.element_spec, EPOCH: forever.element_spec}
        return rewrapped(tf, tf.data.experimental.to_variant(both), structure, both)


def each_epoch(low: Lowering, seed: int) -> Any:
    """Return an endless dataset of one number, an int64 that is another one in each epoch."""
    tf = low.tf

    def repeated(one: Any) -> Any:
        return tf.data.Dataset.from_tensors(one).repeat()

    number = tf.data.Dataset.random(seed & 0x7FFFFFFF, rerandomize_each_iteration=True)
    return low.renews(number).take(1).flat_map(as_written(low, repeated))


class Readable(Node):
    """Put beside each element that it could be read so far.

    In an input of `zip` an element that fails stays, as a stand-in, so that those behind it keep their partners.
    """

    aligned: ClassVar[bool] = True
    once: ClassVar[bool] = True

    def title(self) -> str:
        """Return this step's name."""
        return "readable"

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the stream with the mark beside each element."""
        return before.with_element({**before.element, OK: BOOL})

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return what must come in: all but the mark."""
        return after - {OK}

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the mark; the rest of the element is held by the step that made it."""
        yield Hold(HOST, BOOL.bytes, "whether the element could be read")

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the dataset of marked elements."""

        def marked(values: Values) -> Values:
            return {**values, OK: low.tf.constant(True)}

        return data.map(as_written(low, marked))


class Keep(ElementNode):
    """Drop every component that no later step needs, so that no buffer holds it."""

    def __init__(self, names: frozenset[str]) -> None:
        self.names = names

    def title(self) -> str:
        """Return nothing: this runs inside another step."""
        return ""

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the stream with only these components."""
        return before.with_element({name: t for name, t in before.element.items() if name in self.names})

    def call_bytes(self, before: Stream, after: Stream, scope: Scope) -> int | None:
        """Return the element: nothing is copied."""
        return before.bytes

    def apply(self, values: Values, low: Lowering) -> Values:
        """Return the element with only these components."""
        return {name: value for name, value in values.items() if name in self.names}
