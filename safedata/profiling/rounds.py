"""How much each step has made, though TensorFlow forgets what has ended.

A step that has ended is gone from TensorFlow's model, and so is what it made after the last look. In an epoch that is
short, or before a `repeat`, which makes every step before it anew in each round, that is much. But what stays counts
all rounds: the number of rounds follows from the elements of the `repeat`, and with it what every step before it made.
That is exact where the plan knows how many elements leave the step in a round, and all are asked for; otherwise it
follows from the most that were seen to leave it in one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from safedata.plan import Plan
from safedata.sources.base import Root
from safedata.stages.base import Node
from safedata.stages.repeat import Repeat
from safedata.stages.take import Take

Counts = Mapping[int, int]
"""By step: the elements that its mark has counted; none for a step that has no node in the model."""
_NOTHING: Final[Counts] = {}


class Made(NamedTuple):
    """How many elements left a step."""

    elements: int
    exact: bool
    """Whether that is counted, or follows from what the plan knows; otherwise it is an estimate."""


class Rounds:
    """Works out what steps made, from the counts at the first and the last look at each iterator."""

    def __init__(self, plan: Plan) -> None:
        """Begin with nothing seen."""
        self._paths = _paths(plan)
        self._known = _known(plan)
        self._caches = [
            n for n, step in enumerate(plan.steps) if isinstance(step.node, Node) and step.node.freezes
        ]
        self._most: dict[int, int] = {}
        self._stretches: list[tuple[Counts, Counts]] = []
        self._first = self._last = _NOTHING

    def look(self, counts: Counts) -> bool:
        """Take the counts of a look; return whether a step ended, or began anew, since the last one."""
        before, self._last = self._last, counts
        for step, count in counts.items():
            self._most[step] = max(self._most.get(step, 0), count)
        return any(counts.get(step, -1) < count for step, count in before.items())

    def begin(self) -> None:
        """Count from the last look on."""
        self._stretches, self._first = [], self._last

    def next_iterator(self) -> None:
        """Expect the counts of a new iterator, which are from zero."""
        self._stretches.append((self._first, self._last))
        self._first = self._last = _NOTHING

    def made(self, step: int) -> Made | None:
        """Return how many elements left a step; None for one before a cache, which runs once or not at all."""
        if step not in self._paths:
            return None
        stretches = [*self._stretches, (self._first, self._last)]
        elements = sum(self._by(last, step) - self._by(first, step) for first, last in stretches)
        return Made(max(0, elements), self._exact(step))

    def filled(self) -> bool:
        """Return whether there are caches, each of which a `repeat` has read to the end in a round."""
        rounds = [self._over(self._last, one) if one in self._paths else None for one in self._caches]
        return bool(rounds) and all(rounds)

    def _by(self, counts: Counts, step: int) -> int:
        """Return how many elements had left a step since its iterator's beginning, at a look with these counts."""
        if not counts:
            return 0
        now = counts.get(step)
        return self._size(step) * self._over(counts, step) + (
            self._gone(counts, step) if now is None else now
        )

    def _over(self, counts: Counts, step: int) -> int:
        """Return how many rounds of the `repeat` behind a step were over."""
        path = self._paths[step]
        if path.repeat is None or not counts:
            return 0
        size = self._size(path.last)
        inside = counts.get(path.last, size)  # none has a node between two rounds
        return max(0, round((self._by(counts, path.repeat) - inside) / size)) if size else 0

    def _gone(self, counts: Counts, step: int) -> int:
        """Return what a step without a node made in this round: all, or nothing if its turn has not come yet."""
        for behind, earlier in self._paths[step].turns:
            if counts.get(behind, self._size(behind)) <= sum(self._size(one) for one in earlier):
                return 0
        return self._size(step)

    def _size(self, step: int) -> int:
        """Return how many elements leave a step in a round."""
        known = self._known[step]
        return self._most.get(step, 0) if known is None else known

    def _exact(self, step: int) -> bool:
        path = self._paths[step]
        if path.repeat is None:
            lasts = [last for _, last in self._stretches if last] + [self._last]
            return self._known[step] is not None or all(step in last for last in lasts)
        sure = self._known[step] is not None and self._known[path.last] is not None
        return sure and self._exact(path.repeat)


class _Path(NamedTuple):
    """What stands between a step and the end of its round."""

    repeat: int | None
    """The `repeat` that ends it; None for the end of the epoch."""
    last: int
    """The last step of the round."""
    turns: tuple[tuple[int, tuple[int, ...]], ...]
    """Combinators whose inputs run one after the other, and the inputs of each whose turn comes first."""


def _paths(plan: Plan) -> dict[int, _Path]:
    """Return the paths of all steps but those before a cache, which run in the first round alone."""
    end = len(plan.steps) - 1
    found = {end: _Path(None, end, ())}
    for number in range(end, -1, -1):
        node, path = plan.steps[number].node, found.get(number)
        if path is None or (isinstance(node, Node) and node.freezes):
            continue
        inputs = plan.flow[number]
        for place, before in enumerate(inputs):
            if isinstance(node, Repeat) and node.count != 1:
                found[before] = _Path(number, before, ())
            elif isinstance(node, Root) and node.in_turn and place:
                found[before] = path._replace(turns=(*path.turns, (number, inputs[:place])))
            else:
                found[before] = path
    return found


def _known(plan: Plan) -> list[int | None]:
    """Return how many elements leave each step in a round, where the plan knows it; None where it does not."""
    cut: set[int] = set()
    for number in range(len(plan.steps) - 1, -1, -1):
        ends = number in cut and not isinstance(plan.steps[number].node, Repeat)
        cut.update(before for before in plan.flow[number] if ends or _cuts(plan, number, before))
    sizes = (step.after.cardinality for step in plan.steps)
    return [one.count if one.kind == "exactly" and n not in cut else None for n, one in enumerate(sizes)]


def _cuts(plan: Plan, number: int, before: int) -> bool:
    """Return whether a step may leave elements of an input unasked for."""
    node, after = plan.steps[number].node, plan.steps[number].after.cardinality
    fewer = plan.steps[before].after.cardinality != after
    return fewer and (isinstance(node, Take) or (isinstance(node, Root) and not node.in_turn))
