"""Exit statuses, and which one a list of problems amounts to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from safedata.problem import Problem

FINE: Final = 0
PROBLEMS: Final = 1
"""The spec has problems, or does not fit."""
USAGE: Final = 2
"""The command line is wrong."""
BUG: Final = 3
"""A bug in safedata."""
DATA: Final = 4
"""The data is bad or unreadable."""
INTERRUPTED: Final = 130

_OF_DATA: Final = ("SD4", "SD5")
_OF_SPEC: Final = ("SD424", "SD426", "SD540", "SD542")
"""Codes among them of which the spec is to blame: it asks for what its artifacts are not made to have, or holds more
than it may."""


def status_of(problems: Iterable[Problem], *, strict: bool = False) -> int:
    """Return the exit status for these problems; warnings count only where `strict` says so.

    Only when every error is one of files, data or the machine is the data to blame: a spec that has problems
    of its own must be mended first.
    """
    codes = [problem.code for problem in problems if strict or problem.severity == "error"]
    if not codes:
        return FINE
    of_data = (code.startswith(_OF_DATA) and code not in _OF_SPEC for code in codes)
    return DATA if all(of_data) else PROBLEMS
