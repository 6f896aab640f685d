"""The revisions of what a spec names: another one where the same words make other elements than they once did."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from safedata.ops.base import Op
from safedata.sources.base import Source
from safedata.stages._outside import named_in

if TYPE_CHECKING:
    from safedata.ops._computed import Formula
    from safedata.stages._step import Step

_WORDS: Final = re.compile(r"[A-Za-z_]\w*|\*\*|//|[<>=!]=|[-+*/%<>]")
"""What may be a function or an operator of an expression. A component of that name counts as well, which is safe."""

_SIGN: Final = frozenset({"negative"})
"""What else a `-` may be."""


def revisions(source: Source, steps: Iterable[Step]) -> dict[str, int]:
    """Return the revision of each source, stage, operation and function that has had more than one, by kind and name.

    Args:
        source: a source; with those of its inputs, and the steps there.
        steps: those behind it.
    """
    return {name: one for name, one in sorted(_every(source, steps)) if one != 1}


def _every(source: Source, steps: Iterable[Step]) -> Iterator[tuple[str, int]]:
    for named, _ in named_in(source, steps, ()):
        kind = "source" if isinstance(named, Source) else "operation" if isinstance(named, Op) else "stage"
        yield f"{kind} {named.key()}", named.revision
        yield from _functions(getattr(named, "expression", None))
        for chain in getattr(named, "chains", ()) if kind == "stage" else ():
            yield from _functions(chain.formula)


def _functions(formula: Formula | None) -> Iterator[tuple[str, int]]:
    if formula is None:
        return
    from safedata.expr.functions import FUNCTIONS

    words: set[str] = set(_WORDS.findall(formula.text))
    for word in sorted(words | (_SIGN if "-" in words else set[str]())):
        if (found := FUNCTIONS.get(word)) is not None:
            yield f"function {word}", found.revision
