"""A function of Python's as a step or a source declares it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict

from safedata.external.declared import Result, types
from safedata.external.target import Target, find, parse_target
from safedata.fields import Size
from safedata.memory import add, format_size
from safedata.problem import Fault
from safedata.records import replace
from safedata.types import Tensor


class Function(BaseModel):
    """What a spec says of a function that it names, and what is imported of it: nothing until the graph is built."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)

    function: str
    """The function: `package.module:function`."""
    returns: dict[str, str | Result]
    """The type of each component of an element that it makes: `{image: "uint8[224, 224, 3]"}`. With more than the type:
    `{image: {type: "float32[224, 224, 3]", range: [0, 1], kind: image}}`."""
    workspace: Size | None = None
    """The most that one call holds beside what it takes and returns as arrays, with its share of what the module keeps.
    Lists of Python's numbers count too."""
    seed: bool = False
    """Whether it takes a `seed`, an int that follows from `runtime.seed`, the epoch and, for a step, the index of the
    element. A function that draws otherwise gives other elements in each run."""
    version: str | int | None = None
    """Which version of the function this is, for manifests and caches: another one says that elements change."""

    @property
    def target(self) -> Target:
        """The function's module and name."""
        return parse_target(self.function, known=True)

    @property
    def outputs(self) -> dict[str, Tensor]:
        """The type of each component that it makes."""
        return types(self.returns)

    def check(self) -> None:
        """Raise what is wrong with the declaration.

        Raises:
            Fault: SD105, a name or a type cannot be read; SD204 and SD205, as for `types`; SD231, the caller does not
                allow the module; SD233, nobody says how many bytes the function takes.
        """
        try:
            parse_target(self.function)
        except Fault as fault:
            raise replace(fault, at=("function",)) from None
        size = format_size(add(*(tensor.bytes for tensor in self.outputs.values())))
        if self.workspace is None:
            raise Fault(
                "SD233",
                f"nobody says what `{self.function}` holds while it runs",
                notes=(f"an element that it makes takes {size} at most, which is counted already",),
                help="add `workspace: ...` with the most that one call holds beside elements; `0 B` if that is nothing",
            )

    def found(self) -> Callable[..., Any]:
        """Import the module and return the function.

        Raises:
            Fault: SD231 and SD232, as for `find`.
        """
        try:
            return find(self.target)
        except Fault as fault:
            raise replace(fault, at=("function",)) from fault.__cause__
