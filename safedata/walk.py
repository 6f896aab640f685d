"""Goes along the steps of a program once and types each."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from safedata import draws
from safedata.layout import Line, Names
from safedata.memory import Hold
from safedata.problem import Fault, Path, Problem
from safedata.program import Program
from safedata.records import record, replace
from safedata.rewrite.entry import Entry
from safedata.scope import Scope, unheard
from safedata.sources.base import Root
from safedata.spec.pointing import problem_of
from safedata.stages.base import Node
from safedata.strata import with_strata
from safedata.types import Stream


@record(frozen=True, slots=True)
class PlannedStep:
    """One step of the graph with the types around it and the bytes it holds at its peak."""

    node: Node | Root
    path: Path | None
    """Where the spec says it; None for a step that the planner put in."""
    before: Stream | None
    """What enters; None for the source."""
    after: Stream
    holds: tuple[Hold, ...] = ()
    calls: int = 1
    seed: int = 0
    input: Names = ()
    """The combinator's input that it belongs to, from the outermost combinator on; none for the spec's own steps."""

    @property
    def title(self) -> str:
        """The step's name in reports: with the input in front, `photos: shuffle`, where it belongs to one."""
        return ": ".join((*self.input, self.node.title())) if self.input else self.node.title()


class Walk:
    """Goes along the lines of a program once and types each step; faults become problems.

    Args:
        program: the program.
        scope: the settled numbers.
        known: steps of another plan with the same numbers, in which nothing was wrong; a step that is among them, where
            elements of the same type enter, is taken over.
    """

    def __init__(self, program: Program, scope: Scope, known: Iterable[PlannedStep] = ()) -> None:
        self.program = program
        self.scope = scope
        self._silent = replace(scope, report=unheard)
        self.problems: list[Problem] = []
        self.counted: dict[Names, int] = {}
        self.steps: list[PlannedStep] = []
        self._known = {id(one.node): one for one in known}
        """By the node's identity, which is its own as long as the other plan is there."""

    def along(self, line: Line) -> Stream | None:
        """Type the steps of a line, those of its inputs first; None where one cannot be typed.

        All up to that one are in `steps`.
        """
        scope = self._scope(line.path)
        ends = [self.along(one) for one in line.inputs]
        if None in ends:
            return None
        seed = self.scope.seed
        if line.inputs:
            stream = self._joined(line, [end for end in ends if end is not None], scope)
            seed = self._seed(line.root, line.input)
        else:
            stream = line.root.infer(scope)
            seed = draws.derive_seed(seed, *line.input, "source") if line.input else seed
        stream = with_strata(stream, line.root.strata(stream))
        self.steps.append(PlannedStep(line.root, line.path, None, stream, seed=seed, input=line.input))
        for entry in line.entries:
            step = self._step(entry, stream, line)
            if step is None:
                return None
            self.steps.append(step)
            stream = step.after
        return stream

    def _joined(self, line: Line, ends: list[Stream], scope: Scope) -> Stream:
        """Return what leaves a combinator, whose inputs' steps give no more than is needed of them.

        What does not fit is found in all that the spec says, needed or not.
        """
        from safedata.sources._inputs import Joint  # few specs have one

        if not isinstance(line.root, Joint):
            raise TypeError("a source without inputs is typed on its own")
        line.root.infer(scope)
        return line.root.joined(tuple(ends), replace(scope, report=unheard))

    def report(self, fault: Fault) -> None:
        """Take a fault whose path starts at the document's top."""
        self._reporter(None)(fault)

    def _scope(self, path: Path | None) -> Scope:
        return replace(self.scope, report=self._reporter(path))

    def _reporter(self, path: Path | None) -> Callable[[Fault], None]:
        def report(fault: Fault) -> None:
            self.problems.append(problem_of(fault.under(*(path or ())), self.program.document))

        return report

    def _seed(self, node: Node | Root, input: Names) -> int:
        """Return the seed of a step: by its place among the steps that draw, or among those of its name.

        So a step that is put in elsewhere, a `prefetch` say, changes no draw and no order. Each input counts its own.
        """
        kind = (*input, "draw" if isinstance(node, Node) and node.random else node.title())
        number = self.counted[kind] = self.counted.get(kind, 0) + 1
        return draws.derive_seed(self.scope.seed, *kind, number)

    def _step(self, entry: Entry, before: Stream, line: Line) -> PlannedStep | None:
        path, names = entry.path, line.input
        seed = self._seed(entry.node, names)
        old = self._taken_over(entry, before, names, seed)
        if old is not None:
            return old
        scope = self._scope(path)
        if names and entry.node.gpu is not None and path is not None:
            self.report(_on_gpu(entry.node, path, names))
        after = line.written.typed(entry, before, scope)
        if after is None:
            return None
        after = with_strata(after, entry.node.strata(before, after, self._silent))
        calls = entry.node.calls(scope)
        return PlannedStep(entry.node, path, before, after, calls=calls, seed=seed, input=names)

    def _taken_over(self, entry: Entry, before: Stream, input: Names, seed: int) -> PlannedStep | None:
        """Return the same step of the other plan, None where it was not there, or something else entered it."""
        old = self._known.get(id(entry.node))
        if old is None or (old.path, old.input, old.seed) != (entry.path, input, seed):
            return None
        entered = old.before
        if entered is before:
            return old
        if entered is None or entered != before:
            return None
        return old if entered.together == before.together and entered.strata == before.strata else None


def _on_gpu(node: Node, path: Path, input: Names) -> Fault:
    """Return the fault of a step on a GPU before a combinator, which takes elements on the host."""
    message = f"`{node.title()}` is a step of the input `{input[-1]}`, and inputs run on the CPU"
    return Fault("SD213", message, (*path[:-1], "device"), help="move it behind the source, into `steps`")
