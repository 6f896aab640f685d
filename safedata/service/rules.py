"""What `distribute` asks of the steps around it, so that the spec means the same on workers as it says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from safedata.internal.keys import Epoch
from safedata.plan import Plan, PlannedStep
from safedata.problem import Fault, Path
from safedata.sources._interleave import Interleaved
from safedata.sources.base import Source
from safedata.stages._outside import foreign, named_in
from safedata.stages.base import Stage
from safedata.stages.distribute import Distribute
from safedata.stages.repeat import Repeat
from safedata.stages.shuffle import Shuffle


def faults(plan: Plan) -> Iterator[Fault]:
    """Yield what is wrong with a plan that has `distribute`; the faults' paths start at the document's top.

    Args:
        plan: a plan whose steps are all typed.
    """
    found = [number for number, step in enumerate(plan.steps) if isinstance(step.node, Distribute)]
    inner = [plan.steps[number] for number in found if plan.steps[number].input]
    for step in inner:
        message = f"`distribute` is a step of the input `{step.input[-1]}`, and a whole pipeline is what workers take"
        yield Fault(
            "SD207", message, _path(step), help="move it behind the source, into `steps`", on_key=True
        )
    if inner:
        return
    for number in found[1:]:
        message = "the elements are on a service already: `distribute` stands twice"
        yield Fault("SD207", message, _path(plan.steps[number]), help="remove one of them", on_key=True)
    at, step = found[0], plan.steps[found[0]]
    node = step.node
    assert isinstance(node, Distribute)
    before = plan.steps[:at]
    yield from on_workers(plan, before)
    yield from _on_disk(plan)
    yield from _again(before, node, _path(step))
    yield from _shared(plan, before, node, _path(step))


def _path(step: PlannedStep) -> Path:
    return step.path or ()


def on_workers(plan: Plan, before: Sequence[PlannedStep]) -> Iterator[Fault]:
    """Yield what of a plan's first steps needs this process' Python; the faults' paths start at the document's top."""
    program = plan.program
    paths = {step.path for step in before}
    steps = [one for one in program.steps if one.path in paths]
    for named, path in named_in(program.source, steps, program.source_path):
        function = foreign(named, path)
        if function is not None and function.python:
            message = f"`{function.name}` is a function of this program's, and workers do not have it"
        elif getattr(named, "python", False):
            message = f"`{named.key()}` calls functions of Python's, which workers do not have"
        else:
            continue
        if isinstance(named, Source):
            yield Fault("SD552", message, path, help="convert its elements to `tfrecord`", on_key=True)
        else:
            yield Fault("SD552", message, path, help="move it behind `distribute`")
    if plan.scope.on_error == "skip":
        message = "`runtime.on_error` keeps a list of bad elements in this process, and workers run in others"
        yield Fault("SD552", message, ("runtime", "on_error"), help="remove `on_error`, or `distribute`")


def _on_disk(plan: Plan) -> Iterator[Fault]:
    for step in plan.steps:
        if getattr(step.node, "shelves", False):
            message = f"`{step.title}` keeps elements on this machine's disk, and `distribute` takes them from others"
            way_out = (
                "remove `distribute`, and let `safedata build --service ADDRESS` share the work of writing it"
            )
            yield Fault("SD552", message, _path(step), help=way_out, on_key=True)


def _again(before: Sequence[PlannedStep], node: Distribute, path: Path) -> Iterator[Fault]:
    """Yield what would be alike where the spec says that it changes."""
    changing = [number for number, step in enumerate(before) if _changes(step)]
    if not changing:
        return
    alike = [number for number in changing if not _repeated(before, number)]
    title = before[(alike or changing)[-1]].title
    if alike:
        message = (
            f"each epoch starts the steps of workers anew, so that `{title}` before `distribute` gives the same "
            "in all of them"
        )
        way_out = "put `repeat` before `distribute`, and tell the trainer how many steps an epoch has"
        yield Fault("SD553", message, path, help=way_out, on_key=True)
    if node.sharding == "off":
        message = (
            f"every worker runs `{title}` alike: with two of them each element comes twice, and the same"
        )
        way_out = "write `sharding: dynamic`"
        yield Fault("SD553", message, path, help=way_out, severity="warning", on_key=True)


def _repeated(before: Sequence[PlannedStep], number: int) -> bool:
    """Return whether a `repeat` goes through a changing step, or through where its elements get their epoch, again."""
    steps = [step.node for step in before]
    if any(isinstance(node, Repeat) and node.count is None for node in steps):
        return True
    if not isinstance(steps[number], Shuffle):
        number = max(
            (at for at, node in enumerate(steps[:number]) if isinstance(node, Epoch)), default=number
        )
    return any(isinstance(node, Repeat) for node in steps[number:])


def _changes(step: PlannedStep) -> bool:
    """Return whether a step makes something else in each epoch."""
    if isinstance(step.node, Shuffle):
        return step.node.reshuffle
    return bool(getattr(step.node, "random", False))


def _shared(plan: Plan, before: Sequence[PlannedStep], node: Distribute, path: Path) -> Iterator[Fault]:
    """Yield why elements cannot be shared out in the way that the spec says."""
    at = (*path, "sharding") if isinstance(_written(plan, path), dict) else path
    if node.sharding in ("file", "file_or_data"):
        message = f"`sharding: {node.sharding}` gives each worker files, and elements the numbers that they have there"
        yield Fault("SD554", message, at, help="write `sharding: hint`, or `dynamic`")
        return
    if node.sharding not in ("dynamic", "hint"):
        return
    mixed = [step for step in before if step.input]
    if mixed:
        message = f"`sharding: {node.sharding}` cuts one source, and `{plan.source.title}` has several"
        yield Fault("SD554", message, at, help="write `sharding: data`")
    elif restless(plan):
        message = (
            f"`sharding: {node.sharding}` needs a source of one order, and `interleave` has another each time"
        )
        yield Fault(
            "SD554", message, at, help="remove `shuffle` from `interleave`, or write `sharding: data`"
        )
    elif node.sharding == "dynamic" and plan.source.after.cardinality.most is None:
        message = "`sharding: dynamic` cuts the source into parts, and its number of elements is not known"
        yield Fault("SD554", message, at, help="write `sharding: hint`, or `off`")
    for step in before:
        if isinstance(step.node, Stage) and step.node.counts:
            message = f"`{step.title}` before `distribute` counts the elements of each worker's part, not all of them"
            way_out = "move it behind `distribute`, or write `sharding: data`"
            yield Fault("SD554", message, _path(step), help=way_out, on_key=True)


def _written(plan: Plan, path: Path) -> object:
    return plan.program.document.plain(path)


def restless(plan: Plan) -> bool:
    """Return whether two passes over the source may give its elements in two orders."""
    root = plan.root
    if not isinstance(root, Interleaved):
        return False
    return root.said.shuffle or (root.said.parallel > 1 and not plan.program.runtime.deterministic)
