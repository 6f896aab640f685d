"""`zip`: sources side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from safedata.cardinality import INFINITE, UNKNOWN, Cardinality, at_most, exactly
from safedata.lowering import INDEX, OK, Lowering, Values, as_written
from safedata.memory import HOST, Hold, weakest
from safedata.problem import Fault, Path
from safedata.records import record, replace
from safedata.scope import Scope
from safedata.sources._inputs import KEYS, Combinator, Joint, Ready, handed
from safedata.sources.base import Root
from safedata.sources.combined._alike import batched
from safedata.stages._stacking import counted
from safedata.stages.base import Node
from safedata.types import Stream, Tensor


class Zip(Combinator):
    """The first elements of all inputs as one element, then the second ones, up to the end of the shortest.

    Each input's components become the element's, so no two inputs may have one of the same name: `rename` or `drop`
    it in an input's steps, or put the input's name in front of all with `prefix`. Elements are paired by their place
    alone: an input whose order or number changes by itself is paired with others than before.
    """

    example: ClassVar[str] = "zip: {number: {range: 10}, row: {numpy: {image: images.npy}}}"

    prefix: bool = False
    """Put an input's name and `_` in front of the names of its components: `mask_path`."""

    def joint(self, inputs: tuple[Ready, ...], scope: Scope) -> Zipped:
        """Return the root over inputs whose headers were read."""
        fallible = len(inputs) > 1 and any(one.fallible for one in inputs)
        return Zipped(inputs, self.prefix, marked=scope.on_error == "skip" and fallible)


@record(frozen=True)
class Zipped(Joint):
    """One element of each input, their components merged; it has the epoch of the first input's, and its index.

    Where elements may be left out, those of the inputs are marked instead, so that the others keep their partners,
    and an element with a part that could not be read is left out here.
    """

    prefix: bool
    marked: bool = False
    """Whether the inputs' elements are marked as readable or not."""
    hands_on: bool = False
    """Whether it marks its own elements in place of leaving them out: it is an input of another one."""

    def title(self) -> str:
        """Return the source's name."""
        return "zip"

    def _name(self, number: int, component: str) -> str:
        return f"{self.inputs[number].name}_{component}" if self.prefix else component

    def wanted(self, number: int, after: frozenset[str]) -> frozenset[str]:
        """Return the input's own names of the components; the keys come from the first input, marks from all."""
        keys = frozenset(KEYS) & after if number == 0 else frozenset[str]()
        keys = keys | {OK, INDEX} if self.marked else keys
        start = f"{self.inputs[number].name}_" if self.prefix else ""
        own = (name for name in after if name[:1] != "#" and name.startswith(start))
        return keys | {name.removeprefix(start) for name in own}

    def keep(self, names: frozenset[str]) -> Root:
        """Return the root that leaves unreadable elements out, or the one that hands them on with their marks."""
        return replace(self, hands_on=OK in names)

    def joined(self, streams: tuple[Stream, ...], scope: Scope) -> Stream:
        """Return the merged components; reports what cannot be paired."""
        for fault in self._faults(streams, scope):
            scope.fault(fault)
        element: dict[str, Tensor] = {}
        for number, stream in enumerate(streams):
            for name, tensor in stream.visible.items():
                element.setdefault(self._name(number, name), tensor)
        keys = [key for key in KEYS if key != OK or self.hands_on]
        element |= {key: streams[0].element[key] for key in keys if key in streams[0].element}
        shared = streams[0].shared if all(one.shared for one in streams) else None
        least = _least(tuple(one.cardinality for one in streams))
        return Stream(
            element,
            least.weakened() if self.marked else least,
            streams[0].batch_dims,
            shared,
            weakest(*(one.evidence for one in streams)),
            strata={
                self._name(at, name): ways
                for at, one in enumerate(streams)
                for name, ways in one.strata.items()
            },
        )

    def _faults(self, streams: tuple[Stream, ...], scope: Scope) -> Iterator[Fault]:
        first, seen, pairs = streams[0], dict[str, str](), len(streams) > 1
        for ready, stream in zip(self.inputs, streams, strict=True):
            one = ready.input
            clash = [] if self.prefix else [name for name in stream.visible if name in seen]
            if clash:
                yield _clash(one.name, clash[0], seen[clash[0]]).under(*one.at)
            seen |= dict.fromkeys(stream.visible, one.name)
            if stream.batch_dims != first.batch_dims:
                yield batched(one.name, stream, self.inputs[0].name, first, "zip").under(*one.at)
            if self.marked and ready.fallible is not None:
                yield from (_uneven(node, ready, at) for at, node in ready.uneven)
            if pairs and scope.on_error != "skip":
                yield from (_leaving(node, ready, at) for at, node in ready.leaving)

    def holds(self, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the elements that wait for those of the other inputs."""
        yield Hold(HOST, after.bytes, "one element of each input", after.weakest)

    def lower(self, low: Lowering) -> Any:
        """Return the zipped dataset with its components merged."""
        of = len(low.inputs)
        parts = [
            handed(data, list(data.element_spec), low, number, of) for number, data in enumerate(low.inputs)
        ]
        zipped = low.tf.data.Dataset.zip(tuple(parts))

        def readable(*parts: Values) -> Any:
            return low.tf.reduce_all([values[OK] for values in parts])

        def merged(*parts: Values) -> Values:
            made: Values = {key: value for key, value in parts[0].items() if key in KEYS}
            for number, values in enumerate(parts):
                made |= {self._name(number, name): one for name, one in values.items() if name[:1] != "#"}
            made |= {OK: readable(*parts)} if self.hands_on and self.marked else {}
            return {name: made[name] for name in low.after.element}

        if self.marked and not self.hands_on:
            zipped = zipped.filter(as_written(low, readable))
        return counted(low.tf, zipped.map(as_written(low, merged)), low.after.cardinality)


def _least(counts: tuple[Cardinality, ...]) -> Cardinality:
    """Return how many elements the shortest input has."""
    ends = [one for one in counts if one.kind != "infinite"]
    known = [one.count for one in ends if one.count is not None]
    if not ends:
        return INFINITE
    if not known:
        return UNKNOWN
    return exactly(min(known)) if all(one.kind == "exactly" for one in ends) else at_most(min(known))


def _clash(name: str, component: str, other: str) -> Fault:
    message = f"`{name}` and `{other}` both have a component `{component}`"
    way_out = f"in `{name}`, write `steps: [{{drop: {component}}}]`, or `rename` it; or `prefix: true` beside `inputs`"
    return Fault("SD223", message, help=way_out)


def _leaving(node: Node, ready: Ready, at: Path) -> Fault:
    """Return the fault of a step that leaves elements out where nothing marks them."""
    told = f"`{node.title()}` is a step of `{ready.name}` and leaves out what it fails on"
    message = f"{told}, so `zip` would pair the elements behind with the wrong ones"
    return Fault("SD224", message, at, help="move it behind the source, into `steps`", on_key=True)


def _uneven(node: Node, ready: Ready, at: Path) -> Fault:
    """Return the fault of a step that would not keep an element that cannot be read in its place."""
    fallible = ready.fallible.title() if ready.fallible is not None else ""
    message = (
        f"`{node.title()}` is a step of `{ready.name}`, of which `{fallible}` may leave out elements, so `zip` "
        "would pair those behind with the wrong ones"
    )
    way_out = f"move `{node.title()}` behind the source, into `steps`; or write `runtime: {{on_error: fail}}`"
    return Fault("SD224", message, at, help=way_out, on_key=True)
