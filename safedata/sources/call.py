"""`call`: elements that a function of Python's yields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, cast

from pydantic import BeforeValidator, WithJsonSchema, model_validator

from safedata import draws
from safedata.cardinality import INFINITE, UNKNOWN, Cardinality, at_most, exactly
from safedata.external.arguments import crossing_bytes, positive, scratch_bytes
from safedata.external.function import Function
from safedata.internal.keys import each_epoch
from safedata.lowering import Lowering, as_written
from safedata.memory import HOST, Hold, add, times
from safedata.records import record
from safedata.scope import THREAD_BYTES, Scope
from safedata.sources.base import Inspected, Root, Source
from safedata.stages._scratch import left_behind
from safedata.stages._stacking import counted
from safedata.types import Stream, element_bytes

if TYPE_CHECKING:
    from typing_extensions import Self

_MACHINERY: Final = 1 << 16
"""Bytes of the datasets that start, ask and close a generator, of their iterators, and of Python's frames."""
_WORDS: Final = {"unknown": UNKNOWN, "infinite": INFINITE}


def _cardinality(value: object) -> object:
    if isinstance(value, Cardinality):
        return value
    if isinstance(value, str) and value in _WORDS:
        return _WORDS[value]
    if _is_count(value):
        return exactly(cast("int", value))
    given = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    if len(given) == 1 and _is_count(given.get("at_most")):
        return at_most(cast("int", given["at_most"]))
    raise ValueError("`cardinality` is a number of elements, `{at_most: 1000}`, `unknown` or `infinite`")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


_COUNT: Final = {"type": "integer", "minimum": 0}
Declared = Annotated[
    Cardinality,
    BeforeValidator(_cardinality),
    WithJsonSchema(
        {
            "anyOf": [
                _COUNT,
                {"enum": list(_WORDS)},
                {
                    "type": "object",
                    "properties": {"at_most": _COUNT},
                    "required": ["at_most"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
"""How many elements an epoch has, as somebody says."""


class Call(Function, Source):
    """The elements that a function of a module yields which the caller allows.

    The function returns an iterable, a generator say: each element is the component that `returns` declares, or a dict
    of them. It is called anew for each epoch, with another `seed` where it takes one, and its generator is closed when
    the epoch ends or its iterator is let go. Each element is held to `returns`, and their number to `cardinality`
    (SD511); what it raises ends the run, under `on_error: skip` too, since no generator goes on behind an exception.

    It runs under Python's lock, one element at a time, and a pipeline with it cannot be written to a file or sent to
    another process. A check takes its word and imports nothing.
    """

    example: ClassVar[str] = (
        'call: {function: "mine.data:photos", returns: {image: "uint8[32, 32, 3]", label: "int64[]"}, '
        "cardinality: 1000, workspace: 1MiB, version: 1}"
    )
    python: ClassVar[bool] = True

    cardinality: Declared
    """How many elements an epoch has: `1000`, `{at_most: 1000}`, `unknown` or `infinite`."""

    @model_validator(mode="after")
    def _sound(self) -> Self:
        self.check()
        return self

    def inspect(self, scope: Scope) -> Inspected:
        """Return the root; nothing is imported, and there is no data to look at."""
        types = "; ".join(f"{name} {tensor} {tensor.range}" for name, tensor in self.outputs.items())
        text = f"call {self.function} {self.version} {self.seed} {self.cardinality} {types}"
        return Inspected(CallRoot(self), fingerprint=text)


@record(frozen=True)
class CallRoot(Root):
    """Elements out of a generator."""

    source: Call

    def title(self) -> str:
        """Return the source's name."""
        return "call"

    def infer(self, scope: Scope) -> Stream:
        """Return the types and the number that are declared."""
        return Stream(self.source.outputs, self.source.cardinality, evidence="declared")

    def holds(self, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield what is declared, and the element twice: as the function made it, and as TensorFlow's copy of that."""
        made = element_bytes(self.source.outputs)
        crossing = add(*(crossing_bytes(tensor) for tensor in self.source.outputs.values()))
        yield Hold(HOST, self.source.workspace, "what the function holds", "declared")
        yield Hold(
            HOST, add(times(2, made), crossing), "an element, as Python's and as TensorFlow's", "declared"
        )
        yield Hold(HOST, _MACHINERY, "the generator")
        yield from left_behind(self.scratch(after, scope), 1, scope, "declared")
        if self.source.timeout_s is not None:
            yield Hold(HOST, THREAD_BYTES, "the generator's thread")

    def scratch(self, after: Stream, scope: Scope) -> int | None:
        """Return what the function may leave in the arena of a thread that asks it for an element."""
        return scratch_bytes(self.source.workspace, self.source.outputs.values())

    def lower(self, low: Lowering) -> Any:
        """Return the dataset of the elements.

        Raises:
            Fault: SD231 and SD232, the function cannot be had.
        """
        from safedata.external.feed import Feed

        tf, source = low.tf, self.source
        outputs = source.outputs
        feed = Feed(source.callee(0), source.cardinality)
        spec = {name: tf.TensorSpec(tensor.static_shape, tensor.dtype) for name, tensor in outputs.items()}
        seed = draws.derive_seed(low.seed, "call")

        def started(epoch: Any) -> Any:
            key = positive(tf, draws.parted(tf, tf.constant(seed, tf.int64), epoch))
            return tf.data.Dataset.from_generator(feed, output_signature=spec, args=(key,))

        if source.seed:
            data = each_epoch(low, seed).take(1).flat_map(as_written(low, started))
        else:
            data = tf.data.Dataset.from_generator(feed, output_signature=spec)
        return counted(tf, data, source.cardinality)

    def origin(self, tf: Any, index: Any) -> Any:
        """Return where the element with this index comes from: the function, and its number."""
        return tf.strings.join([f"{self.source.function} element ", tf.strings.as_string(index)])

    def describe(self, index: int) -> str:
        """Return the same as text."""
        return f"{self.source.function} element {index}"
