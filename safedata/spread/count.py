"""What a pipeline holds while several processes write its caches."""

from __future__ import annotations

from bisect import bisect_left

from safedata.budget import Verdict, judge
from safedata.budget.sums import Several
from safedata.memory import DISK, HOST, MIB, Hold, add, largest, times
from safedata.plan import Plan
from safedata.problem import Problem
from safedata.records import replace
from safedata.spread.division import division_of, processes
from safedata.store.writer import BLOCK_BYTES

_LISTED = 3072
"""Bound on the manifest of a part, for each of its columns and once more; it says nothing of where rows are from."""
_CHECKED = 16 * MIB
"""Bound on what looking through a part takes: pieces of 8 MiB of its files, one at a time."""


def counted(verdict: Verdict, jobs: int, *, stored: bool = True) -> Verdict:
    """Return the verdict on a spec whose caches on disk so many processes write, each with all that one would hold.

    Args:
        verdict: that for one process.
        jobs: how many there may be; as many as there is work for are counted.
        stored: whether what is in a cache on this machine's disk need not be made.
    """
    plan, machine = verdict.plan, verdict.machine
    if (
        plan is None
        or machine is None
        or not any(getattr(step.node, "shelves", False) for step in plan.steps)
    ):
        return verdict

    def judged(count: int) -> Verdict:
        return judge(plan, machine, verdict.spec, stored=stored, several=lambda part: _several(part, count))

    found = judged(jobs)
    known = {one.code for one in verdict.problems}
    over = [one for one in found.problems if one.severity == "error" and one.code not in known]
    if over:
        fewer = 1 + bisect_left(range(2, jobs), 1, key=lambda one: not judged(one).fits)
        over = [_with_fewer(one, jobs, fewer) for one in over]
    return replace(found, problems=(*verdict.problems, *over))


def _with_fewer(problem: Problem, jobs: int, fewer: int) -> Problem:
    note = f"up to {jobs} processes write caches, each with all that one would hold"
    return replace(problem, help=f"`--jobs {fewer}` fits", notes=(note, *problem.notes))


def _several(plan: Plan, jobs: int) -> Several | None:
    count = processes(plan, jobs)
    return None if count == 1 else Several(count, _beside(plan))


def _beside(plan: Plan) -> tuple[Hold, ...]:
    """Return what the process that puts parts in a row holds, and what is twice on disk meanwhile."""
    last, division = plan.steps[-1], division_of(plan)
    row = None if last.before is None else last.before.bytes
    whole = add(*(hold.bytes for hold in last.holds if hold.place == DISK))
    part = None if whole is None else -(-whole * division.part // division.rows) + min(whole, BLOCK_BYTES)
    lists = division.parts * _LISTED * (2 + len(last.after.visible))
    chunk = largest(times(3 * division.chunk, row), 0)
    return (
        Hold(HOST, add(chunk, _CHECKED), "parts put in a row"),
        Hold(DISK, add(part, lists), "a part more, until it is put in its row, and the parts' manifests"),
    )
