"""A function of Python's as a step or a source declares it."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, JsonValue

from safedata.external.declared import Result, types
from safedata.external.target import Target, find, parse_target
from safedata.fields import Size
from safedata.memory import add, format_size
from safedata.problem import Fault
from safedata.records import replace
from safedata.types import Tensor

if TYPE_CHECKING:
    from safedata.external.callee import Callee

Arguments = dict[str, JsonValue]
"""What a function is handed by name beside the components: any values that YAML has."""
Seconds = Annotated[FiniteFloat, Field(gt=0, strict=False)]


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
    arguments: Arguments = Field(default_factory=dict)
    """What it is handed by name, the same in every call: `{width: 224, words: [a, the]}`. What its signature does not
    take is refused when the graph is built."""
    timeout_s: Seconds | None = None
    """The most seconds that a call may take, of a source those up to its next element; more is an error (SD251). Python
    can end no thread: the call goes on by itself, and nobody gets what it makes."""

    @property
    def target(self) -> Target:
        """The function's module and name."""
        return parse_target(self.function, known=True)

    @property
    def random(self) -> bool:
        """Whether it draws: it is handed a seed."""
        return self.seed

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
        check_names(self.arguments, self.seed)
        size = format_size(add(*(tensor.bytes for tensor in self.outputs.values())))
        if self.workspace is None:
            raise unsaid(
                self.function, f"an element that it makes takes {size} at most, which is counted already"
            )

    def callee(self, given: int) -> Callee:
        """Import the module and return the function as it will be called.

        Args:
            given: how many components it is handed.

        Raises:
            Fault: SD231 and SD232, as for `find`; SD250, as for `check_signature`.
        """
        from safedata.external.callee import Callee, check_signature

        try:
            function = find(self.target)
        except Fault as fault:
            raise replace(fault, at=("function",)) from fault.__cause__
        made = Callee(function, self.function, self.outputs, self.seed, self.arguments, self.timeout_s)
        check_signature(made, given)
        return made


def check_names(arguments: Collection[str], seeded: bool) -> None:
    """Raise SD105 where a name cannot be a parameter's, or is that of the seed that a function is handed anyway."""
    for name in arguments:
        at = ("arguments", name)
        if not name.isidentifier():
            problem = f"`{name}` is not a name for a parameter of a function"
            raise Fault(
                "SD105", problem, at, help="write it as the function's definition has it", on_key=True
            )
        if seeded and name == "seed":
            problem = "`seed: true` hands the function its `seed`, and `arguments` has another one"
            raise Fault("SD105", problem, at, help="leave one of them out", on_key=True)


def unsaid(function: str, note: str) -> Fault:
    """Return the fault of a function of which nobody says how many bytes it takes; `note` says what is known."""
    return Fault(
        "SD233",
        f"nobody says what `{function}` holds while it runs",
        notes=(note,),
        help="add `workspace: ...` with the most that one call holds beside that; `0 B` if that is nothing",
    )
