"""SD612: a shuffle behind a map that makes elements larger."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from safedata.memory import format_size
from safedata.mistakes._smaller import earlier, worth
from safedata.mistakes.base import Finding, Line, Mistake


class LateShuffle(Mistake):
    """A buffer of decoded images where one of paths or encoded bytes would mix as well."""

    code: ClassVar[str] = "SD612"

    def find(self, line: Line) -> Iterator[Finding]:
        """Yield each shuffle that would hold less before the maps that stand before it."""
        for at, step in line.of("shuffle"):
            found = earlier(line, at)
            held = line.held(step.stage, step.before)
            if found is None or not worth(held, found.bytes):
                continue
            map_ = line.steps[found.at]
            move = f"move {step.said} before this `{map_.key}`"
            if found.stays:
                more = " and the maps behind it" if "map" in line.keys[found.at + 1 : at] else ""
                move = f"move this `{map_.key}`{more} behind {step.said}"
            yield Finding(
                step,
                f"{step.said} behind `{map_.key}` holds {format_size(held)} of what `{map_.key}` made: before it, "
                f"{format_size(found.bytes)}",
                "holds what the map made",
                f"{move}: the elements and their draws stay the same",
                (f"one element here is {step.before}; there it is {map_.before}",),
                ((map_, "makes the elements larger"),),
            )
