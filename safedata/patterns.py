"""Names of components and columns with a `*` in them, which stands for any characters."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import TypeVar

_Given = TypeVar("_Given")


def matching(name: str, known: Collection[str]) -> tuple[str, ...]:
    """Return what a name stands for: itself, or those of `known` that match where it has a `*`, in their order."""
    if "*" not in name or name in known:
        return (name,)
    pattern = re.compile(".*".join(map(re.escape, name.split("*"))), re.DOTALL)
    return tuple(one for one in known if pattern.fullmatch(one))


def by_name(given: Mapping[str, _Given], known: Collection[str]) -> dict[str, _Given]:
    """Return what is given for each of `known`: under its own name, else under the first pattern that it matches."""
    found: dict[str, _Given] = {}
    for name, value in given.items():
        for one in matching(name, known):
            if one == name or one not in given:
                found.setdefault(one, value)
    return found
