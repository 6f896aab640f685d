"""The structure that the training loop receives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, cast

from safedata.lowering import Lowering, Values, as_written, rewrapped
from safedata.memory import HOST, Hold
from safedata.problem import Fault, did_you_mean
from safedata.scope import Scope
from safedata.stages.base import Node
from safedata.types import Stream

Structure = Any
"""A component's name, or a tuple, or a dict of structures."""


class Output(Node):
    """Give each element the structure that `output` says: a dict, or a tuple as `model.fit` takes it."""

    aligned: ClassVar[bool] = True
    once: ClassVar[bool] = True

    def __init__(self, structure: Structure) -> None:
        self.structure = structure

    def title(self) -> str:
        """Return this step's name."""
        return "output"

    def orderly(self, before: Stream) -> bool:
        """Whether it does with each element the same as with the one before: always."""
        return True

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the stream with only the components that leave."""
        visible = before.visible
        for path, name in leaves(self.structure):
            if name not in visible:
                known = did_you_mean(name, visible, what="components")
                scope.fault(Fault("SD201", f"there is no component `{name}` to put out", path, help=known))
        wanted = {name for _, name in leaves(self.structure)}
        after = before.with_element({name: t for name, t in before.element.items() if name in wanted})
        return after.narrowed(before.together)

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return the components named."""
        return frozenset(name for _, name in leaves(self.structure))

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield nothing: the tensors are handed on as they are, held by the step that made them."""
        yield from ()

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the dataset of restructured elements; where only names fall away, without a step of its own.

        A step would cost 4 ms with every new iterator.
        """
        tf = low.tf
        wanted = tf.nest.flatten(rebuild(self.structure, lambda name: name))
        # Sorted is the order in which TensorFlow keeps a dict's components; on a GPU a step costs nothing.
        if low.before.place == HOST and wanted == sorted(data.element_spec):
            renamed = rebuild(self.structure, data.element_spec.__getitem__)
            return rewrapped(tf, tf.data.experimental.to_variant(data), renamed, data)

        def restructured(values: Values) -> Any:
            return rebuild(self.structure, values.__getitem__)

        return data.map(as_written(low, restructured))


def leaves(
    structure: Structure, path: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield every component named in a structure with the path to it."""
    if isinstance(structure, str):
        yield path, structure
        return
    for key, part in _parts(structure):
        yield from leaves(part, (*path, key))


def _parts(structure: Structure) -> Iterable[tuple[str | int, Structure]]:
    if isinstance(structure, dict):
        return cast("dict[str | int, Structure]", structure).items()
    return enumerate(cast("tuple[Structure, ...]", structure))


def rebuild(structure: Structure, leaf: Callable[[str], Any]) -> Any:
    """Return the structure with each name replaced by what `leaf` makes of it."""
    if isinstance(structure, str):
        return leaf(structure)
    if isinstance(structure, dict):
        return {key: rebuild(part, leaf) for key, part in _parts(structure)}
    return tuple(rebuild(part, leaf) for _, part in _parts(structure))
