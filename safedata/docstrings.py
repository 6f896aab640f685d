"""The texts that stand below a model's fields, read from its source when a page or a schema is made.

Pydantic can read them when a class is made (`use_attribute_docstrings`); that parses every module's source at
import, which a check has no time for.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from dataclasses import dataclass

from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class FieldText:
    """One field as its source says it."""

    type: str
    """The annotation's text."""
    default: str | None
    """The default's text, None for a field that must be given."""
    text: str
    """The docstring below it; empty where there is none."""


def fields_of(model: type[BaseModel]) -> dict[str, FieldText]:
    """Return the public fields of a model, those of its bases first, with what their source says.

    Those that it has in `beside` come last.
    """
    found: dict[str, FieldText] = {}
    for cls in reversed(model.__mro__):
        if issubclass(cls, BaseModel) and cls is not BaseModel:
            found.update(_own_fields(cls))
    last = getattr(model, "beside", ())
    return {
        name: text
        for name, text in sorted(found.items(), key=lambda one: one[0] in last)
        if name in model.model_fields and not model.model_fields[name].exclude
    }


def _own_fields(cls: type[BaseModel]) -> dict[str, FieldText]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    body = tree.body[0]
    assert isinstance(body, ast.ClassDef)
    found: dict[str, FieldText] = {}
    for statement, below in zip(body.body, [*body.body[1:], None], strict=True):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            default = ast.unparse(statement.value) if statement.value is not None else None
            found[statement.target.id] = FieldText(ast.unparse(statement.annotation), default, _text(below))
    return found


def _text(below: ast.stmt | None) -> str:
    if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
        value = below.value.value
        return inspect.cleandoc(value) if isinstance(value, str) else ""
    return ""
