"""What can be wrong, as data; `safedata.report` makes the text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from safedata.records import record

if TYPE_CHECKING:
    from safedata.change import Fix

Severity = Literal["error", "warning"]
Path = tuple[str | int, ...]
"""Where in a spec: keys and indices from the top, `("steps", 3, "batch", "size")`."""

CODES: Final[dict[str, str]] = {
    "SD101": "the text is not a YAML document that can be read",
    "SD102": "a key stands twice in one mapping",
    "SD103": "an unknown key",
    "SD104": "a key is missing",
    "SD105": "a value that the key does not take",
    "SD106": "an unknown source, stage, operation or function",
    "SD107": "a parameter that does not exist, or a value it does not take",
    "SD108": "the spec to extend cannot be used",
    "SD109": "the document is over a limit of size, depth or aliases",
    "SD110": "part of the language, and not available in this version",
    "SD111": "a value that YAML readers read in different ways",
    "SD112": "the environment is read without leave",
    "SD113": "another version of the language",
    "SD114": "an unknown target",
    "SD120": "an expression that cannot be read",
    "SD201": "an unknown component",
    "SD202": "a dtype that the operation does not take",
    "SD203": "a shape that does not fit",
    "SD204": "nothing bounds this dimension or length",
    "SD205": "a value range that does not fit",
    "SD206": "elements of different shapes in one batch",
    "SD207": "a stage or an operation in a place where it cannot stand",
    "SD208": "an expression whose types do not fit",
    "SD209": "an endless stream where an end is needed",
    "SD210": "a step on the CPU behind one on a GPU",
    "SD211": "an operation that no GPU can run",
    "SD212": "a component that cannot be carried to a GPU",
    "SD213": "a device or a number of calls that a GPU pipeline does not take",
    "SD214": "elements carried to a GPU one by one",
    "SD215": "two ways that make different dtypes",
    "SD216": "another number of components than are named or needed",
    "SD217": "linked images of different sizes",
    "SD221": "inputs with different components",
    "SD222": "inputs of different types",
    "SD223": "two inputs with a component of one name",
    "SD224": "an input of `zip` that may lose elements",
    "SD225": "an input that is never reached",
    "SD231": "a module that the caller does not allow",
    "SD232": "a function that cannot be found or used",
    "SD233": "a call whose bytes nobody says",
    "SD234": "a call that returns other components than its chain makes",
    "SD235": "a class that cannot be an operation",
    "SD236": "a function that cannot become part of the graph",
    "SD237": "one name for two operations",
    "SD250": "a function that does not take what it is called with",
    "SD251": "a function that took too long",
    "SD301": "over the budget of host memory",
    "SD302": "over the budget of GPU memory",
    "SD303": "over the budget of disk",
    "SD304": "the bytes of a stage cannot be bounded",
    "SD310": "the verdict is an estimate",
    "SD320": "a GPU that cannot be used",
    "SD321": "GPU memory that others hold",
    "SD322": "too little host memory for TensorFlow itself",
    "SD323": "more threads than a CPU quota has time for",
    "SD324": "an allocator that was asked for and is not there",
    "SD325": "a limit of the system that pipelines run into",
    "SD326": "no room for caches",
    "SD327": "TensorFlow cannot use what the machine has",
    "SD330": "a fix that cannot be written into the spec",
    "SD331": "no such number to fit",
    "SD401": "a path that does not exist",
    "SD402": "a path that cannot be read",
    "SD403": "no data where data is named",
    "SD404": "data that is damaged or not what it is said to be",
    "SD405": "the GPU cannot be seen",
    "SD406": "a path on a file system that this version does not read",
    "SD407": "a package that this needs is not installed",
    "SD408": "the output cannot be written",
    "SD409": "too much of the data is bad",
    "SD410": "a measurement that cannot be used",
    "SD411": "data that is newer than its measurement",
    "SD412": "missing values that nothing stands in for",
    "SD413": "data in a form that this version does not read",
    "SD414": "a path that leads out of its folder",
    "SD421": "a file that has not been made",
    "SD422": "an artifact of other data or of other steps",
    "SD423": "a file that cannot be used",
    "SD424": "an artifact that does not have what is asked of it",
    "SD425": "data that cannot be analyzed",
    "SD426": "an artifact that cannot be made",
    "SD501": "an element was larger than its type says",
    "SD502": "TensorFlow could not run the pipeline",
    "SD503": "the pipeline did not run on its GPU",
    "SD504": "TensorFlow was started before its GPU settings were made",
    "SD505": "TensorFlow sees no such GPU",
    "SD506": "a pipeline on one GPU under a strategy of several replicas",
    "SD507": "what cannot be sent to another process, or back from it",
    "SD508": "a process that ended before its function returned",
    "SD509": "a pipeline that is used after it was left",
    "SD511": "a function that did not return what the spec declares",
    "SD512": "a function that raised",
    "SD540": "a cache that may grow beyond its `max_bytes`",
    "SD541": "a process that ended before its part of a cache was written",
    "SD542": "memory that grows from epoch to epoch",
    "SD546": "no state of an iteration",
    "SD547": "a state of another pipeline",
    "SD548": "a pass that cannot be gone on with",
    "SD549": "an iterator that TensorFlow cannot save",
    "SD550": "a server of tf.data service that does not answer",
    "SD551": "a server of tf.data service that cannot start",
    "SD552": "a step that no worker can run",
    "SD553": "draws or an order that would repeat on workers",
    "SD554": "a way to share data out that the spec does not allow",
    "SD555": "a build whose rows do not come from its workers",
    "SD556": "an input context that nothing in the spec follows",
    "SD601": "a cache behind a random operation",
    "SD602": "a cache behind a shuffle",
    "SD603": "a cache of shuffled batches",
    "SD604": "a memory cache that is never complete",
    "SD605": "a cache behind a repeat",
    "SD606": "a take or skip of an order that changes",
    "SD607": "a shuffle behind a batch",
    "SD608": "a shuffle behind a repeat",
    "SD609": "a shuffle buffer that hardly mixes",
    "SD610": "training in the order of the source",
    "SD611": "a large shuffle in a spec for evaluation",
    "SD612": "a shuffle behind a map that makes elements larger",
    "SD613": "floats in a buffer where bytes would do",
    "SD614": "work behind the last prefetch",
    "SD615": "training without a prefetch",
    "SD616": "a prefetch of many batches",
    "SD617": "batches that are taken apart and made again",
    "SD618": "components that belong together, moved by draws of their own",
    "SD619": "boxes or a mask that stay behind when the image moves",
    "SD620": "random operations in a spec for evaluation",
    "SD621": "inputs of a zip that are shuffled apart",
    "SD623": "values divided by 255 a second time",
    "SD624": "arrays that are loaded whole",
    "SD625": "inputs that read the same files, each for a part of them",
}
"""Every code with its title. A test holds this table against the pages."""


class Span(NamedTuple):
    """A piece of a file; lines and columns count from 1, `end_column` is the first one after it."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int


@record(frozen=True, slots=True)
class Label:
    """A second piece of a spec that explains a problem, with a few words beside it."""

    span: Span
    text: str


@record(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: what, where, which facts belong to it, and the way out."""

    code: str
    message: str
    """What is wrong; starts lowercase, no full stop, stands alone."""
    span: Span | None = None
    label: str = ""
    """A few words beside the underlined piece."""
    severity: Severity = "error"
    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    help: str | None = None
    """One thing to do."""
    fixes: tuple[Fix, ...] = ()
    """For a spec over its budget: changes with which everything fits, the cheapest first."""


@record(eq=False)
class Fault(Exception):
    """A rule of the language is broken at `at`, a path relative to whoever raises it.

    Stages, operations and sources raise faults; whoever knows the spec's positions turns
    them into problems.
    """

    code: str
    message: str
    at: Path = ()
    label: str = ""
    notes: tuple[str, ...] = ()
    help: str | None = None
    severity: Severity = "error"
    on_key: bool = False
    """Whether the key at the end of `at` is what is wrong, not its value."""
    within: tuple[int, int] | None = None
    """For a fault inside a scalar's text, an expression say: first character and the one after the last."""
    absolute: bool = False
    """Whether `at` starts at the document's top, wherever the fault is raised."""

    def __str__(self) -> str:
        return self.message

    def under(self, *path: str | int) -> Fault:
        """Return this fault as seen from further up: `path` is put before its own."""
        return self if self.absolute else replace(self, at=(*path, *self.at))


class EchoFault(Fault):
    """A fault that follows from one that is reported already: it ends what it is raised in, and is not reported."""


class SafedataError(Exception):
    """The base of every error that safedata raises on purpose."""

    def __reduce__(self) -> tuple[object, ...]:
        """Return how a copy is made, in this process or another: the problems are not what `args` has."""
        state = dict(self.__dict__)
        if isinstance(state.get("texts"), Mapping):
            state["texts"] = dict(state["texts"])  # a mapping proxy cannot be pickled
        return _again, (type(self), self.args, state)


def _again(kind: type[SafedataError], args: tuple[object, ...], state: dict[str, object]) -> SafedataError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class SpecError(SafedataError, ValueError):
    """A spec with problems; `problems` has all of them."""

    texts: Mapping[str, str] = MappingProxyType({})
    """The text of the files that the problems point into, by name; empty where nobody has it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(summary(self.problems))


class BudgetError(SpecError):
    """A spec that does not fit; `problems` say where, with fixes."""


class DataError(SafedataError, OSError):
    """Data that is missing, unreadable or damaged; `problems` say which and where."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(summary(self.problems))


class DeviceError(SafedataError, RuntimeError):
    """A GPU that is not there, not used, or can no longer be set up; `problems` say which."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(summary(self.problems))


class StateError(SafedataError, ValueError):
    """A state that cannot be told, saved or gone on from; `problems` has the one that says why."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(summary(self.problems))


class ClosedError(SafedataError, ValueError):
    """A pipeline that is used after it was left; `problems` has the one that says so."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(summary(self.problems))


class IsolatedError(SafedataError, RuntimeError):
    """A function that could not be run in a process of its own, or whose process ended before it returned."""

    signal: int | None = None
    """The signal that ended the process; None where it ended otherwise."""
    peak: int | None = None
    """The most resident bytes that the process had; None where it never started or the system does not tell."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(summary(self.problems))


def summary(problems: Sequence[Problem]) -> str:
    """Return one line for each problem: place, code, message and help."""
    return "\n".join(_line(problem) for problem in problems)


def _line(problem: Problem) -> str:
    place = f"{problem.span.file}:{problem.span.line}:{problem.span.column}: " if problem.span else ""
    way_out = f" (help: {problem.help})" if problem.help else ""
    return f"{place}{problem.severity}[{problem.code}]: {problem.message}{way_out}"


def near(name: str, names: Iterable[str], alike: float = 0.6) -> str | None:
    """Return the one of `names` that somebody who wrote `name` most likely meant; None where none is so much alike."""
    import difflib  # costs milliseconds, and only a mistake needs it

    candidates = list(names)
    lowered = {candidate.lower(): candidate for candidate in candidates}
    wanted = name.lower().replace("-", "_").replace(" ", "_")
    found = difflib.get_close_matches(wanted, lowered, n=1, cutoff=alike)
    return lowered[found[0]] if found else None


_MANY: Final = 12
"""More names than these are not listed whole."""
_FEW: Final = 6
"""How many of them are, then."""


def did_you_mean(name: str, names: Iterable[str], *, what: str = "known names", lists: str = "") -> str:
    """Return the help for an unknown name: the nearest one, or all of them; of many those that are most like it.

    Args:
        name: the unknown one.
        names: those that there are.
        what: what they are, in the plural.
        lists: what lists all of them where they are many: "`safedata schema`".
    """
    every = sorted(names)
    found = near(name, every)
    if found:
        return f"did you mean `{found}`?"
    if len(every) <= _MANY:
        return f"{what}: {', '.join(f'`{one}`' for one in every)}" if every else f"there are no {what}"
    from difflib import SequenceMatcher

    alike = sorted(every, key=lambda one: -SequenceMatcher(None, name.lower(), one.lower()).ratio())[:_FEW]
    rest = f"; {lists} lists all {len(every)}" if lists else f" and {len(every) - _FEW} more"
    return f"{what}: {', '.join(f'`{one}`' for one in alike)}{rest}"
