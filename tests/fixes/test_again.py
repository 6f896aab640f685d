"""Plans that are made again, with a change: what was worked out before is taken over where it holds."""

from __future__ import annotations

import random

import pytest

from safedata.change import Change, MoveStep, RemoveStep, SetField
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


LONG = (
    "shuffle: 50",
    MAPS[0],
    "cache",
    "skip: 3",
    MAPS[1],
    "shuffle: {buffer: 20, seed: 4}",
    "take: 90",
    "map: {label: =label + 1}",
    "batch: 4",
    "map: {image: [random_flip_left_right]}",
    "repeat: 3",
    "prefetch: 2",
)
NUMBERS = {0: "buffer", 3: "count", 5: "buffer", 6: "count", 8: "size", 10: "count", 11: "buffer"}


def drawn(draw: random.Random, size: int) -> Change:
    """Return a change of a spec that has the first `size` steps of `LONG`, or others after a change before it."""
    kind = draw.randrange(4)
    if kind == 0:
        return MoveStep(draw.randrange(size), draw.randrange(size - 1))
    if kind == 1:
        return RemoveStep(draw.randrange(size))
    step = draw.choice([one for one in NUMBERS if one < size])
    return SetField(step, NUMBERS[step], draw.randrange(1, 60))


def whole(made: Plan) -> list[object]:
    """Return all that a plan says."""
    steps = [
        (one.title, one.path, one.before, one.after, one.holds, one.calls, one.seed, one.input)
        for one in (*made.steps, *made.otherwise)
    ]
    scope = replace(made.scope, report=None)
    return [*steps, scope, made.structure, made.rewrites, made.problems, made.complete, made.flow]


@pytest.mark.parametrize("either", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_a_plan_like_another_is_that_of_the_spec_alone(seed: int, either: bool) -> None:
    """Whatever is changed, and however often, a plan that takes over another's steps is the one made anew."""
    draw = random.Random(seed)
    old = plan(*LONG)
    scope = replace(old.scope, either=either, pooled=bool(seed % 2))
    like = make_plan(old.program, old.inspected, scope)
    changes: list[Change] = []
    taken = 0
    for _ in range(8):
        one = drawn(draw, len(like.program.steps))
        if isinstance(one, SetField) and not hasattr(like.program.steps[one.step].stage, one.field):
            continue  # another step stands there by now
        changes.append(one)
        made = make_plan(changed(like.program, (one,)), like.inspected, scope, like)
        fresh = plan(*LONG)
        alone = make_plan(changed(fresh.program, changes), fresh.inspected, scope)
        assert whole(made) == whole(alone), changes
        before = {id(step) for step in like.steps}
        taken += sum(id(step) in before for step in made.steps)
        like = made
    assert taken > len(changes)


def test_what_is_wrong_is_said_again() -> None:
    """A plan that is made again has the problems of the first."""
    old = plan("map: {image: [{resize: [8, 8]}, {reshape: [5]}]}", "batch: 2")
    again = make_plan(old.program, old.inspected, old.scope)
    assert [one.message for one in again.problems] == [one.message for one in old.problems]
    assert [one.code for one in again.problems] == ["SD203"]
    assert not again.complete
