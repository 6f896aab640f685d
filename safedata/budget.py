"""The verdict: what a plan holds in each place at its peak, held against what is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from safedata.fields import Share
from safedata.machine import Machine, tensorflow_footprint
from safedata.machine.limits import Free
from safedata.memory import DISK, HOST, KIB, MIB, Evidence, Hold, Place, add, format_size, weakest
from safedata.plan import Plan, PlannedStep, consumer
from safedata.problem import Label, Path, Problem
from safedata.program import Program
from safedata.records import record

THREAD: Final = 80 * KIB
"""Bound on what one busy thread of a pipeline takes at its peak; measured about 70 kB (memory facts, 3.7)."""
STEP: Final = 192 * KIB
"""Bound on a step's functions and iterators; measured about 150 kB (memory facts, 3.7)."""
ITERATOR: Final = MIB
"""Bound on the root iterator; measured 0.6 MB (memory facts, 3.7)."""
ARENA_FLOOR: Final = 24 * MIB
"""What the allocator may keep beside small pipelines: a heap for each thread, rounded up."""
ARENA_PERCENT: Final = 25
"""What the allocator may keep beside the live bytes, in percent of them: fragments, and freed blocks.

With glibc and TensorFlow's own pool as they come, the pipelines of tests/test_memory.py and of tests/stages stay under
the sum, at 0.6 to 0.95 of it. Settings that make freed memory go back at once (a fixed threshold for mapped blocks,
oneDNN without its pool) changed their peaks by less than 6 percent and cost 20 to 50 percent more CPU an image.
"""

_CODES: Final = {"host": "SD301", "gpu": "SD302", "disk": "SD303"}
_NAMES: Final = {"host": "host memory", "disk": "disk"}


@record(frozen=True, slots=True)
class PlaceVerdict:
    """One place: the bytes at the peak, what the budget allows, what is free."""

    bytes: int | None
    limit: int | None
    """What the pipeline may use; None when nobody can say what is free."""
    free: int | None
    notes: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether the peak is known and within the limit."""
        if self.bytes == 0:
            return True
        return self.bytes is not None and self.limit is not None and self.bytes <= self.limit


class HoldLine(NamedTuple):
    """One hold as the verdict lists it: which step it belongs to, None for the process itself."""

    step: int | None
    hold: Hold


@record(frozen=True, slots=True)
class Verdict:
    """Whether a spec fits, place by place, and every line that the sums are made of."""

    spec: str
    plan: Plan | None
    """None when the spec could not be typed; then `problems` say why."""
    machine: Machine | None
    places: Mapping[Place, PlaceVerdict]
    lines: tuple[HoldLine, ...]
    problems: tuple[Problem, ...]
    texts: Mapping[str, str]
    """The text of every file that a problem points into."""

    @property
    def fits(self) -> bool:
        """Whether there is no error: the spec is sound and within every budget."""
        return self.plan is not None and not any(one.severity == "error" for one in self.problems)

    @property
    def evidence(self) -> Evidence:
        """The weakest evidence that a bound rests on."""
        return weakest(*(line.hold.evidence for line in self.lines))


def process_holds(plan: Plan, machine: Machine) -> Iterator[Hold]:
    """Yield what the process holds beside its steps' own bytes: TensorFlow, threads, the allocator's share."""
    affinity = machine.cpus.affinity or plan.scope.cpus
    yield tensorflow_footprint(max(affinity, plan.scope.cpus))
    threads = plan.scope.cpus + sum(1 for step in plan.steps if step.calls > 1) + _ahead(plan)
    steps = len(plan.steps)
    yield Hold(HOST, ITERATOR + threads * THREAD + steps * STEP, f"{threads} threads and {steps} steps")
    yield consumer(plan)


def _ahead(plan: Plan) -> int:
    return sum(1 for step in plan.steps if getattr(step.node, "ahead", False))


def allocator_hold(lines: Sequence[HoldLine]) -> Hold:
    """Return what glibc keeps beside the live bytes of the steps: fragments and freed blocks in arenas."""
    live = add(*(line.hold.bytes for line in lines if line.step is not None and line.hold.place == HOST))
    share = None if live is None else ARENA_FLOOR + live * ARENA_PERCENT // 100
    return Hold(HOST, share, "the allocator: fragments, and freed blocks kept for reuse", "measured")


def hold_lines(plan: Plan, machine: Machine) -> list[HoldLine]:
    """Return every hold of a plan, the process's first."""
    steps = [HoldLine(number, hold) for number, step in enumerate(plan.steps) for hold in step.holds]
    process = [HoldLine(None, hold) for hold in process_holds(plan, machine)]
    return [*process, HoldLine(None, allocator_hold(steps)), *steps]


def total(lines: Sequence[HoldLine], place: Place) -> int | None:
    """Return the bytes at the peak in one place, None when one part of them is unknown."""
    return add(*(line.hold.bytes for line in lines if line.hold.place == place))


def place_verdicts(plan: Plan, machine: Machine, lines: Sequence[HoldLine]) -> dict[Place, PlaceVerdict]:
    """Return the verdict on each place that the machine has or the plan uses."""
    places = [HOST, *(f"gpu:{gpu.index}" for gpu in machine.gpus), DISK]
    places += [line.hold.place for line in lines if line.hold.place not in places]
    return {
        place: _place(plan.program, machine.free(place), place, total(lines, place))
        for place in dict.fromkeys(places)
    }


def _place(program: Program, free: Free, place: Place, peak: int | None) -> PlaceVerdict:
    budget, kind = program.budget, place.partition(":")[0]
    allowed = {"host": budget.host, "gpu": budget.gpu, "disk": budget.disk}[kind]
    reserve = {"host": budget.reserve.host, "gpu": budget.reserve.gpu}.get(kind)
    notes = list(free.notes)
    left = free.bytes
    if reserve is not None and left is not None:
        left = max(0, left - reserve)
        notes.insert(0, f"`budget.reserve.{kind}` keeps {format_size(reserve)} of it")
    limit = left
    if isinstance(allowed, Share):
        limit = None if left is None else allowed.of(left)
        notes.insert(0, f"`budget.{kind}: {allowed}` allows {format_size(limit)} of it")
    elif allowed is not None:
        limit = allowed if left is None else min(allowed, left)
        notes.insert(0, f"`budget.{kind}` allows {format_size(allowed)}")
    return PlaceVerdict(peak, limit, free.bytes, tuple(notes))


def judge(plan: Plan, machine: Machine, spec: str) -> Verdict:
    """Return the verdict on a plan: its sums, and a problem for each place that it does not fit.

    The problems carry no fixes yet; `safedata.fixes` works those out.
    """
    texts = plan.program.document.texts
    if not plan.complete:
        return Verdict(spec, None, machine, {}, (), (*plan.program.warnings, *plan.problems), texts)
    lines = hold_lines(plan, machine)
    places = place_verdicts(plan, machine, lines)
    problems = [*plan.program.warnings, *plan.problems, *_unknown(plan, lines)]
    problems += [*_unseen(plan.program, machine), *_short(plan.program, machine)]
    problems += [
        over(plan, machine, lines, place, verdict)
        for place, verdict in places.items()
        if not verdict.fits and verdict.bytes is not None
    ]
    verdict = Verdict(spec, plan, machine, places, tuple(lines), tuple(problems), texts)
    if verdict.evidence == "sampled":
        verdict = replace(verdict, problems=(*verdict.problems, _estimate(plan)))
    return verdict


def _unseen(program: Program, machine: Machine) -> Iterator[Problem]:
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


def _short(program: Program, machine: Machine) -> Iterator[Problem]:
    """Yield a problem for each place that has less than `budget.reserve` keeps for the model alone."""
    reserves = {HOST: program.budget.reserve.host}
    reserves |= {f"gpu:{gpu.index}": program.budget.reserve.gpu for gpu in machine.gpus}
    for place, reserve in reserves.items():
        free = machine.free(place).bytes
        if reserve is None or free is None or reserve <= free:
            continue
        kind = place.partition(":")[0]
        yield Problem(
            _CODES[kind],
            f"the reserve of {format_size(reserve)} on {place} is over the {format_size(free)} that are free",
            program.document.span(("budget", "reserve", kind)),
            notes=machine.free(place).notes,
            help=f"a smaller model or batch; `budget.reserve.{kind}` says what they need",
        )


def _estimate(plan: Plan) -> Problem:
    return Problem(
        "SD310",
        "the verdict is an estimate: it rests on a sample of the data",
        plan.program.document.span(plan.program.source_path, key=True),
        severity="warning",
        notes=plan.inspected.notes,
        help="declare the bounds where the source takes them: `max_size`, `max_bytes`, `max`",
    )


def _unknown(plan: Plan, lines: Sequence[HoldLine]) -> Iterator[Problem]:
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
    name = _NAMES.get(place, f"memory on {place}")
    if verdict.limit is None:
        message = f"peak {name} is {format_size(verdict.bytes)}, and nobody can say how much is free"
    else:
        message = (
            f"peak {name} {format_size(verdict.bytes)} is over the budget of {format_size(verdict.limit)}"
        )
    ranked = _ranked(plan, lines, place)
    labels = tuple(
        Label(plan.program.document.span(_written(plan, step)), _worded(size, hold))
        for step, size, hold in ranked
    )
    span = labels[0].span if labels else plan.program.document.span(("steps",), key=True)
    free = f"{format_size(verdict.free)} is available on {machine.name}"
    process = [
        line.hold for line in lines if line.step is None and line.hold.place == place and line.hold.bytes
    ]
    biggest = max(process, key=lambda hold: hold.bytes or 0, default=None)
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
    )


def _worded(size: int, hold: Hold) -> str:
    return f"{hold.why}: {format_size(size)}"


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
