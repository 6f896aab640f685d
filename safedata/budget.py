"""The verdict: what a plan holds in each place at its peak, held against what is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from safedata.fields import Share
from safedata.machine import Machine, tensorflow_footprint
from safedata.machine.limits import HERE, Free
from safedata.memory import DISK, GIB, HOST, KIB, MIB, Evidence, Hold, Place, add, format_size, gpu, weakest
from safedata.plan import Plan, PlannedStep, allocator_share, consumer
from safedata.problem import Label, Path, Problem
from safedata.program import Program
from safedata.records import record
from safedata.sources.base import Root

THREAD: Final = 80 * KIB
"""Bound on what one busy thread of a pipeline takes at its peak; measured about 70 kB (memory facts, 3.7)."""
STEP: Final = 192 * KIB
"""Bound on a step's functions and iterators; measured about 150 kB (memory facts, 3.7)."""
ITERATOR: Final = MIB
"""Bound on the root iterator; measured 0.6 MB (memory facts, 3.7)."""
CUDA: Final = 2 * GIB
"""Allowance for what CUDA and its libraries take of host memory once a GPU is in use; not measured."""

_CODES: Final = {"host": "SD301", "gpu": "SD302", "disk": "SD303"}
_NO_GPU: Final = (
    "check for a machine that has one: `--gpu 24GiB`, or `--target`; or write `runtime: {device_fallback: cpu}`, "
    "which lets the host do the same where there is no GPU"
)
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
    yield _tensorflow(machine, max(affinity, plan.scope.cpus))
    threads = plan.scope.cpus + sum(1 for step in plan.steps if step.calls > 1) + _ahead(plan)
    steps = len(plan.steps)
    yield Hold(HOST, ITERATOR + threads * THREAD + steps * STEP, f"{threads} threads and {steps} steps")
    if any(hold.place.startswith("gpu") for step in plan.steps for hold in step.holds):
        yield Hold(HOST, CUDA, "CUDA's context and libraries, an allowance", "declared")
    yield consumer(plan)


def _tensorflow(machine: Machine, cpus: int) -> Hold:
    """Return what TensorFlow takes: as measured where the plan runs on this machine, and it was measured here."""
    if machine.name != HERE:
        return tensorflow_footprint(cpus)
    from safedata.machine import calibration

    measured = calibration.known()
    hold = tensorflow_footprint(cpus, measured)
    return hold if measured else hold._replace(why=f"{hold.why}; not measured on this machine yet")


def _ahead(plan: Plan) -> int:
    return sum(1 for step in plan.steps if getattr(step.node, "ahead", False))


def allocator_hold(plan: Plan, lines: Sequence[HoldLine]) -> Hold:
    """Return what the allocator keeps beside the live bytes of the steps: free blocks, and its own tables."""
    live = add(*(line.hold.bytes for line in lines if line.step is not None and line.hold.place == HOST))
    whose = "TensorFlow's pool" if plan.scope.pooled else "glibc's heap"
    why = f"the allocator, {whose}: free blocks kept for reuse, and its tables"
    return Hold(HOST, allocator_share(plan, live), why, "measured")


def hold_lines(plan: Plan, machine: Machine) -> list[HoldLine]:
    """Return every hold of a plan, the process's first."""
    steps = [HoldLine(number, hold) for number, holds in enumerate(_step_holds(plan)) for hold in holds]
    process = [HoldLine(None, hold) for hold in process_holds(plan, machine)]
    return [*process, HoldLine(None, allocator_hold(plan, steps)), *steps]


def _step_holds(plan: Plan) -> Iterator[tuple[Hold, ...]]:
    """Yield each step's holds; where a batch in the making already has its place in a buffer, it counts once."""
    filling: PlannedStep | None = None
    for step in plan.steps:
        node, holds = step.node, step.holds
        if isinstance(node, Root):
            yield holds
            continue
        if node.takes and filling is not None and holds and step.after.place == HOST:
            yield (_less_one(holds[0], filling), *holds[1:])
        else:
            yield holds
        if node.fills:
            filling = step
        elif holds:
            filling = None


def _less_one(kept: Hold, filling: PlannedStep) -> Hold:
    """Return a buffer's hold without the one place that the batch in the making is counted for already."""
    made = filling.holds[-1].bytes
    if kept.bytes is None or made is None:
        return kept
    return kept._replace(bytes=max(0, kept.bytes - made), why=f"{kept.why}, one of them the batch in work")


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
    cap = program.runtime.gpu_memory_limit if kind == "gpu" else None
    if cap is not None and left is not None:
        left = min(left, cap)
        notes.insert(0, f"`runtime.gpu_memory_limit` lets TensorFlow take {format_size(cap)}")
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
        verdict = replace(verdict, problems=(*verdict.problems, _estimate(plan, spec)))
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


def _estimate(plan: Plan, spec: str) -> Problem:
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
        help=way_out,
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
