"""The state of an iteration: which pass, how many elements of it, and what pipeline they are of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from safedata.phases.key import parts_of
from safedata.plan import Plan
from safedata.problem import Problem, StateError
from safedata.resume.route import Place


def written(plan: Plan, place: Place, program_seed: int) -> dict[str, Any]:
    """Return a state as what JSON can write.

    Args:
        plan: the whole plan.
        place: how far the iteration has come.
        program_seed: the number of `tf.random.set_seed`, which is mixed into orders and draws.
    """
    return {"epoch": place.epoch, "elements": place.elements, "of": _of(plan, program_seed)}


def read(state: object, plan: Plan, program_seed: int) -> Place:
    """Return the place that a state says, of this pipeline.

    Raises:
        StateError: SD546, it is no state; SD547, it is one of another pipeline.
    """
    found = _mapping(state)
    epoch, elements, theirs = found.get("epoch"), found.get("elements"), _mapping(found.get("of"))
    if not _count(epoch) or not _count(elements) or not theirs:
        raise _no_state(state)
    mine = _of(plan, program_seed)
    other = [name for name in mine if theirs.get(name) != mine[name]]
    if other:
        raise _another(other)
    place = Place(cast("int", epoch), cast("int", elements))
    _refuse_beyond(place, plan)
    return place


def _mapping(value: object) -> Mapping[object, object]:
    return cast("Mapping[object, object]", value) if isinstance(value, Mapping) else {}


def _count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _of(plan: Plan, program_seed: int) -> dict[str, Any]:
    return {**parts_of(plan), "program_seed": program_seed}


_NAMES = {
    "on_error": "`runtime.on_error`",
    "seed": "`runtime.seed`",
    "program_seed": "the number of `tf.random.set_seed`",
    "safedata": "the release of safedata",
    "tensorflow": "the release of TensorFlow",
    "data": "the names, sizes or times of the data's files",
    "functions": "the versions of the functions that it names",
}


def _no_state(state: object) -> StateError:
    shown = repr(state)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    message = f"`{shown}` is no state of an iteration"
    way_out = "give what `state()` returned: a mapping with `epoch`, `elements` and `of`"
    return StateError([Problem("SD546", message, help=way_out)])


def _another(names: list[str]) -> StateError:
    different = [_NAMES.get(name, f"`{name}`") for name in names]
    listed = different[0] if len(different) == 1 else f"{', '.join(different[:-1])} and {different[-1]}"
    message = f"the state is of another pipeline, whose elements or order may differ: {listed} changed"
    way_out = "go on with the spec, the data and the releases that it was taken of, or start without a state"
    return StateError([Problem("SD547", message, help=way_out)])


def _refuse_beyond(place: Place, plan: Plan) -> None:
    cardinality = plan.result.cardinality
    beyond = cardinality.kind in ("exactly", "at most") and place.elements > (cardinality.count or 0)
    if beyond or (cardinality.kind == "infinite" and place.epoch):
        where = f"element {place.elements} of epoch {place.epoch}"
        message = f"the state stands behind {where}, and an epoch here has {cardinality} elements"
        raise StateError([Problem("SD546", message, help="give what `state()` returned, as it was")])
