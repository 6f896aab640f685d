"""Input pipelines as checked YAML specs; importing this package imports neither TensorFlow nor NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from safedata._version import __version__

if TYPE_CHECKING:
    from safedata.api import analyze, build, check, doctor, fit, load, measure, profile
    from safedata.api import open_pipeline as open
    from safedata.isolation.call import isolated
    from safedata.ops._registered import op
    from safedata.problem import (
        BudgetError,
        ClosedError,
        DataError,
        IsolatedError,
        SafedataError,
        SpecError,
        StateError,
    )
    from safedata.together import check_together

__all__ = [
    "BudgetError",
    "ClosedError",
    "DataError",
    "IsolatedError",
    "SafedataError",
    "SpecError",
    "StateError",
    "__version__",
    "analyze",
    "build",
    "check",
    "check_together",
    "doctor",
    "fit",
    "isolated",
    "load",
    "measure",
    "op",
    "open",
    "profile",
]

_API = {
    "analyze": "analyze",
    "build": "build",
    "check": "check",
    "doctor": "doctor",
    "fit": "fit",
    "load": "load",
    "measure": "measure",
    "open": "open_pipeline",
    "profile": "profile",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for, so that importing the package costs next to nothing."""
    if name in _API:
        from safedata import api

        return getattr(api, _API[name])
    if name == "isolated":
        from safedata.isolation.call import isolated

        return isolated
    if name == "check_together":
        from safedata.together import check_together

        return check_together
    if name == "op":
        from safedata.ops._registered import op

        return op
    if name.endswith("Error") and name in __all__:
        from safedata import problem

        return getattr(problem, name)
    raise AttributeError(f"module 'safedata' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
