"""An expression as the first operation of a chain: `{from: "= label - 1"}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from pydantic import PrivateAttr

from safedata.insist import Where
from safedata.lowering import Call
from safedata.ops.base import Joint
from safedata.problem import Fault
from safedata.types import Tensor


class Formula(Protocol):
    """An expression that was read; `safedata.expr.Expression` is one."""

    @property
    def text(self) -> str:
        """As the spec has it."""
        ...

    @property
    def names(self) -> frozenset[str]:
        """The components that it reads."""
        ...

    @property
    def random(self) -> bool:
        """Whether it draws."""
        ...

    @property
    def on_gpu(self) -> bool:
        """Whether a GPU can run it."""
        ...

    @property
    def batchable(self) -> bool:
        """Whether it takes a batch."""
        ...

    @property
    def resident(self) -> int:
        """What it keeps for all calls together, in bytes."""
        ...

    @property
    def uncertain(self) -> bool:
        """Whether values may be bad for it, as far as its text tells."""
        ...

    def infer(self, element: Mapping[str, Tensor]) -> Tensor:
        """Return the type of the result."""
        ...

    def fails(self, element: Mapping[str, Tensor]) -> bool:
        """Return whether values of these types may be bad for it."""
        ...

    def guards(self, element: Mapping[str, Tensor], where: Where) -> Mapping[int, Any]:
        """Return what `lower` has to be handed so that it names what is wrong, and with which element."""
        ...

    def workspace(self, element: Mapping[str, Tensor], *, alone: bool = True) -> int | None:
        """Return a bound on the bytes of intermediates, of its own where nothing else in its call reads the same."""
        ...

    def given(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return those of an element's components that it reads, with the key of its draws."""
        ...

    def lower(
        self, tf: Any, values: Mapping[str, Any], batch_dims: int, seed: int, guards: Mapping[int, Any]
    ) -> Any:
        """Return the result as a tensor."""
        ...


class Computed(Joint):
    """Compute a component from others by an expression, for the operations behind it.

    It starts from the components that the expression reads, in the order of their names.
    """

    example: ClassVar[str] = '{from: "= label - 1"}'
    ragged: ClassVar[bool] = True

    _formula: Formula = PrivateAttr()

    @staticmethod
    def of(formula: Formula) -> Computed:
        """Return the operation that computes an expression."""
        made = Drawn() if formula.random else Computed()
        made._formula = formula
        return made

    @classmethod
    def key(cls) -> str:
        """Return `expression`."""
        return "expression"

    @property
    def formula(self) -> Formula:
        """The expression."""
        return self._formula

    @property
    def starts(self) -> tuple[str, ...]:
        """The components that it takes, in order."""
        return tuple(sorted(self._formula.names))

    def infer_all(self, xs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the type of the result."""
        return (self._formula.infer(self._named(xs)),)

    def _named(self, values: tuple[Any, ...]) -> dict[str, Any]:
        return dict(zip(self.starts, values, strict=True))

    def check_batch(self, x: Tensor) -> None:
        """Raise SD207 where the results would differ in shape."""
        if not self._formula.batchable:
            problem = f"the results of `{self._formula.text.strip()}` differ in shape within a batch"
            raise Fault("SD207", problem, help="put this map before `batch`")

    def on_gpu(self, x: Tensor) -> bool:
        """Return whether a GPU can run the expression."""
        return self._formula.on_gpu

    def workspace_all(self, xs: tuple[Tensor, ...], ys: tuple[Tensor, ...]) -> int | None:
        """Return the bytes of intermediates."""
        return self._formula.workspace(self._named(xs), alone=False)  # other chains may read the same

    def resident(self) -> int | None:
        """Return the bytes of the artifacts' words that it looks values up in."""
        return self._formula.resident

    def lower_all(self, values: tuple[Any, ...], call: Call, xs: tuple[Tensor, ...]) -> tuple[Any, ...]:
        """Return the result."""
        read = self._formula.given({**call.values, **self._named(values)})
        guards = self._formula.guards(self._named(xs), call.where)
        return (self._formula.lower(call.tf, read, call.batch_dims, call.seed, guards),)


class Drawn(Computed):
    """An expression that draws."""

    random: ClassVar[bool] = True
