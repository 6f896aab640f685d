"""A function of Python's that was found, with what a spec says of its calls."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any, Final

from safedata.problem import Fault, did_you_mean
from safedata.records import record
from safedata.types import Tensor

_NAMED: Final = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@record(frozen=True, slots=True)
class Callee:
    """What is called, what it is handed beside an element, and what it must make."""

    function: Callable[..., Any]
    name: str
    """What messages call it."""
    outputs: Mapping[str, Tensor]
    """The type of each component of one element that it makes."""
    seeded: bool = False
    """Whether it takes a `seed`."""
    arguments: Mapping[str, object] = field(default_factory=dict[str, object])
    """What it is handed by name, the same in every call."""
    timeout_s: float | None = None
    """How many seconds a call may take; None for as many as it wants."""

    def __call__(self, *given: Any, **named: Any) -> Any:
        """Return what the function makes of its arguments."""
        return self.function(*given, **self.own(), **named)

    def own(self) -> dict[str, object]:
        """Return the spec's arguments for one call, which may change what is in them."""
        return copy.deepcopy(dict(self.arguments))


def check_signature(callee: Callee, given: int) -> None:
    """Raise where a function does not take what it will be called with.

    Args:
        callee: the function. One that tells no signature, as some of C's do, is taken at its word.
        given: how many components it is handed.

    Raises:
        Fault: SD250, with the argument that it does not take, or what it misses.
    """
    try:
        signature = inspect.signature(callee.function)
    except (TypeError, ValueError):
        return
    named = [*callee.arguments, *(["seed"] if callee.seeded else [])]
    try:
        signature.bind(*range(given), **dict.fromkeys(named))
    except TypeError as error:
        open_ends = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in signature.parameters.values())
        taken = [name for name, one in signature.parameters.items() if one.kind in _NAMED]
        odd = [name for name in named if name not in taken and not open_ends]
        raise _unfit(
            callee, odd, taken[given:], f"{error}; it is `{callee.function.__name__}{signature}`"
        ) from None


def _unfit(callee: Callee, odd: Sequence[str], free: Sequence[str], why: str) -> Fault:
    """Return the fault of a function that is called with too much or too little."""
    message = f"`{callee.name}` cannot be called as the spec says: {why}"
    if not odd:
        way_out = "give what it misses in `arguments`, or mend what `from`, `arguments` and `seed` hand it"
        return Fault("SD250", message, help=way_out)
    at = ("arguments", odd[0]) if odd[0] in callee.arguments else ("seed",)
    known = did_you_mean(odd[0], free, what="its other parameters")
    return Fault("SD250", message, at, help=known, on_key=True)
