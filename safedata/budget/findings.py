"""What a verdict has to say: places over their limit, steps that nothing bounds, an estimate, a GPU not seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from safedata.budget.places import PlaceVerdict, reserves
from safedata.budget.sums import HoldLine
from safedata.machine import Machine
from safedata.machine.footprint import TENSORFLOW
from safedata.memory import WORKER, Hold, Place, format_size, gpu
from safedata.plan import Plan, PlannedStep
from safedata.problem import Label, Path, Problem
from safedata.program import Program

_CODES: Final = {"host": "SD301", "worker": "SD301", "gpu": "SD302", "disk": "SD303"}
_NO_GPU: Final = (
    "check for a machine that has one: `--gpu 24GiB`, or `--target`; or write `runtime: {device_fallback: cpu}`, "
    "which lets the host do the same where there is no GPU"
)
_NAMES: Final = {"host": "host memory", "worker": "memory of a worker", "disk": "disk"}


def unseen(program: Program, machine: Machine) -> Iterator[Problem]:
    """Yield a warning where the spec speaks of GPU memory and this machine shows no GPU to hold it against."""
    keys = ("gpu",) if program.budget.gpu is not None else ("reserve", "gpu")
    said = program.budget.gpu is not None or program.budget.reserve.gpu is not None
    if said and not machine.gpus and machine.gpu_problem is not None:
        yield Problem(
            "SD405",
            "the budget speaks of a GPU, and none can be seen here",
            program.document.span(("budget", *keys), key=True),
            severity="warning",
            notes=(machine.gpu_problem,),
            help="check for a machine that has one: `--gpu 24GiB`, or `--target` with a machine of `targets`",
        )


def short(program: Program, machine: Machine, lines: Sequence[HoldLine]) -> Iterator[tuple[Place, Problem]]:
    """Yield each place that has less than `budget.reserve` keeps for the model alone, with the problem."""
    for place, reserve in reserves(program, machine, lines).items():
        free = machine.free(place).bytes
        if free is None or reserve <= free:
            continue
        kind = place.partition(":")[0]
        yield (
            place,
            Problem(
                _CODES[kind],
                f"the reserve of {format_size(reserve)} on {place} alone is over the {format_size(free)} that are free",
                program.document.span(("budget", "reserve", kind)),
                notes=machine.free(place).notes,
                help=f"a smaller model or batch; `budget.reserve.{kind}` says what they need",
            ),
        )


def estimate(plan: Plan, spec: str) -> Problem:
    """Return the warning that the bounds rest on a sample, with the two ways to make them bounds of all."""
    return Problem(
        "SD310",
        "the verdict is an estimate: it rests on a sample of the data",
        plan.program.document.span(plan.program.source_path, key=True),
        severity="warning",
        notes=plan.inspected.notes,
        help=f"{_measuring(spec)} reads all of it once, and what it finds are bounds{_declaring(plan)}",
    )


def _measuring(spec: str) -> str:
    return "`safedata.measure`" if spec == "<text>" else f"`safedata measure {spec}`"


def _declaring(plan: Plan) -> str:
    return f"; or declare {plan.inspected.declare}" if plan.inspected.declare else ""


def unknown(plan: Plan, lines: Sequence[HoldLine]) -> Iterator[Problem]:
    """Yield a problem for each step with a hold that nothing bounds."""
    seen: set[int] = set()
    for line in lines:
        if line.step is None or line.hold.bytes is not None or line.step in seen:
            continue
        seen.add(line.step)
        step = plan.steps[line.step]
        what = f"{step.title}: {line.hold.why}"
        yield Problem(
            "SD304",
            f"nothing bounds the bytes of {what}",
            plan.program.document.span(_written(plan, line.step), key=True),
            notes=(f"what enters is {step.before or step.after}",),
            help=_bound_help(step),
        )


def _bound_help(step: PlannedStep) -> str:
    stream = step.before or step.after
    loose = [name for name, tensor in stream.visible.items() if tensor.bytes is None]
    if loose:
        return f"bound `{loose[0]}` before this step: `resize`, `truncate`, or `max_bytes` in the source"
    return "bound the number of elements before this step, with `take`"


def _written(plan: Plan, number: int) -> Path:
    """Return the path of a step, or of the nearest one before it that the spec says."""
    for step in reversed(plan.steps[: number + 1]):
        if step.path is not None:
            return step.path
    return plan.program.source_path


def over(
    plan: Plan, machine: Machine, lines: Sequence[HoldLine], place: Place, verdict: PlaceVerdict
) -> Problem:
    """Return the problem of a place whose peak is over its limit, with the largest holds as labels."""
    name, way_out = _NAMES.get(place, f"memory on {place}"), None
    if (
        verdict.limit is None
        and place.startswith("gpu")
        and not any(place == gpu(g.index) for g in machine.gpus)
    ):
        message = f"the pipeline holds {format_size(verdict.bytes)} on {place}, and {machine.name} shows no such GPU"
        way_out = _NO_GPU
    elif verdict.limit is None:
        message = f"peak {name} is {format_size(verdict.bytes)}, and nobody can say how much is free"
    else:
        message = (
            f"peak {name} {format_size(verdict.bytes)} is over the budget of {format_size(verdict.limit)}"
        )
    process = [
        line.hold for line in lines if line.step is None and line.hold.place == place and line.hold.bytes
    ]
    biggest = max(process, key=lambda hold: hold.bytes or 0, default=None)
    ranked = _ranked(plan, lines, place)
    alone = sum(hold.bytes or 0 for hold in process if hold.why.startswith(TENSORFLOW))
    if verdict.limit is not None and alone > verdict.limit:
        ranked = []  # no step is the cause
        message += f", and {TENSORFLOW} takes {format_size(alone)}: no step can mend it"
    labels = tuple(
        Label(plan.program.document.span(_written(plan, step)), _worded(size, hold))
        for step, size, hold in ranked
    )
    span = labels[0].span if labels else plan.program.document.span(("steps",), key=True)
    given = any("`--" in note for note in machine.free(place).notes) if place != WORKER else True
    free = f"{format_size(verdict.free)} is available" + ("" if given else f" on {machine.name}")
    notes = [
        free if verdict.free is not None else f"what is free on {machine.name} is unknown",
        *verdict.notes,
    ]
    if biggest is not None:
        notes.append(f"{format_size(biggest.bytes)} of it is {biggest.why}")
    return Problem(
        _CODES[place.partition(":")[0]],
        message,
        span,
        labels[0].text if labels else "",
        labels=labels[1:4],
        notes=tuple(notes),
        help=way_out,
    )


def _worded(size: int, hold: Hold) -> str:
    """Return the largest hold of a step with its own bytes, and where there are others the step's sum."""
    own, every = format_size(hold.bytes), format_size(size)
    return f"{hold.why}: {own}" if own == every else f"{hold.why}: {own} of the step's {every}"


def _ranked(plan: Plan, lines: Sequence[HoldLine], place: Place) -> list[tuple[int, int, Hold]]:
    """Return the steps of the spec by what they hold in a place: number, bytes, largest hold; largest first."""
    sums: dict[int, tuple[int, Hold]] = {}
    for line in lines:
        if line.step is None or line.hold.place != place or not line.hold.bytes:
            continue
        before = sums.get(line.step)
        bytes_ = line.hold.bytes + (before[0] if before else 0)
        largest = line.hold if before is None or (before[1].bytes or 0) < line.hold.bytes else before[1]
        sums[line.step] = (bytes_, largest)
    every = sum(size for size, _ in sums.values())
    ranked = sorted(((step, size, hold) for step, (size, hold) in sums.items()), key=lambda one: -one[1])
    spans: set[tuple[int, int]] = set()
    kept: list[tuple[int, int, Hold]] = []
    for step, size, hold in ranked:
        span = plan.program.document.span(_written(plan, step))
        if (span.line, span.column) not in spans and size * 20 >= every:
            spans.add((span.line, span.column))
            kept.append((step, size, hold))
    return kept
