"""The table of functions: one entry holds all that is known of one.

They live in families, each a module that is imported when one of its functions is first asked for: few expressions need
more than two or three.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Final, cast

from safedata.expr.functions.base import Function

FAMILIES: Final = {
    "arithmetic": (
        "+ - * negative minimum maximum clip abs sign sqrt exp log log1p tanh sigmoid sin cos "
        "atan2 floor ceil round is_nan is_finite"
    ),
    "division": "/ // % ** pow",
    "logic": "== != < <= > >= in and or not where",
    "structure": "len size shape rank cast zeros_like ones_like",
    "reshaping": "reshape expand_dims squeeze",
    "reduction": "min max sum prod mean var std any all argmax argmin",
    "quantiles": "quantile median",
    "making": "range linspace meshgrid zeros ones full tile one_hot sequence_mask",
    "joining": "concat stack gather matmul transpose",
    "ordering": "cumsum sort argsort top_k boolean_mask",
    "grouping": "segment_mean scatter",
    "bits": "bitwise_and bitwise_or bitwise_xor invert left_shift right_shift",
    "drawing": "uniform normal beta bernoulli randint",
    "text": "split length lower upper strip substr starts_with ends_with regex_full_match to_number as_string",
    "paths": "path_name path_stem path_parent path_suffix",
    "dates": "timestamp year month day day_of_week hour minute",
}
"""The names of each module's functions. A test holds this table against the modules."""


class _Table(Mapping[str, Function]):
    """Every function and operator by its name."""

    def __init__(self) -> None:
        self._family = {name: family for family, names in FAMILIES.items() for name in names.split()}
        self._made: dict[str, Function] = {}

    def __getitem__(self, name: str) -> Function:
        if name not in self._made:
            module = importlib.import_module(f"{__name__}.{self._family[name]}")
            self._made.update((one.name, one) for one in cast("tuple[Function, ...]", module.FUNCTIONS))
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._family

    def __iter__(self) -> Iterator[str]:
        return iter(self._family)

    def __len__(self) -> int:
        return len(self._family)


FUNCTIONS: Final[Mapping[str, Function]] = _Table()
"""Every function and operator by its name; operators that Python names by a word only have that word."""
ON_HOST: Final = frozenset(name for family in ("text", "paths", "dates") for name in FAMILIES[family].split())
"""The functions that read or make text, or dates, which no GPU holds."""
OPERATORS: Final = ("and", "or", "not", "in", "negative")
"""The operators whose name could be a function's."""
CALLABLE: Final = tuple(name for name in FUNCTIONS if name.isidentifier() and name not in OPERATORS)
"""The functions that can be called by name."""
