"""`extends`: a spec merged over the specs below it, every piece keeping its own file and line."""

from __future__ import annotations

import os

from safedata.problem import Problem, Span, near
from safedata.spec.document import read
from safedata.spec.node import Document, DocumentError, Node
from safedata.spec.steps import merge_steps, refuse_edits


def flatten(document: Document, file: str, folder: str) -> tuple[Document, tuple[str, ...]]:
    """Return the document merged over those it extends, and the files it came from, itself first.

    Raises:
        DocumentError: SD108 when a file cannot be extended; what is wrong inside it; SD106 for a step
            that does not exist below.
    """
    chain = _Chain({file: document}, dict(document.texts))
    chain.follow(document, file, folder)
    merged: Node | None = None
    problems: list[Problem] = []
    for one in reversed(chain.documents.values()):
        own = _without_extends(one.root)
        merged = merge_specs(merged, own, problems)
    texts = chain.texts
    if problems:
        raise DocumentError(problems, texts)
    return Document(merged or document.root, texts), tuple(chain.documents)


def _identity(path: str) -> str:
    """Return what a file is known by; its path as it stands where the current directory is gone."""
    try:
        return os.path.realpath(path)
    except OSError:
        return path


class _Chain:
    def __init__(self, documents: dict[str, Document], texts: dict[str, str]) -> None:
        self.documents = documents
        self.texts = texts
        self.seen: list[str] = []

    def follow(self, document: Document, file: str, folder: str) -> None:
        """Read what `document` extends, and what that extends, until one extends nothing."""
        self.seen.append(_identity(file))
        named = document.get(("extends",))
        while named is not None and named.value is not None:
            path = self._target(named, folder)
            found = self._read(path, named)
            if not isinstance(found.root.value, dict):
                message = f"the spec `{path}` is {found.root.shown}, not a mapping"
                raise self._fail(message, named.span, "name a file that holds a spec")
            self.documents[path] = found
            self.seen.append(_identity(path))
            folder, named = os.path.dirname(path), found.get(("extends",))

    def _target(self, named: Node, folder: str) -> str:
        value = named.value
        if not isinstance(value, str) or not value or "\0" in value:
            message = f"`extends` takes the path of one spec, not {named.shown}"
            raise self._fail(message, named.span, "write a path relative to this file: `extends: base.yaml`")
        if "${" in value:
            raise self._fail("`extends` takes no parameters", named.span, "write the path out")
        path = os.path.normpath(os.path.join(folder, value))
        if _identity(path) in self.seen:
            start = self.seen.index(_identity(path))
            loop = [*list(self.documents)[start:], path]
            message = f"the specs extend each other in a circle: {' -> '.join(loop)}"
            raise self._fail(message, named.span, "remove one of the `extends` in it")
        return path

    def _read(self, path: str, named: Node) -> Document:
        if os.path.exists(path) and not os.path.isfile(path):
            raise self._fail(f"the spec to extend, `{path}`, is not a file", named.span, "name a file")
        try:
            found = read(path)
        except DocumentError as error:
            self.texts.update(error.texts)
            if error.texts:
                raise DocumentError(list(error.problems), self.texts) from error
            first = error.problems[0]
            message = first.message.replace("the spec", "the spec to extend,", 1).replace("` ", "`, ", 1)
            raise self._fail(message, named.span, _near_file(path) or first.help or "") from error
        self.texts.update(found.texts)
        return found

    def _fail(self, message: str, span: Span, way_out: str) -> DocumentError:
        return DocumentError([Problem("SD108", message, span, help=way_out)], self.texts)


def _near_file(path: str) -> str:
    folder = os.path.dirname(path) or "."
    try:
        names = [name for name in os.listdir(folder) if name.endswith((".yaml", ".yml"))]
    except OSError:
        return f"there is no folder `{folder}`; the path is relative to the file that says `extends`"
    found = near(os.path.basename(path), names)
    if found:
        return f"did you mean `{found}` in that folder?"
    return "the path is relative to the file that says `extends`"


def _without_extends(root: Node) -> Node:
    children = root.value if isinstance(root.value, dict) else {}
    return root._replace(value={key: child for key, child in children.items() if key != "extends"})


def merge_specs(base: Node | None, child: Node, problems: list[Problem]) -> Node:
    """Return one spec's mapping over another's; `base` is None for the lowest."""
    below = base.value if base and isinstance(base.value, dict) else {}
    above = child.value if isinstance(child.value, dict) else {}
    merged = dict(below)
    for key, node in above.items():
        if key == "steps":
            merged[key] = _steps(below.get(key), node, problems)
        elif key == "source" and not _same_kind(below.get(key), node):
            merged[key] = node
        elif key in below:
            merged[key] = merge(below[key], node)
        else:
            merged[key] = node
    return child._replace(value=merged)


def merge(base: Node, child: Node) -> Node:
    """Return `child` over `base`: mappings key by key, everything else replaced."""
    if not isinstance(base.value, dict) or not isinstance(child.value, dict):
        return child
    merged: dict[str, Node] = dict(base.value)
    for key, node in child.value.items():
        merged[key] = merge(merged[key], node) if key in merged else node
    return child._replace(value=merged)


def _same_kind(base: Node | None, child: Node) -> bool:
    """Whether both sources are mappings with the same key for their kind."""
    if base is None or not isinstance(base.value, dict) or not isinstance(child.value, dict):
        return False
    return set(base.value) == set(child.value)


def _steps(base: Node | None, child: Node, problems: list[Problem]) -> Node:
    if base is not None and isinstance(base.value, list):
        return merge_steps(base, child, problems)
    refuse_edits(child, problems)
    return child
