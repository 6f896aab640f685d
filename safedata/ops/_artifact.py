"""What operations share that take their numbers from an artifact."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, cast

from pydantic import ValidationInfo, model_validator

from safedata.artifacts.shelf import artifacts_of
from safedata.artifacts.statistics import Numbers
from safedata.ops.base import Op
from safedata.problem import Fault


class FromStatistics(Op):
    """An operation whose numbers an artifact may give; with them it is as if they stood in the spec."""

    artifact: str | None = None
    """Statistics that `safedata analyze` made, in place of numbers: `stats.age`, or `stats` of a single component."""

    @classmethod
    @abstractmethod
    def filled(cls, given: dict[str, Any], numbers: Numbers) -> dict[str, Any]:
        """Return the fields with the artifact's numbers put in.

        Raises:
            Fault: SD424, the artifact lacks one.
            ValueError: a field stands beside `artifact` that says the same.
        """

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, given: object, info: ValidationInfo) -> object:
        if not isinstance(given, dict):
            return given
        fields = dict(cast("dict[str, Any]", given))
        reference = fields.pop("artifact", None)
        if not isinstance(reference, str):
            return cast("object", given)
        return cls.filled(fields, artifacts_of(info.context).numbers(reference))


def listed(numbers: Numbers, key: str) -> tuple[float, ...]:
    """Return one of the numbers of an artifact, of each entry of the last dimension or of all values.

    Raises:
        Fault: SD424, the artifact does not have it.
    """
    if key not in numbers:
        way_out = "add `quantiles: 10` to its `analyze`" if key in ("quantiles", "median") else None
        raise Fault("SD424", f"the artifact has no `{key}`", ("artifact",), help=way_out)
    found = numbers[key]
    return tuple(cast("list[float]", found)) if isinstance(found, list) else (found,)


def alone(numbers: Numbers, key: str) -> float:
    """Return one of the numbers of an artifact, where it is of all values.

    Raises:
        Fault: SD424, the artifact does not have it, or for each entry of the last dimension.
    """
    found = listed(numbers, key)
    if len(found) != 1:
        raise Fault(
            "SD424", f"the artifact has a `{key}` for each of {len(found)} columns", ("artifact",), help=_AXIS
        )
    return found[0]


_AXIS = "take `axis` out of its `analyze`"


def refuse_beside(given: dict[str, Any], *fields: str) -> None:
    """Raise ValueError where a field stands beside `artifact` that the artifact gives."""
    for field in fields:
        if given.get(field) is not None:
            raise ValueError(f"`artifact` gives `{field}`: leave one of the two out")
