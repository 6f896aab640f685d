"""A plan as text: the graph that will run, step by step, with every byte accounted for."""

from __future__ import annotations

from safedata.budget import Verdict
from safedata.memory import Place, add, format_size
from safedata.plan import Plan
from safedata.report.columns import safe
from safedata.report.steps import chains, label, line_of, numbers
from safedata.report.table import table
from safedata.report.verdict import headline, places, ranked, used
from safedata.types import format_element


def render(verdict: Verdict, *, color: bool = False) -> str:
    """Return the graph of a verdict's plan as text; only its headline where there is no plan."""
    lines = [headline(verdict, color=color)]
    plan = verdict.plan
    if plan is not None:
        lines += ["", *_steps(verdict, plan), *_chains(plan)]
        for place in used(verdict):
            lines += ["", f"  what {place} holds at the peak", *_holds(verdict, plan, place)]
        lines += ["", *_rewrites(plan), "", *places(verdict)]
    return "\n".join(lines)


def _steps(verdict: Verdict, plan: Plan) -> list[str]:
    where = used(verdict)
    held = _held(verdict)
    rows = [["#", "step", "line", *where, "cardinality", "element"]]
    for number, step in enumerate(plan.steps):
        line = line_of(plan, step)
        cells = [format_size(held.get((number, place), 0)) for place in where]
        settled = numbers(step)
        rows.append(
            [
                str(number),
                f"{step.title} ({settled})" if settled else step.title,
                "" if line is None else str(line),
                *cells,
                str(step.after.cardinality),
                format_element(step.after.element, hidden=True),
            ]
        )
    return table(rows, right=(0, 2, *range(3, 3 + len(where))))


def _held(verdict: Verdict) -> dict[tuple[int | None, Place], int | None]:
    """Return what each step holds in each place, as the verdict counts it."""
    held: dict[tuple[int | None, Place], int | None] = {}
    for line in verdict.lines:
        key = (line.step, line.hold.place)
        held[key] = add(held.get(key, 0), line.hold.bytes)
    return held


def _chains(plan: Plan) -> list[str]:
    """Return what the maps do, a line for each component."""
    rows = [[label(plan, number), text] for number, step in enumerate(plan.steps) for text in chains(step)]
    return ["", "  what the maps do", *table(rows, indent="    ")] if rows else []


def _holds(verdict: Verdict, plan: Plan, place: Place) -> list[str]:
    rows = [
        [format_size(line.hold.bytes), label(plan, line.step), line.hold.why, line.hold.evidence]
        for line in ranked(verdict, place)
    ]
    rows.append([format_size(verdict.places[place].bytes), "total", "", ""])
    return table(rows, right=(0,), indent="    ")


def _rewrites(plan: Plan) -> list[str]:
    if not plan.rewrites:
        return ["  no rewrites: the steps run as they are written"]
    return ["  rewrites", *(f"    - {safe(reason)}" for reason in plan.rewrites)]
