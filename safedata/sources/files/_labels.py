"""Labels that a pattern finds in the paths of files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from safedata.problem import Fault, Path, did_you_mean
from safedata.sources import _listing as listing
from safedata.sources.files._table import Column
from safedata.types import Tensor, ValueRange

if TYPE_CHECKING:
    from collections.abc import Iterator

AT: Final[Path] = ("labels", "regex")
_CLASSES: Final = ("classes",)
_BARE: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
"""What stands for one character, and may have brackets that group nothing."""


def _different(names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    twice = sorted({name for name in names or () if (names or ()).count(name) > 1})
    if twice:
        raise ValueError(f"`{twice[0]}` stands twice; each class has one label")
    return names


Classes = Annotated[tuple[str, ...] | None, Field(strict=False), AfterValidator(_different)]
"""The names of classes in the order of their labels, each once."""


def _sound(pattern: str) -> str:
    """Return a pattern of RE2 that Python's reader takes for the same, and goes through without trying for ever."""
    from safedata.ops.text._pattern import parse_pattern  # few sources have a pattern

    if parse_pattern(pattern).groups != 1:
        raise ValueError(f"`{pattern}` needs one group, whose text is the class: `([^/]+)/[^/]+`")
    if re.search(r"\)[*+{]", _BARE.sub("x", pattern)):
        raise ValueError(f"`{pattern}` repeats a group; repeat a class of characters, as in `[a-z_]+`")
    try:
        re.compile(pattern, re.ASCII)
    except re.error as error:
        raise ValueError(f"`{pattern}` cannot be used for paths: {error.msg}") from None
    return pattern


class ByPattern(BaseModel):
    """How to find a file's class in its path."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    regex: Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_sound)]
    """A pattern with one group, found anywhere in the path, in RE2's syntax; `^` and `$` are its ends. The group's text
    is the class."""

    def classes_of(self, paths: Sequence[str], shown: str) -> list[str]:
        """Return the class of each file.

        Args:
            paths: the files' paths, relative, `/` between their parts.
            shown: what messages call all of them.

        Raises:
            Fault: SD404, the pattern does not match a path; the message names it.
        """
        found = [re.search(self.regex, path, re.ASCII) for path in paths]
        wrong = [path for path, match in zip(paths, found, strict=True) if match is None or not match[1]]
        if wrong:
            problem = f"`{self.regex}` finds no class in `{wrong[0]}`"
            notes = (f"{len(wrong)} of {len(paths)} files of `{shown}` have none: {listing.some(wrong)}",)
            way_out = "mend the pattern, or move files without a class away"
            raise Fault("SD404", problem, AT, notes=notes, help=way_out)
        return [match[1] for match in found if match is not None]


def numbered(found: Sequence[str], classes: tuple[str, ...] | None) -> tuple[Column, tuple[str, ...]]:
    """Return the column of labels for the classes of files, and all classes in the order of their labels.

    Args:
        found: the class of each file.
        classes: all classes in the order of their labels; those that were found, sorted, where None.

    Raises:
        Fault: SD404, a class is not among `classes`.
    """
    every = tuple(sorted(set(found))) if classes is None else classes
    unknown = sorted(set(found) - set(every))
    if unknown:
        problem = f"files have classes that `classes` does not name: {listing.some(unknown)}"
        way_out = did_you_mean(unknown[0], every, what="classes")
        raise Fault("SD404", problem, _CLASSES, help=way_out)
    places = {name: label for label, name in enumerate(every)}
    return labels([places[one] for one in found], len(every)), every


def labels(values: Sequence[int], classes: int) -> Column:
    """Return the column of labels below a number of classes."""
    return Column(Tensor("int64", range=ValueRange(0, max(classes - 1, 0))), values)


def told(found: Sequence[str], classes: Sequence[str]) -> Iterator[str]:
    """Yield which classes a pattern found, and those that have no file."""
    yield f"{len(set(found))} classes found in the paths: {listing.some(sorted(set(found)))}"
    empty = [name for name in classes if name not in set(found)]
    if empty:
        yield f"classes without a file: {listing.some(empty)}"
