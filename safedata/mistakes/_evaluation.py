"""Whether a spec is for evaluation, by its words and its last batch."""

from __future__ import annotations

import os
import re
from typing import Final, cast

from safedata.mistakes import fills_up
from safedata.mistakes.base import Line

_NAMES: Final = frozenset({"val", "valid", "validation", "eval", "evaluation"})
_FOLDERS: Final = _NAMES | {"test"}


def evaluates(line: Line) -> str | None:
    """Return the word of the spec's name, or of the last part of its data's path, that says so; or `pad_last`.

    A last batch is filled up where every element counts once. Behind a `shuffle` or a `repeat` it may be training.
    """
    program = line.plan.program
    path: object = getattr(line.origin.source, "path", None)
    paths = (path,) if isinstance(path, str) else cast("tuple[str, ...]", path or ())
    found = [word for word in _words(program.name or "") if word in _NAMES]
    found += [word for one in paths for word in _words(os.path.basename(one.rstrip("/"))) if word in _FOLDERS]
    once = not {"shuffle", "repeat"} & set(line.keys)
    found += ["pad_last"] if once and any(map(fills_up, line.origin.steps)) else []
    return found[0] if found else None


def _words(text: str) -> list[str]:
    return re.split(r"[^a-z]+", text.lower())
