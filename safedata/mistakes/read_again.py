"""SD625: inputs of a `mix` that read the same files, each for a part of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from safedata.mistakes.base import Finding, Line, Mistake, Placed, place
from safedata.sources._inputs import Ready
from safedata.sources.base import Root
from safedata.sources.combined.mix import Mixed
from safedata.stages.filter import Filter


class ReadAgain(Mistake):
    """Inputs over the same files, each with a filter of its own: every epoch reads all of them once for each input.

    A `zip` or a `concatenate` of parts needs these apart from each other, so nothing is said of them.
    """

    code: ClassVar[str] = "SD625"

    def find(self, line: Line) -> Iterator[Finding]:
        """Yield each set of inputs of one `mix` that filter the same files."""
        for root in _mixes(line.plan.inspected.root):
            same: dict[tuple[str, str], list[tuple[Ready, Placed]]] = {}
            for one in root.parts():
                filtered = next((step for step in one.input.steps if isinstance(step.stage, Filter)), None)
                if filtered is not None and one.inspected.fingerprint:
                    key = one.input.source.key(), one.inspected.fingerprint
                    same.setdefault(key, []).append((one, place(line.plan, filtered)))
            for found in same.values():
                if len(found) > 1:
                    yield _finding(found)


def _finding(found: list[tuple[Ready, Placed]]) -> Finding:
    (_, first), *others = found
    names = " and ".join(f"`{one.name}`" for one, _ in found)
    return Finding(
        first,
        f"{names} read the same files, {len(found)} times in each epoch, and each keeps what its `filter` lets through",
        "reads all of them, and keeps a part",
        "read them once, in one source, and give classes their shares by `rejection_resample` in place of `mix`",
        labels=tuple((step, "reads all of them again") for _, step in others),
    )


def _mixes(root: Root) -> Iterator[Mixed]:
    """Yield the `mix` sources at and before a root."""
    if isinstance(root, Mixed):
        yield root
    for one in root.parts():
        yield from _mixes(one.inspected.root)
