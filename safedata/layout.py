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
from safedata.sources._written import written_out
from safedata.sources.base import Inspected, Root
from safedata.stages._step import Step
from safedata.stages.base import Node
from safedata.types import Stream

Names = tuple[str, ...]
"""Which input a step belongs to: the names that lead to it, the outermost first; none for the spec's own."""


@record(frozen=True, slots=True)
class Line:
    """A source with the steps behind it, in the order in which they run."""

    root: Root
    path: Path
    """Where the spec says the source."""
    entries: tuple[Entry, ...]
    written: Written
    inputs: tuple[Line, ...] = ()
    """Of a combinator: the lines that lead to it."""
    input: Names = ()
    notes: tuple[str, ...] = ()
    """A sentence for each rewrite that changed something, those of the inputs first."""


class Written:
    """What enters each step as the spec has it: also the components that nothing needs, which the plan leaves out.

    It is worked out once it is asked for: few specs name what is not there, or make what must be new.
    """

    def __init__(self, inspected: Inspected, steps: Sequence[Step], scope: Scope) -> None:
        self._inspected = inspected
        self._steps = steps
        self._scope = replace(scope, report=unheard)
        self._found: dict[Path, tuple[Node, Stream]] | None = None
        self._end: Stream | None = None

    def typed(self, entry: Entry, before: Stream, scope: Scope) -> Stream | None:
        """Return the type of what leaves a step that `before` enters; None where a fault ends it.

        What the step would replace unsaid is put back before it. Faults are those of all components that are there.
        """
        faults: list[Fault] = []
        silent = replace(scope, report=faults.append)
        after = _after(entry.node, self._with_replaced(entry, before), silent, faults)
        for fault in self._widened(entry, faults) if faults else ():
            scope.fault(fault)
        return after

    def _with_replaced(self, entry: Entry, before: Stream) -> Stream:
        added = entry.node.adds.difference(before.element)
        found = self._at(entry) if added else None
        if found is None or added.isdisjoint(found[1].element):
            return before
        return before.with_element(
            {**before.element, **{n: t for n, t in found[1].element.items() if n in added}}
        )

    def _widened(self, entry: Entry, faults: list[Fault]) -> Iterator[Fault]:
        """Yield each fault as it is where the step sees all components, so that its help names them."""
        found, wide = self._at(entry), list[Fault]()
        if found is not None:
            _after(*found, replace(self._scope, report=wide.append), wide)
        known = {(one.code, one.message, one.at): one for one in wide}
        for fault in faults:
            yield known.get((fault.code, fault.message, fault.at), fault)

    def _at(self, entry: Entry) -> tuple[Node, Stream] | None:
        """Return the step as the spec has it, and what enters it; None for one that no spec names, or not typed."""
        if self._found is None:
            self._found = dict(self._walked())
        if entry.path is None:
            return None
        if isinstance(entry.node, Output):
            return None if self._end is None else (entry.node, self._end)
        return self._found.get(entry.path)

    def _walked(self) -> Iterator[tuple[Path, tuple[Node, Stream]]]:
        stream: Stream | None = self._inspected.root.infer(self._scope)
        for node in self._inspected.then:
            stream = None if stream is None else _after(node, stream, self._scope, [])
        for step in self._steps:
            if stream is None:
                return
            yield step.path, (step.stage, stream)
            stream = _after(step.stage, stream, self._scope, [])
        self._end = stream


def _after(node: Node, before: Stream, scope: Scope, faults: list[Fault]) -> Stream | None:
    """Return what leaves a step, None after the fault that ends it was put to the others."""
    try:
        return node.infer(before, scope)
    except Fault as fault:
        faults.append(fault)
        return None


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
    written = Written(inspected, program.steps, scope)
    return _line(inspected, placed, written, program.source_path, scope)


def _line(
    inspected: Inspected,
    entries: Sequence[Entry],
    written: Written,
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
    return Line(kept, path, tuple(rewritten), written, inputs, input, tuple(every))


def _inputs(root: Root, wanted: frozenset[str], scope: Scope, input: Names) -> Iterator[Line]:
    for number, one in enumerate(root.parts()):
        names = (*input, one.name)
        after = root.wanted(number, wanted)
        steps = written_out(one.inspected, one.input.steps, scope)
        entries = _assembled(one.inspected, steps, scope, names, after)
        written = Written(one.inspected, steps, scope)
        yield _line(one.inspected, entries, written, one.input.source_path, scope, names, after)


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
    marks = OK in after
    if marks and any(entry.node.on_disk for entry in entries):
        entries = list(_marked_behind(entries))
    elif marks and not joint:
        front.append(Entry(Readable()))
    front += _shared_out(entries)
    if random:
        if not joint:
            front.append(Entry(_epoch(input)))
        entries = list(_renewed(entries, input, after))
    return [*front, *entries]


def _shared_out(entries: Sequence[Entry]) -> list[Entry]:
    """Return the step that lets each worker of a service have a part of the source's elements, where there is one."""
    sharing = next((getattr(entry.node, "sharding") for entry in entries if entry.node.remote), None)  # noqa: B009
    if sharing not in ("dynamic", "hint"):
        return []
    from safedata.stages._parted import Parted  # few specs are for a service

    return [Entry(Parted(sharing))]


def _marked_behind(entries: Sequence[Entry]) -> Iterator[Entry]:
    """Yield the entries with the mark of readable elements behind the last that keeps these on disk: all there are."""
    last = max(number for number, entry in enumerate(entries) if entry.node.on_disk)
    for number, entry in enumerate(entries):
        yield entry
        if number == last:
            yield Entry(Readable())


def _renewed(entries: Sequence[Entry], input: Names, after: frozenset[str]) -> Iterator[Entry]:
    """Yield the entries with a fresh epoch behind each cache: what is cached is frozen, epochs are not."""
    drawing = (number for number, entry in enumerate(entries) if entry.node.random)
    last = len(entries) if EPOCH in after else max(drawing, default=-1)
    for number, entry in enumerate(entries):
        yield entry
        if entry.node.freezes and number < last:
            yield Entry(_epoch(input))
        elif entry.node.remote and number < last:
            from safedata.internal.remote import RemoteEpoch

            yield Entry(RemoteEpoch(_epoch(input).seed))


def _epoch(input: Names) -> Epoch:
    """Return the step that numbers epochs: alike whatever `runtime.seed` is, before a cache and behind it.

    Each operation's seed is mixed into the number, and one of its own follows nothing else.
    """
    return Epoch(draws.derive_seed(0, *input, "epoch"))


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
