"""What every kind of fix works with: the verdict to mend, and a bounded number of runs of the estimator."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Final, NamedTuple, Protocol, cast

from safedata.budget import Verdict, judge
from safedata.change import Changes, Fix
from safedata.fixes.apply import UnfitError, changed
from safedata.machine import Machine
from safedata.memory import Place
from safedata.mistakes import mistakes
from safedata.plan import Plan, PlannedStep, make_plan
from safedata.problem import Path, Problem
from safedata.program import Program
from safedata.records import replace

_WALKS: Final = 2000
"""Steps that all runs together may type and bound; one takes 0.1 to 0.4 ms."""
_FEWEST: Final = 4
_MOST: Final = 300

NOTHING: Final = "nothing, the same elements come in the same order"
"""What a fix costs that is free."""
_REMADE: Final = "the cache on disk is written again"
FREE: Final = 0
"""The rank of a fix after which the same elements come in the same order, as fast."""
SLOWER: Final = 1
LESS: Final = 2
"""Of one that changes what training sees: smaller batches, a weaker shuffle."""
AGAIN: Final = 3
"""Of one after which work is done again in every epoch."""
OTHER: Final = 4
"""Of one after which an element is another one: shorter windows."""


class Proposal(NamedTuple):
    """Changes that may make a spec fit; the estimator has the last word."""

    changes: Changes
    text: str
    cost: str
    rank: int
    """How much it costs: `FREE`, `SLOWER`, `LESS`, `AGAIN`, `OTHER`."""
    part: float = 1.0
    """How much is left of the number, or of what a buffer keeps: 0 to 1."""


class Kind(Protocol):
    """A module of `safedata.fixes.kinds`."""

    def propose(self, case: Case) -> Iterator[Proposal]:
        """Yield changes that may help, the most promising first; only as many are tried as there are runs."""
        ...


class Case:
    """A spec that does not fit, and the runs that are left to find a way out."""

    plan: Plan
    machine: Machine

    def __init__(self, verdict: Verdict, done: tuple[Proposal, ...] = (), origin: Case | None = None) -> None:
        if verdict.plan is None or verdict.machine is None:
            raise ValueError("a spec with a way out has a plan and a machine")
        self.verdict = verdict
        self.plan, self.machine = verdict.plan, verdict.machine
        self.done = done
        """What the verdict has behind it already."""
        self.origin = origin or self
        """The case as the spec says it."""
        self.most = min(max(_WALKS // len(self.plan.steps), _FEWEST), _MOST)
        """How many runs of the estimator a spec of this length may take."""
        self.runs = self.most
        """How many are left."""
        self._tried: dict[Changes, Verdict | None] = {}
        self._mistaken: dict[Changes, list[Problem]] = {}

    @property
    def program(self) -> Program:
        """The program that does not fit."""
        return self.plan.program

    def tried(self, changes: Changes) -> Verdict | None:
        """Return the verdict with the changes made.

        None when the language or the types do not take them, or no run is left.
        """
        if changes in self._tried:
            return self._tried[changes]
        if self.runs <= 0:
            return None
        self.runs -= 1
        self._tried[changes] = found = self._judged(changes)
        return found

    def _judged(self, changes: Changes) -> Verdict | None:
        try:
            program = changed(self.program, changes)
        except UnfitError:
            return None
        if (
            program.output is None
        ):  # no change adds a component or takes one away, so this need not be worked out
            program = replace(program, output=cast("dict[str, str]", self.plan.structure))
        plan = make_plan(program, self.plan.inspected, self.plan.scope, like=self.plan)
        verdict = judge(plan, self.machine, self.verdict.spec, stored=not self._remade(changes))
        return verdict if verdict.plan is not None else None

    def _remade(self, changes: Changes) -> bool:
        """Return whether what the spec has in a cache on disk has to be made again with the changes."""
        if not any(getattr(step.node, "shelves", False) for step in self.origin.plan.steps):
            return False
        from safedata.fixes.remade import remade  # few specs have a cache on disk

        every = (*(change for one in self.done for change in one.changes), *changes)
        return remade(self.origin.program, every)

    def over(self, changes: Changes) -> float | None:
        """Return the bytes that the changed spec is over its limits, in the place where most; None without runs."""
        if self.runs <= 0 and changes not in self._tried:
            return None
        verdict = self.tried(changes)
        return float("inf") if verdict is None else excess(verdict)

    @contextmanager
    def share(self, runs: int) -> Generator[None, None, None]:
        """Let no more than so many runs be used inside a `with` block."""
        kept = max(0, self.runs - runs)
        self.runs -= kept
        try:
            yield
        finally:
            self.runs += kept

    def after(self, proposal: Proposal) -> Case | None:
        """Return the case of the spec with a proposal's changes made, and half of the runs that are left."""
        verdict = self.tried(proposal.changes)
        if verdict is None:
            return None
        case = Case(verdict, (*self.done, proposal), self.origin)
        case.runs = -(-self.runs // 2)
        self.runs -= case.runs
        return case

    @cached_property
    def planned(self) -> Mapping[Path | None, PlannedStep]:
        """Return the planned step of each of the spec's steps, by its path."""
        return {one.path: one for one in reversed(self.plan.steps)}

    @cached_property
    def held(self) -> Mapping[Path | None, int]:
        """Return the bytes that each step holds, by its path."""
        sums: dict[Path | None, int] = {}
        for step in self.plan.steps:
            sums[step.path] = sums.get(step.path, 0) + sum(hold.bytes or 0 for hold in step.holds)
        return sums

    def where(self, step: int) -> str:
        """Return `in line 5` for one of the spec's steps."""
        return f"in line {self.program.document.span(self.program.steps[step].path, key=True).line}"

    def fix(self, proposal: Proposal) -> Fix | None:
        """Return a proposal as a fix, None unless everything fits with it."""
        verdict = self.tried(proposal.changes)
        if verdict is None or not verdict.fits:
            return None
        every = (*self.done, proposal)
        changes = tuple(change for one in every for change in one.changes)
        text = " and ".join(one.text for one in every) + (" together" if self.done else "")
        costs = [one.cost for one in every if not one.cost.startswith(NOTHING)] or [proposal.cost]
        if self._remade(proposal.changes):
            costs.append(_REMADE)
        costs += [f"then {one.message} ({one.code})" for one in self.mistakes(proposal)]
        return _fix(self.origin.verdict, verdict, changes, text, "; ".join(costs))

    def mistakes(self, proposal: Proposal) -> list[Problem]:
        """Return the mistakes that a spec changed so commits, and the spec to mend does not."""
        if proposal.changes not in self._mistaken:
            after = self.tried(proposal.changes)
            found = () if after is None or after.plan is None else tuple(mistakes(after.plan))
            self._mistaken[proposal.changes] = [one for one in found if one.code not in self.origin.committed]
        return self._mistaken[proposal.changes]

    @cached_property
    def committed(self) -> frozenset[str]:
        """Return the codes of the mistakes that the spec itself commits, as its verdict has them where it was asked."""
        said = frozenset(one.code for one in self.verdict.problems if one.code.startswith("SD6"))
        return said or frozenset(one.code for one in mistakes(self.plan))


def excess(verdict: Verdict) -> float:
    """Return the bytes over the limit in the place where most; at most 0 exactly for a verdict that fits."""
    known = [
        float("inf") if one.bytes is None or one.limit is None else one.bytes - one.limit
        for one in verdict.places.values()
        if one.bytes != 0
    ]
    worst = max(known, default=0.0)
    if verdict.fits:
        return min(worst, 0.0)
    return worst if worst > 0 else float("inf")


def _fix(before: Verdict, after: Verdict, changes: Changes, text: str, cost: str) -> Fix:
    """Return the fix that leads from one verdict to another, with what it saves in each place."""
    peaks = {place: one.bytes for place, one in after.places.items() if one.bytes is not None}
    saves: dict[Place, int] = {}
    for place, peak in peaks.items():
        was = before.places[place].bytes if place in before.places else 0
        if was is not None and was != peak:
            saves[place] = was - peak
    return Fix(changes, text, cost, saves, peaks)
