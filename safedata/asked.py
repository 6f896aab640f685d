"""Which artifacts and files a piece of a spec names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from safedata.artifacts import Artifacts
    from safedata.spec.node import Node


_CONDITIONS: Final = ("filter", "where", "assert", "that")
"""Keys behind which an expression stands without a `=`."""


def fingerprints(artifacts: Artifacts | None, pieces: Sequence[Node]) -> dict[str, str]:
    """Return the digests of the artifacts and files that these pieces of a spec name."""
    known = artifacts.fingerprints if artifacts is not None else {}
    named = [one for piece in pieces for key in ("artifact", "path", "merges") for one in asked(piece, key)]
    named += [os.path.join(one, "") for piece in pieces for one in asked(piece, "root")]  # of `read_file`
    return {one: known[one] for one in sorted(set(named)) if one in known}


def asked(node: Node, key: str, *, condition: bool = False) -> Iterator[str]:
    """Yield what stands behind a key anywhere below a node; of `stats.age` the artifact, of an expression its names.

    A condition, that of `filter` or `assert`, is an expression without a `=` too.
    """
    if isinstance(node.value, list):
        for one in node.value:
            yield from asked(one, key)
    elif isinstance(node.value, dict):
        for name, one in node.value.items():
            if name == key and isinstance(one.value, str):
                yield one.value.partition(".")[0] if key == "artifact" else one.value
            else:
                yield from asked(one, key, condition=name in _CONDITIONS)
    elif key == "artifact" and isinstance(node.value, str):
        text = node.value.lstrip()
        if condition or text[:1] == "=":
            from safedata.expr.artifact import names_in  # few specs have artifacts

            yield from names_in(text.removeprefix("="))
