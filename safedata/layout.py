"""From a program to the order in which its steps run: those that no spec names put in, rewrites applied.

A combinator's inputs are lines of their own, each laid out for what the steps behind the combinator need of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from safedata import draws, placement, rewrite
from safedata.internal.keys import Epoch, Identify, Readable
from safedata.internal.output import Output
from safedata.lowering import EPOCH, INDEX, OK
from safedata.problem import Fault, Path
from safedata.program import Program
from safedata.records import record, replace
from safedata.rewrite.entry import Entry
from safedata.scope import Scope, unheard
from safedata.sources.base import Inspected, Root
from safedata.stages._step import Step

Names = tuple[str, ...]
"""Which input a step belongs to: the names that lead to it, the outermost first; none for the spec's own."""


@record(frozen=True, slots=True)
class Line:
    """A source with the steps behind it, in the order in which they run."""

    root: Root
    path: Path
    """Where the spec says the source."""
    entries: tuple[Entry, ...]
    inputs: tuple[Line, ...] = ()
    """Of a combinator: the lines that lead to it."""
    input: Names = ()
    notes: tuple[str, ...] = ()
    """A sentence for each rewrite that changed something, those of the inputs first."""


def laid_out(program: Program, inspected: Inspected, structure: object, scope: Scope) -> Line:
    """Return the steps of a program whose source has been inspected.

    Args:
        program: a program.
        inspected: what its source found.
        structure: what leaves at the end.
        scope: the settled numbers.
    """
    entries = _assembled(inspected, program.steps, scope)
    placed = _with_output(placement.place(entries, structure, scope), structure)
    placed += placement.dealt_out(program.runtime.replicas)
    return _line(inspected, placed, program.source_path, scope)


def written_out(inspected: Inspected, steps: Sequence[Step], scope: Scope) -> Sequence[Step]:
    """Return the steps behind a source with the components written out that they name by patterns.

    What stands behind a step that cannot be typed is left as it is: the walk over the types reports that step.
    """
    if not any(step.stage.patterned for step in steps):
        return steps
    found = list(steps)
    silent = replace(scope, report=unheard)
    try:
        stream = inspected.root.infer(silent)
        for node in inspected.then:
            stream = node.infer(stream, silent)
        for number, step in enumerate(steps):
            found[number] = replace(step, stage=step.stage.spelled(stream))
            stream = found[number].stage.infer(stream, silent)
    except Fault:
        return found
    return found


def _line(
    inspected: Inspected,
    entries: Sequence[Entry],
    path: Path,
    scope: Scope,
    input: Names = (),
    after: frozenset[str] = frozenset(),
) -> Line:
    """Return a line of which the components in `after` are needed at its end."""
    rewritten, notes = rewrite.apply(entries, after)
    wanted = _wanted(rewritten, after)
    root = inspected.root
    inputs = tuple(_inputs(root, wanted, scope, input))
    every = [note for one in inputs for note in one.notes]
    every += [": ".join((*input, note)) for note in notes]
    kept = (root.numbered() or root).keep(wanted)
    return Line(kept, path, tuple(rewritten), inputs, input, tuple(every))


def _inputs(root: Root, wanted: frozenset[str], scope: Scope, input: Names) -> Iterator[Line]:
    for number, one in enumerate(root.parts()):
        names = (*input, one.name)
        after = root.wanted(number, wanted)
        steps = written_out(one.inspected, one.input.steps, scope)
        entries = _assembled(one.inspected, steps, scope, names, after)
        yield _line(one.inspected, entries, one.input.source_path, scope, names, after)


def _assembled(
    inspected: Inspected,
    steps: Sequence[Step],
    scope: Scope,
    input: Names = (),
    after: frozenset[str] = frozenset(),
) -> list[Entry]:
    """Return the steps in the order of the spec, with the keys of elements where something needs them.

    Elements of a combinator have those of its inputs.
    """
    stages = [Entry(step.stage, step.path) for step in steps]
    entries = [*(Entry(node, None, late=True) for node in inspected.then), *stages]
    random = any(entry.node.random for entry in entries) or EPOCH in after
    fallible = any(entry.node.fallible for entry in entries) or INDEX in after
    front: list[Entry] = []
    joint = bool(inspected.root.parts())
    if (random or fallible) and not joint and inspected.root.numbered() is None:
        front.append(Entry(Identify()))
    if OK in after and not joint:
        front.append(Entry(Readable()))
    if random:
        if not joint:
            front.append(Entry(Epoch(draws.derive_seed(scope.seed, *input, "epoch"))))
        entries = list(_renewed(entries, scope, input, after))
    return [*front, *entries]


def _renewed(entries: Sequence[Entry], scope: Scope, input: Names, after: frozenset[str]) -> Iterator[Entry]:
    """Yield the entries with a fresh epoch behind each cache: what is cached is frozen, epochs are not."""
    drawing = (number for number, entry in enumerate(entries) if entry.node.random)
    last = len(entries) if EPOCH in after else max(drawing, default=-1)
    for number, entry in enumerate(entries):
        yield entry
        if entry.node.freezes and number < last:
            yield Entry(Epoch(draws.derive_seed(scope.seed, *input, "epoch", number)))


def _with_output(entries: list[Entry], structure: object) -> list[Entry]:
    """Return the entries with the output's structure put on before the prefetches at the end."""
    at = len(entries)
    while at and entries[at - 1].node.ahead:
        at -= 1
    return [*entries[:at], Entry(Output(structure), ("output",)), *entries[at:]]


def _wanted(entries: Sequence[Entry], after: frozenset[str]) -> frozenset[str]:
    """Return the components that the source must make: what the steps need, from the last to the first."""
    wanted = after
    for entry in reversed(entries):
        wanted = entry.node.requires(wanted)
    return wanted
