"""Plans that are made again, with a change: what was worked out before is taken over where it holds."""

from __future__ import annotations

import pytest

from safedata.change import Change, MoveStep, SetField
from safedata.fixes.apply import changed
from safedata.plan import Plan, make_plan, scope_of
from safedata.program import parse_program
from safedata.records import replace

SPEC = """\
safedata: 1
source: {{synthetic: {{components: {{image: "uint8[64, 64, 3]", label: "int64[]"}}, count: {count}}}}}
steps:
{steps}
"""
MAPS = ("map: {image: [{cast: float32}]}", "map: {image: [random_flip_left_right], label: [{cast: int32}]}")


def plan(*steps: str, count: int = 100) -> Plan:
    text = SPEC.format(count=count, steps="".join(f"  - {step}\n" for step in steps))
    program = parse_program(text)
    scope = scope_of(program, 2)
    return make_plan(program, program.source.inspect(scope), scope)


def seen(made: Plan) -> list[object]:
    return [
        (step.title, str(step.after), step.after.cardinality, step.holds, step.calls) for step in made.steps
    ]


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize(
    ("steps", "change", "wanted"),
    [
        (("batch: 4", *MAPS), SetField(0, "size", 8), ("batch: 8", *MAPS)),
        (("take: 50", *MAPS, "cache"), SetField(0, "count", 20), ("take: 20", *MAPS, "cache")),
        ((*MAPS, "shuffle: 10", "batch: 2"), MoveStep(2, 0), ("shuffle: 10", *MAPS, "batch: 2")),
        (
            (MAPS[0], "shuffle: 10", MAPS[1]),
            SetField(0, "parallel", 1),
            ("{map: {image: [{cast: float32}]}, parallel: 1}", "shuffle: 10", MAPS[1]),
        ),
    ],
)
def test_a_plan_made_again_is_that_of_the_changed_spec(
    steps: tuple[str, ...], change: Change, wanted: tuple[str, ...], pooled: bool
) -> None:
    """Types, bytes and calls are those of a spec that says the change, whichever plan was made before."""
    old, new = plan(*steps), plan(*wanted)
    scope = replace(old.scope, pooled=pooled, either=False)
    made = make_plan(changed(old.program, (change,)), old.inspected, scope)
    fresh = make_plan(new.program, new.inspected, scope)
    assert seen(made) == seen(fresh)
    assert seen(make_plan(old.program, old.inspected, scope)) == seen(
        make_plan(plan(*steps).program, old.inspected, scope)
    )


def test_what_is_wrong_is_said_again() -> None:
    """A plan that is made again has the problems of the first."""
    old = plan("map: {image: [{resize: [8, 8]}, {reshape: [5]}]}", "batch: 2")
    again = make_plan(old.program, old.inspected, old.scope)
    assert [one.message for one in again.problems] == [one.message for one in old.problems]
    assert [one.code for one in again.problems] == ["SD203"]
    assert not again.complete
