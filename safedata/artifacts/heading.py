"""What an artifact's file says of itself, and how it is written whole or not at all."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import field
from typing import IO, Any, Final, cast

from safedata.problem import DataError, Fault, Problem
from safedata.records import record

VERSION: Final = 1
"""The version of the layout of artifact files."""
MARK: Final = b"#safedata "
"""What the first line of a vocabulary starts with that `safedata analyze` has made."""


@record(frozen=True, slots=True)
class Origin:
    """What an artifact was made of."""

    source: str
    """A digest of the names, sizes and times of the data's files, and of how they are read."""
    steps: str
    """A digest of the steps up to where the components were taken, of what was asked, and of artifacts used there."""


@record(frozen=True, slots=True)
class Heading:
    """The head of an artifact's file."""

    kind: str
    digest: str
    """SHA-256, in hexadecimal, of what stands behind the head."""
    origin: Origin | None = None
    """None for a file from elsewhere."""
    about: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Facts that a kind adds: how many words there are, and of which dtype."""

    def plain(self) -> dict[str, Any]:
        """Return the head as JSON has it."""
        made = {"source": self.origin.source, "steps": self.origin.steps} if self.origin else {}
        return {"kind": self.kind, "version": VERSION, **made, "digest": self.digest, **self.about}


def heading_of(given: object) -> Heading:
    """Return the head that JSON says.

    Raises:
        Fault: SD423, it is none, or one of another version.
    """
    found = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    kind, digest = found.get("kind"), found.get("digest", "")
    if not isinstance(kind, str) or not isinstance(digest, str):
        raise unusable("it has no head that says what it is")
    if found.get("version") != VERSION:
        raise unusable(f"its layout is version {found.get('version')}, this one reads {VERSION}")
    source, steps = found.get("source"), found.get("steps")
    origin = Origin(source, steps) if isinstance(source, str) and isinstance(steps, str) else None
    return Heading(kind, digest, origin, found)


def unusable(why: str) -> Fault:
    """Return the fault of a file that cannot be used; whoever knows what it is for puts that in front."""
    return Fault("SD423", f"cannot be used: {why}")


def json_line(given: Mapping[str, Any]) -> bytes:
    """Return JSON in one line, its keys in order, so that equal values are equal bytes."""
    return json.dumps(given, sort_keys=True, ensure_ascii=True, allow_nan=False).encode()


@contextmanager
def written(path: str) -> Generator[IO[bytes], None, None]:
    """Give a file to write to, which gets its name only when the block has ended without an exception.

    Raises:
        DataError: SD408, the place cannot be written to.
    """
    trial = f"{path}.{secrets.token_hex(6)}.tmp"
    try:
        os.makedirs(os.path.dirname(path) or os.curdir, exist_ok=True)
        with open(trial, "xb") as file:
            yield file
        os.replace(trial, path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        message = f"the artifact cannot be written to `{path}`: {reason}"
        raise DataError([Problem("SD408", message, help="name another `path` for it")]) from None
    finally:
        if os.path.exists(trial):
            os.unlink(trial)
