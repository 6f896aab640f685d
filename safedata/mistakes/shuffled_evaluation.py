"""SD611: a shuffle in a spec for evaluation."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import ClassVar, Final, cast

from safedata.memory import format_size
from safedata.mistakes.base import MATTERS, Finding, Line, Mistake

_NAMES: Final = frozenset({"val", "valid", "validation", "eval", "evaluation"})
_FOLDERS: Final = _NAMES | {"test"}


class ShuffledEvaluation(Mistake):
    """The metrics of an evaluation do not depend on the order, and a buffer for it costs memory."""

    code: ClassVar[str] = "SD611"

    def find(self, line: Line) -> Iterator[Finding]:
        """Yield each large shuffle of a spec whose name or data says that it is for evaluation.

        With a `take` or `skip` behind it a shuffle chooses a sample, which is another matter.
        """
        word = _evaluates(line)
        if word is None:
            return
        for at, step in line.of("shuffle"):
            size = line.held(step.stage, step.before)
            behind = line.keys[at + 1 :]
            if size is None or size < MATTERS or "take" in behind or "skip" in behind:
                continue
            yield Finding(
                step,
                f"{step.said} in a spec for evaluation: no metric depends on the order",
                f"holds {format_size(size)}",
                "leave `shuffle` out",
                (f"`{word}` says that this is for evaluation",),
            )


def _evaluates(line: Line) -> str | None:
    """Return the word of the spec's name, or of the last part of its data's path, that says so."""
    program = line.plan.program
    path: object = getattr(program.source, "path", None)
    paths = (path,) if isinstance(path, str) else cast("tuple[str, ...]", path or ())
    found = [word for word in _words(program.name or "") if word in _NAMES]
    found += [word for one in paths for word in _words(os.path.basename(one.rstrip("/"))) if word in _FOLDERS]
    return found[0] if found else None


def _words(text: str) -> list[str]:
    return re.split(r"[^a-z]+", text.lower())
