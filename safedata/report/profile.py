"""What a profile has measured, as text and as a JSON object."""

from __future__ import annotations

from safedata.memory import format_size
from safedata.profiling import Profile, StepProfile
from safedata.report.columns import safe
from safedata.report.steps import line_of, numbers
from safedata.report.table import count, table
from safedata.report.text import shown_path

_HEAD = (
    "#",
    "step",
    "line",
    "elements",
    "time each",
    "work",
    "threads",
    "in buffer",
    "measured",
    "estimated",
)


def render(profile: Profile) -> str:
    """Return a profile as text: the rate, the waiting, a line for each step, the bottleneck, the bytes."""
    lines = [*_rate(profile), "", *_steps(profile), ""]
    lines += [
        *_bottleneck(profile),
        "",
        *_bytes(profile),
        *(f"  note: {safe(note)}" for note in profile.notes),
    ]
    return "\n".join(lines)


def _rate(profile: Profile) -> list[str]:
    batches = count(profile.batches, "batch", "batches")
    epochs = "" if profile.epochs < 2 else f", {profile.epochs} epochs"
    first = (
        f"{shown_path(profile.verdict.spec)}: {profile.per_second:,.0f} elements/s: {profile.elements:,} in "
        f"{batches} in {profile.seconds:.1f} s{epochs}"
    )
    wait = profile.wait
    if wait is None:
        return [safe(first)]
    step = f" beside a step of {seconds(profile.pace.step)}" if profile.pace.step else ""
    waited = (
        f"  waited {profile.waiting:.1%} of the time{step}; for a batch {seconds(wait.mean)} on average, median "
        f"{seconds(wait.median)}, 95% under {seconds(wait.p95)}, longest {seconds(wait.longest)}"
    )
    return [safe(first), waited, f"  the process used {profile.cpu:.0%} of the CPUs"]


def _steps(profile: Profile) -> list[str]:
    rows = [list(_HEAD), *(_row(profile, one) for one in profile.steps)]
    return table(rows, right=(0, 2, 3, 4, 5, 6, 7, 8, 9))


def _row(profile: Profile, one: StepProfile) -> list[str]:
    step = profile.plan.steps[one.number]
    settled, line = numbers(step), line_of(profile.plan, step)
    limited = one.number == profile.bottleneck.step
    return [
        f"{'>' if limited else ''}{one.number}",
        f"{step.title} ({settled})" if settled else step.title,
        "" if line is None else str(line),
        _elements(one),
        "" if one.per_element is None else seconds(one.per_element),
        "" if one.share is None else f"{one.share:.0%}",
        "" if one.busy is None else f"{one.busy:.2f}",
        f"{one.buffered:,}" if one.buffered else "",
        _buffered(one),
        format_size(one.estimated),
    ]


def _elements(one: StepProfile) -> str:
    if one.exact:
        return f"{one.elements:,}"
    return f"~{one.elements:,}" if one.elements else "?"


def _buffered(one: StepProfile) -> str:
    if not one.buffered:
        return ""
    if one.shared:
        return f"shared with the {one.shared}"
    return f"*{format_size(one.measured)}" if _over(one) else format_size(one.measured)


def _over(one: StepProfile) -> bool:
    """Return whether the blocks in a step's buffers take more than its own estimate."""
    return not one.shared and one.estimated is not None and one.measured > one.estimated


def _bottleneck(profile: Profile) -> list[str]:
    found = profile.bottleneck
    lines = [f"  {found.reason}"]
    if found.step is not None:
        step = profile.plan.steps[found.step]
        line = line_of(profile.plan, step)
        place = "" if line is None else f", line {line}"
        lines = [f"  bottleneck: {found.step} {step.title}{place}: {found.reason}"]
    return [*lines, f"  to change: {found.advice}"] if found.advice else lines


def _bytes(profile: Profile) -> list[str]:
    measured = "unknown" if profile.measured is None else format_size(profile.measured)
    lines = [
        f"  peak of host memory: estimated {format_size(profile.estimated)}, measured {measured}",
        "  measured, of a step: blocks of the tensors seen in its buffers; estimated: those and what it works on",
    ]
    if any(_over(one) for one in profile.steps):
        lines.append(
            "  `*`: a block is larger than its tensor; what blocks add is estimated for the whole process, in its peak"
        )
    return lines


def seconds(value: float) -> str:
    """Return a short time as people read it: `1.24 s`, `38.2 ms`, `5.1 us`."""
    for unit, name in ((1.0, "s"), (1e-3, "ms")):
        if value >= unit:
            return f"{value / unit:.3g} {name}"
    return f"{value * 1e6:.3g} us"


def profile_object(profile: Profile) -> dict[str, object]:
    """Return a profile as a JSON object; times in seconds, bytes as numbers, null where unknown."""
    wait, found = profile.wait, profile.bottleneck
    return {
        "spec": shown_path(profile.verdict.spec),
        "seconds": profile.seconds,
        "batches": profile.batches,
        "elements": profile.elements,
        "epochs": profile.epochs,
        "elements_per_second": profile.per_second,
        "step_seconds": profile.pace.step,
        "waiting": profile.waiting,
        "wait_seconds": None if wait is None else wait._asdict(),
        "cpu": profile.cpu,
        "host": {"estimated": profile.estimated, "measured": profile.measured},
        "stages": [_step_object(profile, one) for one in profile.steps],
        "bottleneck": {"number": found.step, "reason": found.reason, "advice": found.advice},
        "notes": list(profile.notes),
    }


def _step_object(profile: Profile, one: StepProfile) -> dict[str, object]:
    step = profile.plan.steps[one.number]
    return {
        "number": one.number,
        "stage": step.title,
        "line": line_of(profile.plan, step),
        "settled": numbers(step),
        "calls": step.calls,
        "elements": one.elements,
        "exact": one.exact,
        "seen": one.seen,
        "seconds": one.seconds,
        "seconds_per_element": one.per_element,
        "share": one.share,
        "threads": one.busy,
        "buffered_elements": one.buffered,
        "bytes": {"estimated": one.estimated, "measured": one.measured, "shared": one.shared is not None},
    }
