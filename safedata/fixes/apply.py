"""Makes changes to a program, so that the estimator can try them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NoReturn, cast

from safedata.chain import Chain, Link
from safedata.change import Change, MoveOps, MoveStep, SetField
from safedata.problem import Path
from safedata.program import Program, Step
from safedata.reader import BESIDE
from safedata.stages.base import Parsing, Stage


class UnfitError(ValueError):
    """The language does not take the change."""


def changed(program: Program, changes: Iterable[Change]) -> Program:
    """Return the program with the changes made, one after the other.

    Raises:
        UnfitError: the language does not take one of them.
    """
    for change in changes:
        program = _changed(program, change)
    return program


def _changed(program: Program, change: Change) -> Program:
    steps = list(program.steps)
    if isinstance(change, SetField):
        return program.with_stage(change.step, _set(program, steps[change.step], change))
    if isinstance(change, MoveOps):
        steps[change.step], moved = _parted(program, steps[change.step], change)
        steps.insert(change.to, moved)
    elif isinstance(change, MoveStep):
        steps.insert(change.to, steps.pop(change.step))
    else:
        del steps[change.step]
    return replace(program, steps=tuple(steps))


def _set(program: Program, step: Step, change: SetField) -> Stage:
    update: dict[str, Any] = {change.field: change.value}
    if isinstance(change.value, str):  # a number below the present one needs no asking
        value, kind = program.document.plain(step.path), type(step.stage)
        parallel = getattr(step.stage, "parallel", "auto")
        beside: dict[str, object] = {} if parallel == "auto" else {"parallel": parallel}
        if change.field in BESIDE:
            beside.update(update)
        else:
            given = cast("dict[str, object]", value) if isinstance(value, dict) else {}
            value = {**given, **update}
        _parsed(kind, value, beside, step.path)
    return step.stage.model_copy(update=update)


def entry_path(chain: Chain, link: Link) -> Path:
    """Return where in its map's value an operation stands: its entry of the list, or the whole chain."""
    depth = len(chain.path)
    listed = len(link.path) > depth and isinstance(link.path[depth], int)
    return link.path[: depth + 1] if listed else chain.path


def last_chain(stage: Stage, component: str) -> Chain | None:
    """Return the chain that makes a component in a map's last group, None where there is none."""
    groups = getattr(stage, "groups", ())
    return cast("Chain | None", groups[-1].get(component)) if groups else None


def _parted(program: Program, step: Step, change: MoveOps) -> tuple[Step, Step]:
    chain = last_chain(step.stage, change.component)
    if chain is None:
        raise UnfitError(change.component)
    groups = list(cast("Any", step.stage).groups)
    kept, moved = chain.links[: -change.last], chain.links[-change.last :]
    left = {name: one for name, one in groups[-1].items() if name != change.component or kept}
    if kept:
        left[change.component] = replace(chain, links=kept)
    first = step.stage.model_copy(update={"groups": (*groups[:-1], left)})
    entries = [program.document.plain((*step.path, *entry_path(chain, link))) for link in moved]
    made = _parsed(type(step.stage), {change.component: entries}, dict(change.beside), step.path)
    group = {change.component: replace(chain, start=change.component, links=moved)}
    second = made.model_copy(update={"groups": (group,)})
    return replace(step, stage=first), Step(second, step.path)


def _parsed(kind: type[Stage], value: object, beside: dict[str, object], path: Path) -> Stage:
    """Return the stage that the language reads from a value, as it would from the spec's text."""

    def refuse(*_: object) -> NoReturn:
        raise UnfitError(kind.key())

    made = kind.parse(value, beside, Parsing(path, len(path), refuse, refuse))
    if made is None:
        raise UnfitError(kind.key())
    return made
