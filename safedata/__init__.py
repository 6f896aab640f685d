"""Input pipelines as checked YAML specs; importing this package imports neither TensorFlow nor NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from safedata._version import __version__

if TYPE_CHECKING:
    from safedata.api import build, check, load
    from safedata.api import open_pipeline as open
    from safedata.problem import BudgetError, DataError, SafedataError, SpecError

__all__ = [
    "BudgetError",
    "DataError",
    "SafedataError",
    "SpecError",
    "__version__",
    "build",
    "check",
    "load",
    "open",
]

_API = {"build": "build", "check": "check", "load": "load", "open": "open_pipeline"}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for, so that importing the package costs next to nothing."""
    if name in _API:
        from safedata import api

        return getattr(api, _API[name])
    if name in ("BudgetError", "DataError", "SafedataError", "SpecError"):
        from safedata import problem

        return getattr(problem, name)
    raise AttributeError(f"module 'safedata' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
