"""A source's elements shared out to the workers of a service, each with the number that it has in the source."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Final, Literal

from safedata.lowering import Lowering, as_written
from safedata.memory import HOST, KIB, Hold
from safedata.scope import Scope
from safedata.stages.base import Node
from safedata.types import Stream

PARTS: Final = 64
"""Into how many parts a source is cut: enough for a dozen workers of different speed; each is begun by going past those
before it."""
_ITERATOR: Final = 64 * KIB
"""Bound on the dataset and the iterator of a part beside its elements."""

Sharing = Literal["off", "dynamic", "data", "hint"]
"""TensorFlow's `ShardingPolicy`, those of them under which elements keep their numbers."""


class Parted(Node):
    """Let a worker have some of the source's elements: parts that it asks for, or every n-th element.

    TensorFlow's own dynamic sharding cuts each of a pipeline's sources by itself, the one that counts the elements too:
    then two workers give one number to different elements (seen with 2.21: `(0, 1)` and `(1, 2)` beside `(0, 0)`). Here
    the one source that is cut has the numbers of parts, and the elements of a part are counted before it is taken.
    """

    commutes: ClassVar[bool] = True

    def __init__(self, sharing: Sharing) -> None:
        self.sharing = sharing

    def title(self) -> str:
        """Return this step's name."""
        return "parts"

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the stream: all workers together have all of it."""
        return before

    def size(self, before: Stream) -> int:
        """Return how many elements a part has."""
        return max(1, -(-(before.cardinality.most or 0) // PARTS))

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the part in work; its elements are held by the step that made them."""
        if self.sharing == "dynamic":
            yield Hold(HOST, _ITERATOR, f"a part of {self.size(before)} elements")

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the dataset of which each worker gets a part."""
        tf = low.tf
        if self.sharing == "hint":
            hint = tf.data.experimental.SHARD_HINT
            return data.shard(hint, hint)
        size, count = self.size(low.before), low.before.cardinality.most or 0

        def part(number: Any) -> Any:
            return data.skip(number * size).take(size)

        parts = tf.data.Dataset.range(-(-count // size))
        made = parts.flat_map(as_written(low, part))
        made.safedata_keeps = data
        return made
