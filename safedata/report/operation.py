"""The page on one operation, ours or another's, made of its own texts."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING

from safedata import registry
from safedata.docstrings import fields_of

if TYPE_CHECKING:
    from safedata.ops.base import Op


def render(name: str) -> str:
    """Return the page on the operation with this name, one of `registry.names("ops")` or registered."""
    return "\n".join(_lines(name, registry.op(name)))


def _lines(name: str, op: type[Op]) -> Iterator[str]:
    yield name
    made = registry.registered.get(name)
    if made is not None:
        package = f", of the package {made.package}" if made.package else ""
        version = f", version {made.version}" if made.version else ""
        yield f"  {made.home}{package}{version}"
    yield ""
    yield inspect.cleandoc(op.__doc__ or "")
    yield ""
    yield f"Example: {op.example}"
    try:
        fields = fields_of(op)
    except OSError:  # a class that was typed in, and has no source to read
        return
    for key, field in fields.items():
        needed = "required" if field.default is None else f"default {field.default}"
        alias = op.model_fields[key].alias or key
        yield ""
        yield f"  {alias}: {field.type} ({needed})"
        yield from (f"    {line}" for line in field.text.splitlines())
