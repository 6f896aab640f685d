"""A function that makes several elements of one, or none: what it makes, packed into arrays with a row for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from safedata.external.callee import Callee
from safedata.external.running import Caller, components, kind_of, settled
from safedata.problem import Fault
from safedata.types import SCALAR_INT64, Dim, Tensor

COUNT = "#count"
"""The component that says how many elements one call made: int64."""


def sizes_of(name: str) -> str:
    """Return the name of the component that has the shapes of a component's rows: int64[rows, rank]."""
    return f"#sizes {name}"


def packed(outputs: Mapping[str, Tensor], most: int) -> dict[str, Tensor]:
    """Return the types of what one call makes: its elements' components stacked, shapes that differ, their number.

    Args:
        outputs: the type of each component of one element.
        most: how many elements one call makes at most.
    """
    rows = Dim.at_most(most, "declared")
    made = {name: tensor.with_leading(rows) for name, tensor in outputs.items()}
    for name, tensor in outputs.items():
        if not tensor.static:
            made[sizes_of(name)] = SCALAR_INT64.with_leading(rows, Dim.exactly(tensor.rank))
    return {**made, COUNT: SCALAR_INT64}


class SeveralCaller(Caller):
    """Calls a function for one element at a time, and gathers the elements that it makes."""

    def __init__(self, callee: Callee, parallel: int, most: int | None) -> None:
        """Take a function.

        Args:
            callee: as for `Caller`.
            parallel: how many calls of it may run at once.
            most: how many elements one call makes at most; None where it returns one element itself, or None.
        """
        super().__init__(callee, parallel)
        self.most = most

    def run(self, given: Sequence[Any], named: Mapping[str, Any]) -> Any:
        """Return the arrays of `packed`; the function's own code runs for as long as it is asked for elements."""
        made, outputs = super().run(given, named), self.callee.outputs
        room = _Room(outputs, self.most or 1)
        if self.most is None:
            if made is not None:
                room.add(made)
            return room.arrays()
        if isinstance(made, Mapping) or (len(outputs) == 1 and getattr(made, "shape", None)):
            return _columns(made, outputs, self.most)
        for one in _elements(made):
            room.add(one)
        return room.arrays()

    def settle(self, made: Any, given: Sequence[Any]) -> list[Any]:
        """Return the arrays, which are of their types already."""
        return cast("list[Any]", made)


def _elements(made: Any) -> Iterator[Any]:
    """Yield the elements that a function returned."""
    if isinstance(made, (str, bytes)) or not hasattr(made, "__iter__") or getattr(made, "shape", None) == ():
        told = "an iterable of elements, or arrays with a row for each, is declared"
        raise Fault("SD511", f"returned {kind_of(made)}, and {told}")
    yield from made


def _columns(made: Any, outputs: Mapping[str, Tensor], most: int) -> list[Any]:
    """Return the arrays of a function that returned them with a row for each element."""
    import numpy as np

    several, rows = components(made, outputs), Dim.at_most(most)
    found = {
        name: settled(several[name], name, tensor.with_leading(rows)) for name, tensor in outputs.items()
    }
    counts = {name: len(array) for name, array in found.items()}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"`{name}` {count}" for name, count in counts.items())
        raise Fault("SD511", f"returned components with different numbers of rows, {told}")
    count = next(iter(counts.values()))
    sizes = [
        np.tile(np.asarray(array.shape[1:], np.int64), (count, 1))
        for name, array in found.items()
        if not outputs[name].static
    ]
    return [*found.values(), *sizes, np.int64(count)]


class _Room:
    """Room for all elements that one call may make; its pages are not touched before there are elements in them."""

    def __init__(self, outputs: Mapping[str, Tensor], most: int) -> None:
        import numpy as np

        self.outputs = outputs
        self.most = most
        self.count = 0
        self._rows = {name: _empty(tensor, most) for name, tensor in outputs.items()}
        self._sizes = {
            name: np.zeros((most, tensor.rank), np.int64)
            for name, tensor in outputs.items()
            if not tensor.static
        }

    def add(self, made: Any) -> None:
        """Copy an element, which may be made in the same array as the next one.

        Raises:
            Fault: SD511, it is not as declared, or one too many.
        """
        if self.count == self.most:
            raise Fault(
                "SD511", f"made more than {self.most} elements of one, and `many: {self.most}` is declared"
            )
        several = components(made, self.outputs)
        for name, tensor in self.outputs.items():
            array = settled(several[name], name, tensor)
            place = (
                self.count,
                *(slice(size) for size in array.shape),
                ...,
            )  # so that text is put in, not an array
            self._rows[name][place] = array
            if name in self._sizes:
                self._sizes[name][self.count] = array.shape
        self.count += 1

    def arrays(self) -> list[Any]:
        """Return the elements in the order of `packed`."""
        import numpy as np

        both = [*self._rows.values(), *self._sizes.values()]
        return [*(array[: self.count] for array in both), np.int64(self.count)]


def _empty(tensor: Tensor, most: int) -> Any:
    import numpy as np

    shape = (most, *(dim.most or 0 for dim in tensor.shape))
    if tensor.dtype == "string":
        return np.full(shape, b"", object)
    return np.zeros(shape, tensor.dtype)
