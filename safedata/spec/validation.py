"""From pydantic's errors to problems that point into the spec and speak its language."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, cast, get_args

from pydantic import BaseModel, ValidationError

from safedata.problem import Path, Problem, did_you_mean
from safedata.spec.expected import Expected, expected
from safedata.spec.node import Document, Node


def problems_of(
    error: ValidationError,
    document: Document,
    path: Path,
    model: type[BaseModel] | Sequence[type[BaseModel]] = (),
) -> list[Problem]:
    """Return what a model refused about the value at `path`, as problems of the document.

    Parts of pydantic's locations that the document does not have (names of union members, the field that
    a short form stands for) are left out, so that the longest piece that exists is underlined. Errors of
    several union members about one value become one problem.

    Args:
        error: what pydantic raised.
        document: where the value came from.
        path: where in it the validated value stands.
        model: the model, or the models, it was validated by; for near names of unknown keys.
    """
    models = tuple(model) if isinstance(model, Sequence) else (model,)
    problems: list[Problem] = []
    values: dict[tuple[Path, str], list[Expected]] = {}
    items: dict[tuple[Path, str], int] = {}
    for one in error.errors(include_url=False):
        details = cast("dict[str, Any]", one)
        found = _locate(document, path, details)
        if _said_already(document, found, details):
            continue
        if details["type"] == "extra_forbidden":
            problems.append(_unknown(document, found, _keys_at(models, details["loc"][:-1])))
        elif details["type"] == "missing" and isinstance(details["loc"][-1], int):  # one error for each item
            place = (found.path, found.name)
            items[place] = max(items.get(place, 0), details["loc"][-1] + 1)
        elif details["type"] == "missing":
            problems.append(_missing(document, found, _docstring(models, details["loc"])))
        else:
            values.setdefault((found.path, found.name), []).append(expected(details))
    for place, number in items.items():
        values.setdefault(place, []).append(_too_short(document.nearest(place[0])[1], number))
    problems += [_wrong(document, where, name, said) for (where, name), said in values.items()]
    return sorted(problems, key=_order)


def _too_short(node: Node, number: int) -> Expected:
    """Return what a list of fewer items than its type has should have been."""
    given = len(cast("list[object]", node.value)) if isinstance(node.value, list) else 0
    return expected({"type": "too_short", "ctx": {"min_length": number, "actual_length": given}})


def _said_already(document: Document, found: _Place, details: dict[str, Any]) -> bool:
    """Whether pydantic finds a list too short only because some of its items have errors."""
    value = document.nearest(found.path)[1].value
    short = details["type"] == "too_short" and isinstance(value, (dict, list))
    return short and len(cast("list[object]", value)) >= details["ctx"]["min_length"]


def _order(problem: Problem) -> tuple[int, int]:
    return (problem.span.line, problem.span.column) if problem.span else (0, 0)


class _Place(NamedTuple):
    path: Path
    """The longest path that the document has."""
    name: str
    """The field, as the user knows it."""
    last: str
    """The last part of pydantic's location."""


def _locate(document: Document, path: Path, details: dict[str, Any]) -> _Place:
    loc: tuple[str | int, ...] = details["loc"]
    last = str(loc[-1]) if loc else ""
    walked = loc[:-1] if details["type"] == "missing" else loc
    reached, node = document.nearest(path)
    for part in walked:
        child = node.child(part)
        if child is not None:
            reached, node = (*reached, part), child
    return _Place(reached, _name(reached), last)


def _name(path: Path) -> str:
    """Return the field at the end of a path; an item of a list has the name of the list."""
    return next((part for part in reversed(path) if isinstance(part, str)), "the spec")


def _unknown(document: Document, found: _Place, fields: list[str]) -> Problem:
    owner = _name(found.path[:-1])
    way_out = did_you_mean(found.last, fields, what="its keys") if fields else f"remove `{found.last}`"
    guessed = way_out.startswith("did you mean")
    notes = (f"it takes {', '.join(f'`{name}`' for name in fields)}",) if guessed else ()
    return Problem(
        "SD103",
        f"`{owner}` has no key `{found.last}`",
        document.span(found.path, key=True),
        notes=notes,
        help=way_out,
    )


def _missing(document: Document, found: _Place, said: str) -> Problem:
    return Problem(
        "SD104",
        f"`{found.name}` needs `{found.last}`",
        document.span(found.path, key=True),
        f"`{found.last}` is missing here",
        notes=(f"`{found.last}`: {_lower(said)}",) if said else (),
        help=f"add `{found.last}: ...`",
    )


def _wrong(document: Document, path: Path, name: str, said: list[Expected]) -> Problem:
    """Return one problem for a value that none of the members of its type takes."""
    node = document.nearest(path)[1]
    own = next((one for one in said if one.own), None)
    if own is not None:
        return Problem("SD105", own.text, node.span, help=own.help(node))
    texts = list(dict.fromkeys(one.text for one in said))
    helps = [text for one in said if (text := one.help(node))]
    each = " in its list" if path and isinstance(path[-1], int) else ""
    return Problem(
        "SD105",
        f"`{name}` takes {_either(texts)}{each}, not {node.shown}",
        node.span,
        help=helps[0] if helps else _write(texts),
    )


def _write(texts: list[str]) -> str:
    return f"write {_either(texts)}"


def _either(texts: list[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} or {texts[-1]}"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _models_at(models: Iterable[type[BaseModel]], loc: Sequence[str | int]) -> tuple[type[BaseModel], ...]:
    """Return the models at a location.

    Parts that are no field (indices, names of union members, keys of a mapping) stay at the same models.
    """
    here = tuple(models)
    for part in loc:
        below = [
            inner
            for one in here
            if isinstance(part, str) and part in one.model_fields
            for inner in _models_in(one.model_fields[part].annotation)
        ]
        here = tuple(below) or here
    return here


def _keys_at(models: Iterable[type[BaseModel]], loc: Sequence[str | int]) -> list[str]:
    """Return the keys that the models at a location take."""
    here = _models_at(models, loc)
    return [
        field.alias or name for one in here for name, field in one.model_fields.items() if not field.exclude
    ]


def _docstring(models: Iterable[type[BaseModel]], loc: Sequence[str | int]) -> str:
    """Return the first line below the field at a location, from its model's source; empty without one."""
    from safedata.docstrings import fields_of  # parses source, so only for a message

    for one in _models_at(models, loc[:-1]):
        for name, field in one.model_fields.items():
            if loc[-1] in (name, field.alias):
                try:
                    text = fields_of(one)[name].text
                except (OSError, TypeError, KeyError):  # a model without source
                    return ""
                return text.split("\n")[0].rstrip(".")
    return ""


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]
