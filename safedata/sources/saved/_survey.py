"""What a check finds in the files of saved elements: all headers, and some records or all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from safedata.memory import Evidence
from safedata.problem import Fault
from safedata.scope import Scope
from safedata.sources._listing import Found, bad_data
from safedata.sources._stream import Budget
from safedata.sources.saved._facts import Seen, Survey, is_open, one_file, take
from safedata.sources.saved._spec import Part
from safedata.sources.tfrecord._framing import Compression, Scan

HEADERS: Final = 200_000
"""Headers of records that a check reads, in about a second."""
PARSED: Final = 20_000
"""Elements of which every record is parsed, where there are no more and they have at most as many bytes as below."""
PARSED_BYTES: Final = 64 << 20
SAMPLED: Final = 2_000
"""Elements parsed out of more, evenly spaced."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What is known of all files."""

    seen: Sequence[Seen]
    counts: list[int] | None
    """Elements of each file; None where not every header was read."""
    lengths: Evidence
    """What the lengths of records rest on."""
    inside: Evidence
    """What the sizes inside of them rest on."""
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Look:
    """Goes through the files."""

    compression: Compression
    parts: Sequence[Part]
    budget: Budget
    survey: Survey
    counts: list[int] = field(default_factory=list[int])
    """Records of each file."""
    scans: list[Scan] = field(default_factory=list[Scan])
    complete: bool = True

    def file(self, file: Found, known: Mapping[str, Any]) -> None:
        """Take one file, as it was measured or by its headers."""
        if file.path in known:
            count, seen, wrong, bad = take(known[file.path], self.parts)
            self._bad(wrong, [(file.path + where, why) for where, why in bad])
        elif self.budget.spent:
            self.complete = False
            return
        else:
            one, headers = one_file(file.path, self.compression, self.parts, self.budget)
            count, seen = len(headers.offsets), one.seen
            self.complete = self.complete and headers.complete
            self.scans.append(headers)
            self.survey.parsed += one.parsed
            self._bad(one.wrong, one.bad)
            if headers.damage is not None:
                what = headers.damage.message.removeprefix(f"`{file.path}` ")
                self._bad(1, [(file.path, what)])
        self.counts.append(count)
        for mine, other in zip(self.survey.seen, seen, strict=True):
            mine.join(other)

    def _bad(self, wrong: int, bad: Sequence[tuple[str, str]]) -> None:
        self.survey.wrong += wrong
        self.survey.bad += bad

    def parse(self) -> bool:
        """Parse records, all or some; return whether nothing was left out."""
        if not any(map(is_open, self.parts)):
            return True
        elements = sum(len(one.offsets) for one in self.scans) // len(self.parts)
        if self.compression == "none":
            few = elements <= PARSED and sum(one.size for one in self.scans) <= PARSED_BYTES
            self.survey.parse(self.scans, 1 if few else max(1, elements // SAMPLED))
        return self.survey.parsed >= elements


def look(
    found: Sequence[Found],
    compression: Compression,
    parts: Sequence[Part],
    known: Mapping[str, Any],
    elements: int,
    scope: Scope,
) -> Looked:
    """Return what headers and records say of files.

    Args:
        found: all files, in order.
        compression: how they are compressed.
        parts: the components as they were saved.
        known: what was measured, by path.
        elements: how many were saved.
        scope: says whether bad data is left out.

    Raises:
        Fault: SD404, a file is damaged, has another number of records, or records that are no such tensors.
    """
    budget = Budget(None if scope.on_error == "skip" else HEADERS, PARSED_BYTES)
    looking = _Look(compression, parts, budget, Survey(parts))
    for file in found:
        looking.file(file, known)
    notes = [*_lost(looking, elements, scope)]
    whole = looking.parse()
    survey, complete = looking.survey, looking.complete
    if not whole:
        notes.append(f"{survey.parsed} of {elements} elements were parsed")
    notes += bad_data(survey.bad, max(survey.parsed, len(survey.bad) + 1), scope, of="elements")
    width = len(parts)
    counts = [-(-count // width) for count in looking.counts] if complete else None
    lengths: Evidence = "measured" if complete else "sampled"
    inside: Evidence = "measured" if whole and complete else "sampled"
    return Looked(survey.seen, counts, lengths, inside, tuple(notes))


def _lost(looking: _Look, elements: int, scope: Scope) -> Iterator[str]:
    """Hold the number of records against what was saved; under `on_error: skip`, yield what is lost."""
    count, width = sum(looking.counts), len(looking.parts)
    if not looking.complete or count == elements * width:
        return
    what = f"the files have {count} records, and {elements} elements of {width} components were saved"
    if scope.on_error != "skip" and not looking.survey.bad:  # what is damaged is said, with its place
        raise Fault("SD404", what, ("path",), help="save the dataset again")
    yield f"{what}; the others are left out"
