"""The table of functions: one entry holds all that is known of one."""

from __future__ import annotations

from typing import Final

from safedata.expr.functions import arithmetic, joining, logic, reduction, structure, text
from safedata.expr.functions.base import Function

FUNCTIONS: Final[dict[str, Function]] = {
    function.name: function
    for family in (arithmetic, joining, logic, reduction, structure, joining, text)
    for function in family.FUNCTIONS
}
"""Every function and operator by its name; operators that Python names by a word only have that word."""
ON_HOST: Final = frozenset(function.name for function in text.FUNCTIONS)
"""The functions that read or make text, which no GPU holds."""
CALLABLE: Final = tuple(name for name, function in FUNCTIONS.items() if not function.operator)
"""The functions that can be called by name."""
