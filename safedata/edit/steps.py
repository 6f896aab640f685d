"""Each change of a spec's steps, as a change of its text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from safedata import registry
from safedata.change import Change, MoveOps, MoveStep, RemoveStep, SetField
from safedata.edit.draft import Draft, EditError, Splice, newline_of
from safedata.edit.pieces import (
    entries_removed,
    entry_inserted,
    entry_moved,
    flow_text,
    key_inserted,
    key_removed,
    key_text,
    value_replaced,
)
from safedata.edit.settings import (
    field_of,
    from_behind,
    kept_parameters,
    key_of,
    main_of,
    parameter_of,
)
from safedata.problem import Path
from safedata.reader import BESIDE
from safedata.spec.node import Node

__all__ = ["EditError", "Edited", "edited"]


class Edited(NamedTuple):
    """A changed text, and what its reader should know of how it was changed."""

    text: str
    notes: tuple[str, ...] = ()


def edited(
    text: str, file: str, folder: str, changes: Iterable[Change], overrides: Mapping[str, object]
) -> Edited:
    """Return a spec's text with changes made in place, one after the other.

    Args:
        text: the file's text, without a byte order mark.
        file: its name.
        folder: where the path of what it extends starts.
        changes: what to change.
        overrides: parameters that the caller has given; a number that comes from one of them is not in the text.

    Raises:
        EditError: a change cannot be made in place; the text of the error says why.
    """
    notes: list[str] = []
    ending = "" if text.endswith(("\n", "\r")) else newline_of(text)
    text += ending
    every = tuple(changes)
    kept = kept_parameters(Draft(text, file, folder), every)
    for change in from_behind(every):
        draft = Draft(text, file, folder)
        text = draft.spliced(_splices(draft, change, _Given(overrides, kept, notes)))
    return Edited(text.removesuffix(ending), tuple(notes))


class _Given(NamedTuple):
    """What every change is made with."""

    overrides: Mapping[str, object]
    kept: frozenset[str]
    """Parameters that keep their values: a number that comes from one is written out where it changes."""
    notes: list[str]


def _splices(draft: Draft, change: Change, given: _Given) -> list[Splice]:
    if isinstance(change, SetField):
        return _set(draft, change, given)
    steps = _own_steps(draft)
    if isinstance(change, MoveStep):
        return entry_moved(draft, steps, change.step, change.to)
    if isinstance(change, RemoveStep):
        return entries_removed(draft, steps, change.step, change.step + 1)
    return _ops_moved(draft, steps, change)


def _own_steps(draft: Draft) -> Node:
    """Return the list of steps, if all of it stands in this file.

    Raises:
        EditError: a step comes from a spec that is extended, or the list from an anchor.
    """
    own, merged = draft.own.get(("steps",)), draft.find(("steps",))
    steps = merged.value if isinstance(merged.value, list) else []
    elsewhere = next((one for one in steps if one.span.file != draft.file), None)
    if elsewhere is not None:
        draft.only(elsewhere)
    if own is None or own.value != merged.value:
        raise EditError("the steps here change those of the spec that is extended", merged.span)
    return own


def _set(draft: Draft, change: SetField, given: _Given) -> list[Splice]:
    step = draft.merged.get(("steps", change.step))
    if step is None:
        raise EditError("the step is not in the text")
    key = key_of(step)
    beside = change.field in BESIDE
    node = field_of(step, key, change.field)
    parameter = parameter_of(node)
    if parameter is not None and parameter not in given.kept:
        return _parameter(draft, parameter, change.value, given)
    if parameter is not None:
        given.notes.append(
            f"written in place of `${{{parameter}}}`, which other values name too and which stays"
        )
    if step.span.file != draft.file:
        return _overridden(draft, step, key, change, given.notes)
    if isinstance(step.value, str):
        text = (
            f"{key}: {change.value}"
            if main_of(key) == change.field
            else f"{key}: {{{change.field}: {change.value}}}"
        )
        flow = draft.flow(draft.find(("steps",)))
        return [value_replaced(draft, step, f"{{{text}}}" if flow else text)]
    value = step if beside else step.child(key)
    for one, text in _written_out(node, value, change):
        alias = draft.alias(one)
        if alias is not None:
            draft.only(step)
            return [Splice(*alias, text)]
    if node is not None:
        return [value_replaced(draft, node, change.value)]
    holder = step if beside else step.child(key)
    assert holder is not None
    if not isinstance(holder.value, dict):  # the short form, of another field
        draft.only(holder)
        return [value_replaced(draft, holder, flow_text(_long(holder, key, change)))]
    return [key_inserted(draft, holder, change.field, str(change.value))]


def _long(short: Node, key: str, change: SetField) -> Node:
    """Return a stage's value in its long form, with a field set; what the short form says stays, unless it is usual."""
    number = Node(change.value, short.span, raw=str(change.value))
    main = main_of(key)
    if main is None or main == change.field or short.value is None:
        return short._replace(value={change.field: number})
    usual = registry.stage(key).model_fields[main].default
    kept = {} if short.value == usual else {main: short}
    return short._replace(value={**kept, change.field: number})


def _keys(node: Node) -> dict[str, Node]:
    return node.value if isinstance(node.value, dict) else {}


def _written_out(node: Node | None, value: Node | None, change: SetField) -> Iterator[tuple[Node, str]]:
    """Yield what an alias may stand for, and its text with the field set: the field itself, or the stage's mapping."""
    if node is not None:
        yield node, str(change.value)
    if value is not None and isinstance(value.value, dict):
        number = Node(change.value, value.span, raw=str(change.value))
        yield value, flow_text(value._replace(value={**value.value, change.field: number}))


def _parameter(draft: Draft, name: str, value: int | str, given: _Given) -> list[Splice]:
    """Return what changes a parameter's default; for one of an extended spec, what gives it another one here."""
    if name in given.overrides:
        raise EditError(
            f"the number comes from `--set {name}={given.overrides[name]}`",
            help=f"say `--set {name}={value}`",
        )
    path: Path = ("params", name)
    node = draft.merged.get(path)
    if node is None:
        raise EditError(f"the number comes from the parameter `{name}`, which the text does not declare")
    uses = _plural(draft.uses(name), "value")
    given.notes.append(f"the number is the default of the parameter `{name}`, which {uses} names")
    if node.span.file == draft.file:
        return [value_replaced(draft, node, value)]
    section = draft.own.get(("params",))
    if section is not None and _keys(section):
        return [key_inserted(draft, section, name, str(value))]
    extends = draft.own.get(("extends",))
    if section is not None or extends is None or draft.flow(draft.own.root):
        raise EditError(f"the parameter `{name}` is declared in `{node.span.file}`", node.span)
    at = draft.line_start(draft.lines_of(extends.span)[1])
    return [Splice(at, at, f"params: {{{name}: {value}}}{draft.newline}")]


def _plural(count: int, noun: str) -> str:
    return f"one {noun}" if count == 1 else f"each of {count} {noun}s"


def _overridden(draft: Draft, step: Node, key: str, change: SetField, notes: list[str]) -> list[Splice]:
    """Return what changes a step of the extended spec by its name: the step written here, with the field changed.

    Raises:
        EditError: it has no name, or there is no place for it.
    """
    if step.child("name") is None:
        draft.only(step)
    text = flow_text(_with(step, key, change))
    notes.append(f"the step stands in `{step.span.file}`, and is written here again with the change")
    own = draft.own.get(("steps",))
    entries = own.value if own is not None and isinstance(own.value, list) else []
    if own is not None and entries:
        return [entry_inserted(draft, own, len(entries) - 1, text, [f"- {text}"])]
    if own is not None or draft.flow(draft.own.root):
        raise EditError(f"the step stands in `{step.span.file}`, which the spec extends", step.span)
    at = len(draft.text)
    return [Splice(at, at, f"steps:{draft.newline}  - {text}{draft.newline}")]


def _with(step: Node, key: str, change: SetField) -> Node:
    """Return a step with a field changed, as nodes."""
    number = Node(change.value, step.span, raw=str(change.value))
    children = dict(_keys(step))
    value = children[key]
    if change.field in BESIDE:
        children[change.field] = number
    elif isinstance(value.value, dict):
        children[key] = value._replace(value={**value.value, change.field: number})
    elif main_of(key) == change.field:
        children[key] = number
    else:
        children[key] = _long(value, key, change)
    return step._replace(value=children)


def _ops_moved(draft: Draft, steps: Node, change: MoveOps) -> list[Splice]:
    path: Path = ("steps", change.step, "map")
    group = draft.find(path)
    if isinstance(group.value, list):
        group = draft.only(group.value[-1])
    chain = draft.only(_keys(group)[change.component])
    entries = chain.value if isinstance(chain.value, list) else [chain]
    moved = entries[-change.last :]
    if change.last < len(entries):
        taken = entries_removed(draft, chain, len(entries) - change.last, len(entries))
    else:
        taken = [key_removed(draft, group, change.component)]
    ops = ", ".join(_op_text(draft, one) for one in moved)
    made = f"map: {{{key_text(change.component)}: [{ops}]}}"
    beside = [f"{key}: {value}" for key, value in change.beside]
    flow = "{" + ", ".join([made, *beside]) + "}"
    lines = [f"- {made}", *(f"  {one}" for one in beside)]
    return [*taken, entry_inserted(draft, steps, change.to - 1, flow, lines)]


def _op_text(draft: Draft, entry: Node) -> str:
    """Return an operation as the spec writes it, on one line."""
    text = draft.piece(draft.only(entry).span)
    if isinstance(entry.value, dict):
        return text if text[:1] == "{" and "\n" not in text and "\r" not in text else flow_text(entry)
    return text
