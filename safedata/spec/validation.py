"""From pydantic's errors to problems that point into the spec and speak its language."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
    several union members about one value become one problem, and where one of them took the value and found something
    wrong inside of it, only that is told.

    Args:
        error: what pydantic raised.
        document: where the value came from.
        path: where in it the validated value stands.
        model: the model, or the models, it was validated by; for near names of unknown keys.
    """
    gathered = _Gathered(document, tuple(model) if isinstance(model, Sequence) else (model,))
    for one in error.errors(include_url=False):
        details = cast("dict[str, Any]", one)
        found = _locate(document, path, details)
        if not _said_already(document, found, details):
            gathered.take(found, details)
    return sorted(gathered.told(), key=_order)


class _Gathered:
    """What pydantic says, gathered by the value that it is said of."""

    def __init__(self, document: Document, models: tuple[type[BaseModel], ...]) -> None:
        self.document = document
        self.models = models
        self.problems: list[Problem] = []
        self.values: dict[tuple[Path, str], list[Expected]] = {}
        self.items: dict[tuple[Path, str], int] = {}
        """How many items a list has at least, for those that are too short."""
        self.inside: set[Path] = set()
        """Values that one member of their type took as far as to look at what is in them.

        That one is meant: where others are of another type altogether, that says nothing more."""
        self.certain: set[Path] = set()
        """Values of which more is said than that they are of another type."""
        self.notes: dict[Path, str] = {}
        """By value of a mapping whose keys are the user's, what the field takes that it is in."""

    def take(self, found: _Place, details: dict[str, Any]) -> None:
        """Take one error."""
        self.inside.update(_around(found, details))
        missing = details["type"] == "missing"
        if details["type"] == "extra_forbidden":
            keys = _keys_at(self.models, details["loc"][:-1])
            self.problems.append(_unknown(self.document, found, keys))
        elif missing and isinstance(details["loc"][-1], int):  # one error for each item
            place = (found.path, found.name)
            self.items[place] = max(self.items.get(place, 0), details["loc"][-1] + 1)
        elif missing:
            self.problems.append(_missing(self.document, found, _docstring(self.models, details["loc"])))
        else:
            self.values.setdefault((found.path, found.name), []).append(expected(details))
            loc = details["loc"]  # whose last part may also be a member of a type
            if found.path[-1:] == loc[-1:] and (note := _mapping_note(self.models, loc)):
                self.notes[found.path] = note
            if not _is_mismatch(details["type"]):
                self.certain.add(found.path)

    def told(self) -> Iterator[Problem]:
        """Yield a problem for each value."""
        yield from self.problems
        for place, number in self.items.items():
            self.certain.add(place[0])
            short = _too_short(self.document.nearest(place[0])[1], number)
            self.values.setdefault(place, []).append(short)
        for (where, name), said in self.values.items():
            if where not in self.inside or where in self.certain:
                yield _wrong(self.document, where, name, said, self.notes.get(where, ""))


def _too_short(node: Node, number: int) -> Expected:
    """Return what a list of fewer items than its type has should have been."""
    given = len(cast("list[object]", node.value)) if isinstance(node.value, list) else 0
    return expected({"type": "too_short", "ctx": {"min_length": number, "actual_length": given}})


def _said_already(document: Document, found: _Place, details: dict[str, Any]) -> bool:
    """Whether pydantic finds a list too short only because some of its items have errors."""
    value = document.nearest(found.path)[1].value
    short = details["type"] == "too_short" and isinstance(value, (dict, list))
    return short and len(cast("list[object]", value)) >= details["ctx"]["min_length"]


def _around(found: _Place, details: dict[str, Any]) -> list[Path]:
    """Return the values that an error is inside of."""
    path = (*found.path, found.last) if details["type"] == "missing" else found.path
    return [path[:end] for end in range(len(path))]


def _is_mismatch(kind: str) -> bool:
    """Whether pydantic's kind of error says only that a value is of another type."""
    return kind.endswith("_type") or kind in ("literal_error", "enum", "none_required")


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


def _wrong(document: Document, path: Path, name: str, said: list[Expected], note: str) -> Problem:
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
        notes=(note,) if note else (),
        help=helps[0] if helps else _write(texts),
    )


def _mapping_note(models: Iterable[type[BaseModel]], loc: Sequence[str | int]) -> str:
    """Return what is said of the field whose mapping has a key of the user's at this location; empty for others."""
    if len(loc) < 2 or not all(isinstance(part, str) for part in loc[-2:]) or _docstring(models, loc):
        return ""
    said = _docstring(models, loc[:-1]).split(". ")[0]
    return f"`{loc[-2]}`: {_lower(said)}" if said else ""


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
