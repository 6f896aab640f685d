"""Reads the file that an element names."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from safedata.insist import Check, Where, insist
from safedata.lowering import INDEX, Lowering, Values, bounds
from safedata.memory import add
from safedata.scope import Scope
from safedata.stages.base import ElementNode
from safedata.types import Dim, Strata, Stratification, Stream, Tensor


@dataclass(frozen=True)
class Read(ElementNode):
    """Put the bytes of the file at `path` into the component `name`, in front of the others."""

    name: str
    type: Tensor
    """A string, with the size of the largest file and what headers say of images."""
    path: str = "path"
    """The component that has the path."""
    folder: str = ""
    """Where relative paths start; "" where they are the file system's own."""
    least: int = 0
    """A file with fewer bytes than this is bad data."""
    seen: tuple[Stratification, ...] = field(default=(), repr=False)
    """How many files there are of which size, those that an epoch has."""

    @property
    def fallible(self) -> bool:
        """Whether the data may be bad: a file may be gone, or have grown."""
        return True

    def title(self) -> str:
        """Return this step's name."""
        return "read_file"

    def calls(self, scope: Scope) -> int:
        """Return one call for each CPU."""
        return scope.cpus

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return what must come in: all but the bytes, and the path."""
        return (after - {self.name}) | {self.path}

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the stream with the bytes first and the path last of what the user knows of."""
        return before.with_element({name: self._part(name, before) for name in self._order(before.element)})

    def strata(self, before: Stream, after: Stream, scope: Scope) -> Strata:
        """Return those of the files, beside what passes by."""
        seen = {self.name: self.seen} if self.seen else {}
        return {**super().strata(before, after, scope), **seen}

    def makes(self, before: Stream, after: Stream) -> frozenset[str]:
        """Return the bytes' name."""
        return frozenset((self.name,))

    def call_bytes(self, before: Stream, after: Stream, scope: Scope) -> int | None:
        """Return the element that comes in, the path joined to its folder, and the file's bytes.

        The bytes are read straight into the string that is handed on: reading a file of 256 MiB took 256 MiB.
        """
        path = before.element[self.path]
        joined = replace(path, length=path.length + Dim.at_most(len(os.fsencode(self.folder)) + 1))
        return add(before.bytes, joined.bytes, self.type.bytes)

    def apply(self, values: Values, low: Lowering) -> Values:
        """Return the element with the file's bytes, held to the size of the largest file at the check."""
        tf = low.tf
        path = self._joined(tf, values[self.path])
        data = tf.io.read_file(path)
        checks = list(bounds(tf, data, self.type, self.name))
        if self.least:
            size = checks[0].found if checks else tf.strings.length(data)
            checks.append(Check(size >= self.least, "SD404: bad data: bytes of the file", size))
        made = {**values, self.name: insist(tf, data, checks, self._where(values, path, low))}
        return {name: made[name] for name in self._order(values)}

    def _where(self, values: Values, path: Any, low: Lowering) -> Where:
        if low.origin is None or INDEX not in values:
            return Where(low.tf, origin=_as_it_is, index=path)
        return Where(low.tf, origin=low.origin, index=values[INDEX])

    def _joined(self, tf: Any, path: Any) -> Any:
        if not self.folder:
            return path
        absolute = tf.strings.substr(path, 0, 1) == "/"
        return tf.where(absolute, path, tf.strings.join([os.fsencode(self.folder + "/"), path]))

    def _order(self, names: Iterable[str]) -> list[str]:
        others = [name for name in names if name not in (self.name, self.path)]
        shown = [name for name in others if name[0] != "#"]
        return [self.name, *shown, self.path, *(name for name in others if name[0] == "#")]

    def _part(self, name: str, before: Stream) -> Tensor:
        return self.type if name == self.name else before.element[name]


def _as_it_is(path: Any) -> Any:
    """Return what an element without an index is named by: its path."""
    return path
