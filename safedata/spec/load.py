"""From a file or text to a resolved document: what it extends merged in, parameters put in place."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from safedata.problem import Problem, did_you_mean, near
from safedata.records import record
from safedata.spec.document import parse, read
from safedata.spec.extends import flatten
from safedata.spec.node import Document, DocumentError, Node
from safedata.spec.params import Param, Substitution, params_of, unused

VERSION: Final = 1
"""The version of the language that this package reads."""

TOP_LEVEL: Final = (
    "safedata",
    "name",
    "description",
    "extends",
    "params",
    "artifacts",
    "source",
    "steps",
    "output",
    "budget",
    "targets",
    "runtime",
)

TEXT_FILE: Final = "<text>"
"""The file that spans name when a spec was given as text."""


@record(frozen=True, slots=True)
class Resolved:
    """A spec with nothing left to look up: no `extends`, no `${...}`."""

    document: Document
    folder: str
    """Relative paths in the spec start here: the folder of the spec that was named."""
    params: Mapping[str, Param]
    files: tuple[str, ...]
    """The spec's file, then those it extends, nearest first; without those given as text."""
    warnings: tuple[Problem, ...] = ()
    """What was found; from `resolve` also errors, of keys at the top that nothing else hangs on."""


def load(
    spec: str | os.PathLike[str],
    *,
    overrides: Mapping[str, object] | None = None,
    allow_env: Collection[str] = (),
    folder: str | os.PathLike[str] | None = None,
) -> Resolved:
    """Return the resolved document of a spec, as `resolve` does, with nothing wrong in its form.

    Raises:
        DocumentError: a `SpecError` with every problem of the document, and the texts to show them in.
    """
    found = resolve(spec, overrides=overrides, allow_env=allow_env, folder=folder)
    if any(problem.severity == "error" for problem in found.warnings):
        raise DocumentError(list(found.warnings), found.document.texts)
    return found


def resolve(
    spec: str | os.PathLike[str],
    *,
    overrides: Mapping[str, object] | None = None,
    allow_env: Collection[str] = (),
    folder: str | os.PathLike[str] | None = None,
) -> Resolved:
    """Return the resolved document of a spec, which may have keys at the top that there are not.

    What such a key was most likely meant to be is read in its place, so that all problems are found at once.

    Args:
        spec: the path of a file; or a spec's text, which is a `str` with a line break in it.
        overrides: values for parameters; text is read by the type of the parameter's default.
        allow_env: names of environment variables that the spec may read with `${env:NAME}`.
        folder: where relative paths start; by default the spec's folder, for text the current one.

    Raises:
        DocumentError: a `SpecError` with every problem of the document, and the texts to show them in.
    """
    inline = isinstance(spec, str) and ("\n" in spec or "\r" in spec)
    file = TEXT_FILE if inline else os.fspath(spec)
    document = parse(os.fspath(spec), file) if inline else read(spec)
    own_folder = os.fspath(folder) if folder is not None else ""
    if not isinstance(document.root.value, dict):
        raise DocumentError([_not_a_mapping(document.root)], document.texts)
    base_folder = own_folder if inline else os.path.dirname(file)
    merged, files = flatten(document, file, base_folder)
    slips = _top_level(merged)
    if "extends" in _as_meant(_keys(merged)) or any(one.code == "SD113" for one in slips):
        raise DocumentError(slips, merged.texts)  # what else is wrong would follow from that
    resolved, params, problems = _resolve(merged, overrides or {}, allow_env, file, slips)
    if any(one.severity == "error" and one not in slips for one in problems):
        raise DocumentError(problems, merged.texts)
    return Resolved(
        resolved,
        own_folder or base_folder or ".",
        params,
        tuple(one for one in files if one != TEXT_FILE),
        tuple(problems),
    )


def _resolve(
    merged: Document,
    overrides: Mapping[str, object],
    allow_env: Collection[str],
    file: str,
    slips: Sequence[Problem],
) -> tuple[Document, Mapping[str, Param], list[Problem]]:
    problems = list(slips)
    root = _as_meant(_keys(merged))
    merged = merged._replace(root=merged.root._replace(value=root))
    params = params_of(merged, overrides, problems)
    section = root.get("params")
    declared = section.value if section and isinstance(section.value, dict) else {}
    substitution = Substitution(params, allow_env, problems, declared=declared)
    children = {key: node if key == "params" else substitution.apply(node) for key, node in root.items()}
    if not problems:  # a use with a slip in its name would be reported twice
        problems += unused(merged, substitution.used, file)
    return merged._replace(root=merged.root._replace(value=children)), params, problems


def _as_meant(keys: dict[str, Node]) -> dict[str, Node]:
    """Return the nodes by the keys that they were most likely meant to have, of those that the spec has not."""
    found = dict(keys)
    for key in keys:
        if key not in TOP_LEVEL and (meant := near(key, TOP_LEVEL)) and meant not in found:
            found[meant] = found.pop(key)
    return found


def _not_a_mapping(root: Node) -> Problem:
    return Problem(
        "SD105",
        f"a spec is a mapping, not {root.shown}",
        root.span,
        help="begin it with the line `safedata: 1`, then `source:` and `steps:`",
    )


def _top_level(document: Document) -> list[Problem]:
    """Return what is wrong with the keys at the top and the version."""
    keys = _keys(document)
    problems = [
        Problem(
            "SD103",
            f"a spec has no key `{key}`",
            node.key_span or node.span,
            notes=(f"its keys are {', '.join(f'`{one}`' for one in TOP_LEVEL)}",),
            help=did_you_mean(key, TOP_LEVEL, what="keys of a spec"),
        )
        for key, node in keys.items()
        if key not in TOP_LEVEL
    ]
    version = [] if "safedata" in _as_meant(keys).keys() - keys.keys() else _version(document)
    return [*version, *problems, *_texts(keys)]


def _keys(document: Document) -> dict[str, Node]:
    return document.root.value if isinstance(document.root.value, dict) else {}


def _texts(keys: Mapping[str, Node]) -> list[Problem]:
    """Return a problem for a name or description that is not text."""
    return [
        Problem(
            "SD105",
            f"`{key}` takes text, not {node.shown}",
            node.span,
            help=f'write `"{node.raw}"`' if node.raw else "write a few words",
        )
        for key in ("name", "description")
        if (node := keys.get(key)) is not None and not isinstance(node.value, str)
    ]


def _version(document: Document) -> list[Problem]:
    node = document.get(("safedata",))
    if node is None:
        whole = document.root.span
        span = whole._replace(end_line=whole.line, end_column=whole.column)
        message = "the spec does not say its version of the language"
        return [Problem("SD104", message, span, help=f"begin it with the line `safedata: {VERSION}`")]
    if node.value == VERSION and isinstance(node.value, int) and not isinstance(node.value, bool):
        return []
    message = (
        f"the spec is written in version {node.shown} of the language, and this safedata reads {VERSION}"
    )
    if isinstance(node.value, int) and node.value > VERSION:
        way_out = "install a newer safedata"
    else:
        way_out = f"write `safedata: {VERSION}`"
    return [Problem("SD113", message, node.span, help=way_out)]
