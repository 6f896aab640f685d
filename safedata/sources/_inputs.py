"""What the combinators share: named inputs, each a source with steps of its own, and the root over them."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, WithJsonSchema

from safedata.lowering import EPOCH, INDEX, OK, ROW, Lowering, Values, as_written
from safedata.problem import Fault, Path
from safedata.records import record, replace
from safedata.scope import Scope, unheard
from safedata.sources._written import written_out
from safedata.sources.base import Inspected, Root, Source
from safedata.stages._step import Step
from safedata.stages.base import ElementNode, Node
from safedata.types import Stream

if TYPE_CHECKING:
    from safedata.sources._shelf import Work

KEYS = (INDEX, EPOCH, ROW, OK)
"""The internal components that tell elements apart, in the order in which they stand behind the others."""


@record(frozen=True, slots=True)
class Input:
    """One input as a spec says it: a source, and the steps behind it."""

    name: str
    source: Source
    steps: tuple[Step, ...]
    path: Path
    """Of the input, from the document's top."""
    source_path: Path
    """Of its source's value."""
    depth: int
    """How many parts of both lead to the combinator's value, below which its faults start."""

    @property
    def at(self) -> Path:
        """The path of the input below the combinator's value."""
        return self.path[self.depth :]

    @property
    def source_at(self) -> Path:
        """The path of its source's value below the combinator's."""
        return self.source_path[self.depth :]


@record(frozen=True, slots=True)
class Ready:
    """An input whose data's headers were read."""

    input: Input
    inspected: Inspected

    @property
    def name(self) -> str:
        """The input's name."""
        return self.input.name

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The steps between the input's source and the combinator."""
        return (*self.inspected.then, *(step.stage for step in self.input.steps))

    @property
    def fallible(self) -> Node | None:
        """The first step that may find the data bad, also in an input's own inputs; None where there is none."""
        inner = (one.fallible for one in self.inspected.root.parts())
        own = (node for node in self.nodes if node.fallible)
        return next((node for node in inner if node is not None), None) or next(own, None)

    @property
    def uneven(self) -> Iterator[tuple[Path, Node]]:
        """The steps that may give fewer elements, or batches, where an element is only a stand-in; with their paths.

        What is kept on disk is elements that could be read, so those that could not be are gone behind it.
        """
        for one in self.inspected.root.parts():
            yield from one.uneven
        losing = any(one.fallible for one in self.inspected.root.parts())
        for path, node in self._placed():
            losing = losing or node.fallible
            if not _keeps_pace(node) or (node.on_disk and losing):
                yield path, node

    @property
    def leaving(self) -> Iterator[tuple[Path, Node]]:
        """The steps that leave out by themselves what they fail on; with their paths."""
        for one in self.inspected.root.parts():
            yield from one.leaving
        for path, node in self._placed():
            if getattr(node, "leaves_out", None) is not None:
                yield path, node

    def _placed(self) -> Iterator[tuple[Path, Node]]:
        paths = [self.input.source_path] * len(self.inspected.then)
        paths += [step.path for step in self.input.steps]
        for path, node in zip(paths, self.nodes, strict=True):
            yield path[self.input.depth :], node

    def stream(self, scope: Scope) -> Stream:
        """Return the type of what leaves the input.

        Raises:
            Fault: a step does not fit what comes before it.
        """
        stream = self.inspected.root.infer(scope)
        for node in self.nodes:
            stream = node.infer(stream, scope)
        return stream


class Combinator(Source):
    """A source whose elements come from other sources."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, defer_build=True, arbitrary_types_allowed=True
    )

    combines: ClassVar[bool] = True

    inputs: Annotated[dict[str, Annotated[Input, WithJsonSchema({"type": "object"})]], Field(min_length=1)]
    """The inputs by name, or a list of them, which are then named `1`, `2` and so on: each a `source` with the `steps`
    behind it, or a source alone. Where nothing else is said, they may stand in the place of this field."""

    @abstractmethod
    def joint(self, inputs: tuple[Ready, ...], scope: Scope) -> Joint:
        """Return the root over inputs whose headers were read.

        Raises:
            Fault: a field speaks of inputs that there are not.
        """

    def inspect(self, scope: Scope) -> Inspected:
        """Return what the headers of all inputs say; the problems of each are reported.

        Raises:
            Fault: the data of an input is missing, unreadable or not what the spec says.
        """
        looked = [_looked_at(one, scope) for one in self.inputs.values()]
        faults = [one for one in looked if isinstance(one, Fault)]
        for fault in faults[:-1]:
            scope.fault(fault)
        if faults:
            raise faults[-1]
        ready = [one for one in looked if isinstance(one, Ready)]
        every = [(one.name, one.inspected) for one in ready]
        return Inspected(
            self.joint(tuple(ready), scope),
            fingerprint=_digest(self.key(), [f"{name}\0{found.fingerprint}" for name, found in every]),
            files=tuple(dict.fromkeys(path for _, found in every for path in found.files)),
            notes=tuple(f"{name}: {note}" for name, found in every for note in found.notes),
            declare="; ".join(f"in `{name}` {found.declare}" for name, found in every if found.declare),
        )

    def to_measure(self, scope: Scope) -> tuple[Work, ...]:
        """Return what has to be read of all inputs."""
        return tuple(work for one in self.inputs.values() for work in _works(one, scope))


def _looked_at(one: Input, scope: Scope) -> Ready | Fault:
    """Return an input with what its headers say, or what is wrong with its data."""
    try:
        found = one.source.inspect(scope.under(*one.source_at))
        return Ready(replace(one, steps=tuple(written_out(found, one.steps, scope))), found)
    except Fault as fault:
        return fault.under(*one.source_at)


def _works(one: Input, scope: Scope) -> tuple[Work, ...]:
    try:
        return one.source.to_measure(scope.under(*one.source_at))
    except Fault as fault:
        raise fault.under(*one.source_at) from None


def _digest(kind: str, parts: list[str]) -> str:
    return hashlib.sha256("\0".join([kind, *parts]).encode()).hexdigest()[:32]


@record(frozen=True)
class Joint(Root):
    """The root over several inputs. Its elements have the inputs' own keys, so draws do not depend on the order."""

    inputs: tuple[Ready, ...]

    @abstractmethod
    def joined(self, streams: tuple[Stream, ...], scope: Scope) -> Stream:
        """Return the type of the elements that these inputs give; reports what does not fit."""

    def parts(self) -> tuple[Ready, ...]:
        """Return the inputs."""
        return self.inputs

    def infer(self, scope: Scope) -> Stream:
        """Return the type of its elements; the inputs' own faults are theirs to report.

        Raises:
            Fault: a step of an input does not fit.
        """
        silent = replace(scope, report=unheard)
        return self.joined(tuple(one.stream(silent) for one in self.inputs), scope)

    def index_of(self, number: int, index: Any) -> Any:
        """Return an index that no element of another input has."""
        return index * len(self.inputs) + number

    def describe(self, index: int) -> str:
        """Return the input, and where the element comes from in it."""
        inner, number = divmod(index, len(self.inputs))
        one = self.inputs[number]
        return f"{one.name}: {one.inspected.root.describe(inner)}"

    def located(self, index: int) -> dict[str, Any]:
        """Return the same in parts."""
        inner, number = divmod(index, len(self.inputs))
        one = self.inputs[number]
        return {"input": one.name, **one.inspected.root.located(inner)}

    def reason(self, index: int, message: str) -> str | None:
        """Return why an element could not be read, where its input's source knows."""
        inner, number = divmod(index, len(self.inputs))
        return self.inputs[number].inspected.root.reason(inner, message)

    def origin(self, tf: Any, index: Any) -> Any:
        """Return the same inside the graph."""
        of = len(self.inputs)

        def told(number: int) -> Any:
            one = self.inputs[number]
            return tf.strings.join([f"{one.name}: ", one.inspected.root.origin(tf, index // of)])

        return tf.switch_case(tf.cast(index % of, tf.int32), [partial(told, number) for number in range(of)])

    def diagnose(self, message: str) -> str | None:
        """Return the file, of any input, that an error speaks of."""
        roots = (one.inspected.root for one in self.inputs)
        return next((found for root in roots if (found := root.diagnose(message)) is not None), None)


def _keeps_pace(node: Node) -> bool:
    """Return whether a step hands on each element, readable or not, or goes by places alone."""
    if isinstance(node, ElementNode):
        return type(node).lower is ElementNode.lower
    return node.commutes or node.ahead or node.freezes or node.title() in _ONLY_COMPONENTS


_ONLY_COMPONENTS = ("select", "drop", "rename", "enumerate")
"""Stages that change which components there are, and no element."""


def handed(data: Any, names: list[str], low: Lowering, number: int, of: int) -> Any:
    """Return an input's elements with these components, and an index that no other input's elements have.

    Args:
        data: the input's dataset.
        names: the components that are handed on, in their order.
        low: has TensorFlow.
        number: which input it is, from 0 on.
        of: how many there are.
    """
    tf = low.tf
    if set(data.element_spec) == set(names) and INDEX not in names:
        return data

    def renumbered(values: Values) -> Values:
        made = dict(values)
        if INDEX in names:
            made[INDEX] = values[INDEX] * of + number
            made.setdefault(ROW, tf.zeros_like(values[INDEX]))
        return {name: made[name] for name in names}

    return data.map(as_written(low, renumbered))


def keys_of(streams: tuple[Stream, ...]) -> Iterator[tuple[str, int]]:
    """Yield the keys that elements of any of these streams leave with, and the stream whose type is the key's.

    What tells the parts of one element apart is 0 in an input where that has not happened.
    """
    indexed = all(INDEX in one.element for one in streams)
    for key in KEYS:
        having = [number for number, one in enumerate(streams) if key in one.element]
        if having and (indexed if key == ROW else len(having) == len(streams)):
            yield key, having[0]
