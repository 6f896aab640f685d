"""What a mistake must tell about itself, and the steps of a spec as it looks at them."""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final

from safedata.memory import MIB, add, format_size
from safedata.mistakes import MANY
from safedata.plan import Plan, PlannedStep
from safedata.problem import Label, Path, Problem, Severity
from safedata.program import Step
from safedata.records import record
from safedata.scope import unheard
from safedata.stages.base import Stage
from safedata.types import Stream

if TYPE_CHECKING:
    from safedata.mistakes import Origin

MATTERS: Final = 64 * MIB
"""Bytes from which on a warning about memory is worth its line."""
BATCHES: Final = ("batch", "padded_batch", "ragged_batch", "bucket_batch")
ENOUGH: Final = 2_000
"""Elements in a shuffle's buffer that mix well enough, however many there are: some ten batches' worth."""
PART: Final = 100
"""A buffer of one element in so many mixes well enough too."""


@record(frozen=True, slots=True)
class Placed:
    """A step of the spec, with the types around the steps that run it."""

    stage: Stage
    path: Path
    before: Stream
    """What enters; where the step reads files as well, what enters the reading."""
    after: Stream
    ran: tuple[PlannedStep, ...]
    """The plan's steps that run it, in order; one at least."""

    @property
    def key(self) -> str:
        """The stage's name."""
        return self.stage.key()

    @property
    def said(self) -> str:
        """The step in its shortest form, in backticks: `shuffle: 100`."""
        main = self.stage.main
        value = getattr(self.stage, main) if main is not None else None
        short = isinstance(value, (int, str)) and not isinstance(value, bool)
        return f"`{self.key}: {value}`" if short else f"`{self.key}`"


@record(frozen=True, slots=True)
class Finding:
    """One place where a mistake is made."""

    at: Placed | None
    """The step to underline; None for the source."""
    message: str
    label: str
    """A few words beside the underlined step."""
    help: str
    notes: tuple[str, ...] = ()
    labels: tuple[tuple[Placed, str], ...] = ()
    """Other steps that have a part in it, with a few words each."""
    severity: Severity | None = None
    """Where it is another than the mistake's own."""


class Mistake:
    """Something that a spec can say and that hardly anybody means."""

    code: ClassVar[str]
    severity: ClassVar[Severity] = "warning"
    """`error` where the result is wrong, `warning` where memory, time or quality suffer."""

    @abstractmethod
    def find(self, line: Line) -> Iterator[Finding]:
        """Yield each place where a spec makes this mistake."""


class Line:
    """The steps of a spec in their order, typed.

    A rule that walks back from each of its steps takes time with the square of their number: it keeps what it has
    seen while it goes forward, or looks at names alone, or only so far.
    """

    plan: Plan
    origin: Origin
    """The source that the elements come from: a combinator has a line for each of its inputs."""
    steps: tuple[Placed, ...]
    keys: tuple[str, ...]
    """The steps' stages by name, in the same order."""

    def __init__(self, plan: Plan, origin: Origin) -> None:
        """Take a plan that has typed every step of its spec, and one of the ways through it."""
        self.plan = plan
        self.origin = origin
        self._silent = replace(plan.scope, report=unheard)
        ran: dict[Path | None, list[PlannedStep]] = {}
        for planned in plan.steps:
            ran.setdefault(planned.path, []).append(planned)
        self.steps = tuple(_placed(step, tuple(ran[step.path])) for step in origin.steps)
        self.keys = tuple(step.key for step in self.steps)
        self._unbatched = max(
            (number for number, key in enumerate(self.keys) if key == "unbatch"), default=-1
        )
        self._frozen = [number for number, step in enumerate(self.steps) if step.stage.freezes]

    def of(self, *keys: str) -> Iterator[tuple[int, Placed]]:
        """Yield the steps whose stage is one of these, each with its place."""
        return ((number, self.steps[number]) for number, key in enumerate(self.keys) if key in keys)

    def frozen(self) -> Iterator[tuple[int, Placed]]:
        """Yield the steps that replay their first epoch, each with its place."""
        return ((number, self.steps[number]) for number in self._frozen)

    def since_frozen(self, at: int) -> Iterator[tuple[int, Placed]]:
        """Yield the steps between the last one before `at` that replays its first epoch, and `at`."""
        before = bisect_left(self._frozen, at)
        start = self._frozen[before - 1] + 1 if before else 0
        return ((number, self.steps[number]) for number in range(start, at))

    def single(self, at: int) -> bool:
        """Return whether the step at `at` sees single elements, or batches that a later step takes apart again."""
        return not self.steps[at].before.batch_dims or self._unbatched > at

    def through(self, steps: Sequence[Placed], stream: Stream) -> Stream:
        """Return what leaves some steps where `stream` enters them."""
        for step in steps:
            stream = step.stage.infer(stream, self._silent)
        return stream

    def held(self, stage: Stage, stream: Stream) -> int | None:
        """Return the bytes that `stage` holds where `stream` enters it, None when there is no bound."""
        if any(tensor.broken for tensor in stream.element.values()):
            return None
        after = stage.infer(stream, self._silent)
        return add(*(hold.bytes for hold in stage.holds(stream, after, self._silent)))

    def problem(self, mistake: Mistake, finding: Finding) -> Problem:
        """Return a finding as a problem with its place in the spec."""
        program = self.plan.program
        path = program.source_path if finding.at is None else finding.at.path
        return Problem(
            mistake.code,
            finding.message,
            program.document.span(path, key=True),
            finding.label,
            finding.severity or mistake.severity,
            tuple(Label(program.document.span(one.path, key=True), text) for one, text in finding.labels),
            finding.notes,
            finding.help,
        )


def place(plan: Plan, step: Step) -> Placed:
    """Return a step of the spec, or of an input, with the types around it in a plan that has typed it."""
    return _placed(step, tuple(planned for planned in plan.steps if planned.path == step.path))


def _placed(step: Step, ran: tuple[PlannedStep, ...]) -> Placed:
    return Placed(step.stage, step.path, ran[0].before or ran[0].after, ran[-1].after, ran)


def which_holds(size: int | None) -> str:
    """Return `, which holds 3.40 MiB`; nothing where an error of types leaves the bytes unknown."""
    return "" if size is None else f", which holds {format_size(size)}"


def there_and_here(there: int | None, here: int | None) -> str:
    """Return what something holds in another place and where it stands; nothing where that is unknown."""
    if there is None or here is None:
        return ""
    return f": there it holds {format_size(there)}, here {format_size(here)}"


def reshuffles(step: Placed) -> bool:
    """Return whether a step is a `shuffle` that gives another order in each epoch."""
    from safedata.stages.shuffle import Shuffle

    return isinstance(step.stage, Shuffle) and step.stage.reshuffle and step.stage.slots(step.before) != 1


def slots(step: Placed) -> int:
    """Return the number of elements in a shuffle's buffer, 0 where that cannot be known."""
    from safedata.stages.shuffle import Shuffle

    return (step.stage.slots(step.before) or 0) if isinstance(step.stage, Shuffle) else 0


def hardly_mixes(step: Placed) -> bool:
    """Return whether a shuffle's buffer is tiny: elements stay about where they were.

    Of an unknown number of elements only a handful of slots is.
    """
    count, most = slots(step), step.before.cardinality.most
    return count < MANY if most is None else count < ENOUGH and count * PART < most
