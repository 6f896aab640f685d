"""Whether a spec is for evaluation, by its words and its last batch."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from safedata.mistakes import fills_up, paths_of
from safedata.mistakes.base import Line

_NAMES: Final = frozenset({"val", "valid", "validation", "eval", "evaluation", "testset"})
_FOLDERS: Final = _NAMES | {"test"}
_SETS: Final = frozenset({"set", "split", "data"})
"""What makes of `test` in a name a part of the data; alone it may be a test of the spec."""
_TRAINS: Final = frozenset({"train", "training"})
_DEEP: Final = 3
"""Parts of a path that are looked at from its end: a file, the folder of its class, that of the split."""


def evaluates(line: Line) -> str | None:
    """Return the word that says so: of the spec's name or its file's, of its data's path or split; or `pad_last`.

    A name that says `train` has the last word, and so has the part of a path that is nearest to its end. A last batch
    is filled up where every element counts once. Behind a `shuffle` or a `repeat` it may be training.
    """
    program = line.plan.program
    named = _words(program.name or "")
    file = os.path.basename(program.document.root.span.file)
    found: list[str | None] = []
    if not _TRAINS & set(named):
        found += [_named(named), _named(_words(os.path.splitext(file)[0]))]
        found += [next(_split(path), None) for path in paths_of(line.origin.source)]
    once = not {"shuffle", "repeat"} & set(line.keys)
    found += ["pad_last"] if once and any(map(fills_up, line.origin.steps)) else []
    return next((word for word in found if word), None)


def _named(words: list[str]) -> str | None:
    """Return the word of a name that says so; `test` does with `set` behind it."""
    sets = ("test" for one, two in pairwise(words) if one == "test" and two in _SETS)
    return next((word for word in words if word in _NAMES), None) or next(sets, None)


def _split(path: str) -> Iterator[str]:
    """Yield the word that says so of each part of a path, from its end on until one says the opposite.

    Of a folder further up it is the whole name: `val2017`, not `test_run`. The folder of a user says nothing.
    """
    path = re.sub(r"^(/home|/Users)/[^/]+", "", path)
    parts = [part for part in re.split(r"[/\\]", path) if part and "*" not in part]
    for number, part in enumerate(parts[: -_DEEP - 1 : -1]):
        words = _words(part)
        if number and not set(words) <= _FOLDERS | _SETS | _TRAINS:
            continue
        if _TRAINS & set(words):
            return
        yield from (word for word in words if word in _FOLDERS)


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[^a-z]+", text.lower()) if word]
