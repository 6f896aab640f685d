"""The files that a spec names beside its data, opened when an operation asks for them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from safedata.artifacts.heading import Origin
from safedata.artifacts.statistics import Numbers, Statistics, read_statistics
from safedata.artifacts.words import Words, read_words
from safedata.problem import EchoFault, Fault, Path, did_you_mean
from safedata.records import record

if TYPE_CHECKING:
    from safedata.artifacts.folder import Folder
    from safedata.artifacts.merges import Merges
    from safedata.spec.artifacts import Artifact

_Read = TypeVar("_Read", bound="Words | Statistics | Input | Merges | Folder")


@record(frozen=True, slots=True)
class Input:
    """A file that an operation names: a model, say."""

    path: str
    digest: str
    """SHA-256, in hexadecimal, of its content."""
    size: int
    """Its bytes."""
    origin: Origin | None = None


class Artifacts:
    """A spec's artifacts, and the files that its operations name.

    Args:
        declared: the section `artifacts`.
        folder: where relative paths start.
        spec: how a help names the spec.
        refused: whether the section is wrong, which is reported already; then nobody knows what it has.
    """

    def __init__(
        self, declared: Mapping[str, Artifact], folder: str, spec: str, *, refused: bool = False
    ) -> None:
        self.declared = declared
        self.refused = refused
        self.folder = folder
        self.spec = spec
        self.used: dict[str, Words | Statistics | Input | Merges | Folder] = {}
        """What was read, by the name of the artifact, or by the path in the spec where an operation names a file."""
        self._failed: dict[str, Fault] = {}

    def words(self, name: str) -> Words:
        """Return the list of words that an artifact is.

        Raises:
            Fault: there is no such artifact (SD424), it has not been made (SD421), or cannot be used (SD423).
        """
        return self._artifact(name, Words, read_words)

    def numbers(self, reference: str) -> Numbers:
        """Return the numbers about one component, `stats.age`, or `stats` where it has one component alone.

        Raises:
            Fault: as for `words`; SD424, the artifact has no such component.
        """
        name, _, component = reference.partition(".")
        found = self._artifact(name, Statistics, read_statistics).components
        if not component and len(found) == 1:
            return next(iter(found.values()))
        known = [f"{name}.{one}" for one in found]
        if component in found:
            return found[component]
        what = (
            f"`{name}` has no `{component}`"
            if component
            else f"`{name}` has numbers of {len(found)} components"
        )
        raise Fault("SD424", what, ("artifact",), help=did_you_mean(reference, known, what="its parts"))

    def words_at(self, path: str, field: str = "path") -> Words:
        """Return the list of words in the file that the field of an operation names.

        Raises:
            Fault: SD421, there is no such file; SD423, it cannot be used.
        """
        return self._kept(path, Words, lambda: self._read(path, f"`{path}`", read_words, _OTHER), (field,))

    def file_at(self, path: str, field: str = "path") -> Input:
        """Return what is known of the file that the field of an operation names.

        Raises:
            Fault: SD421, there is no such file; SD423, it cannot be read.
        """
        return self._kept(path, Input, lambda: self._read(path, f"`{path}`", read_input, _OTHER), (field,))

    def folder_at(self, path: str, field: str = "root") -> Folder:
        """Return the folder that the field of an operation names.

        Raises:
            Fault: SD421, there is no such folder; SD423, it cannot be read.
        """
        from safedata.artifacts.folder import Folder, read_folder  # few specs have one

        # It shares the names of `used` with the files of a spec, and is none of them.
        what = os.path.join(path, "")
        return self._kept(what, Folder, lambda: self._read(path, f"`{path}`", read_folder, _FOLDER), (field,))

    def merges_at(self, path: str, merges: str) -> Merges:
        """Return the byte-pair encoding in the files that the fields `path` and `merges` of an operation name.

        Raises:
            Fault: SD421, there is no such file; SD423, they cannot be used.
        """
        from safedata.artifacts.merges import Merges, read_merges  # few specs have such a tokenizer

        self.file_at(path)
        self.file_at(merges, "merges")

        def read(place: str) -> Merges:
            return read_merges(place, self.place(merges))

        what = f"`{path}` with `{merges}`"
        return self._kept(what, Merges, lambda: self._read(path, what, read, _OTHER), ("path",))

    @property
    def fingerprints(self) -> dict[str, str]:
        """The digest of everything that was read, by name or path: what is made of the data depends on them."""
        return {name: self.used[name].digest for name in sorted(self.used)}

    def place(self, path: str) -> str:
        """Return a path from the spec as the file system knows it."""
        return os.path.normpath(os.path.join(self.folder, os.path.expanduser(path)))

    def _artifact(self, name: str, kind: type[_Read], read: Callable[[str], _Read]) -> _Read:
        artifact = self.declared.get(name)
        if artifact is None and self.refused:
            raise EchoFault("SD424", f"`{name}` is in a section that cannot be read", ("artifact",))
        if artifact is None:
            way_out = did_you_mean(name, self.declared, what="artifacts in the spec")
            raise Fault("SD424", f"the spec has no artifact `{name}`", ("artifact",), help=way_out)
        way_out = _OTHER if artifact.analyze is None else f"run `safedata analyze {self.spec}`"
        what = f"the artifact `{name}` (`{artifact.path}`)"
        at: Path = ("artifacts", name, "path")
        return self._kept(name, kind, lambda: self._read(artifact.path, what, read, way_out), at)

    def _kept(self, name: str, kind: type[_Read], read: Callable[[], _Read], at: Path) -> _Read:
        """Return what is read under a name, once; a file that fails fails with the same fault again."""
        if name in self._failed:
            raise self._failed[name]
        found = self.used.get(name)
        if isinstance(found, kind):
            return found
        try:
            made = read()
        except Fault as fault:
            self._failed[name] = replace(fault, at=at, absolute=len(at) > 1)
            raise self._failed[name] from None
        self.used[name] = made
        return made

    def _read(self, path: str, what: str, read: Callable[[str], _Read], way_out: str) -> _Read:
        """Return what is read of a file, or raise its fault, which calls it `what`."""
        try:
            return read(self.place(path))
        except Fault as fault:
            raise Fault(fault.code, f"{what} {fault.message}", help=way_out) from None
        except (FileNotFoundError, NotADirectoryError):
            reason = "does not exist" if way_out is _OTHER else "has not been made"
            raise Fault("SD421", f"{what} {reason}", help=way_out) from None
        except (OSError, ValueError) as error:
            reason = str(error).split("] ")[-1].partition(":")[0].lower()
            raise Fault("SD423", f"{what} cannot be read: {reason}", help=way_out) from None


_OTHER = "name another file"
_FOLDER = "name a folder, relative to the spec's own"


def read_input(path: str) -> Input:
    """Return the size and the digest of a file.

    Raises:
        OSError: it cannot be read.
    """
    digest, size = hashlib.sha256(), 0
    with open(path, "rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
            size += len(part)
    return Input(path, digest.hexdigest(), size)


def artifacts_of(context: Any) -> Artifacts:
    """Return the artifacts that pydantic was handed as its context.

    Raises:
        Fault: SD424, there are none: the operation is read outside of a spec.
    """
    if isinstance(context, Artifacts):
        return context
    raise Fault("SD424", "there are no artifacts outside of a spec", ("artifact",))
