"""What is kept of one file of records: how many, how long, and what its records say of each feature."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from math import prod
from typing import Any, Final

from safedata.examples.feature import ROWS
from safedata.examples.parsing import Parsed
from safedata.measured import CorruptError
from safedata.memory import largest
from safedata.problem import Fault
from safedata.scope import Scope
from safedata.sources._listing import FIRST
from safedata.sources._records import counts_of, damaged, lengths_of
from safedata.sources._stream import Budget
from safedata.sources._survey import Bad, Seen, Survey, Wanted
from safedata.sources.tfrecord._framing import Compression, Scan, scan
from safedata.sources.tfrecord._recovery import HEADER, Loss
from safedata.strata import rounded, rounded_pairs

_KEYS: Final = 1000
"""Keys that records have which are kept, for the help where a feature is missing."""
_TICK: Final = 1 << 20
"""Bytes between two reports of progress."""
_NUMBERS: Final = ("most", "rows", "longest_row", "longest", "present")


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a source: counted now, or measured before."""

    path: str
    records: int
    largest: int
    """Bytes of the longest record."""
    complete: bool
    damage: Fault | None
    """Why what follows in the file is lost."""
    losses: tuple[Loss, ...] = ()
    """What is lost in between; each counts as one of `records`, in its place."""
    lengths: Mapping[int, int] | None = None
    """How many records are of which length at most; None where an earlier version measured the file."""

    @property
    def sound(self) -> int:
        """How many of its records can be read, as far as headers say."""
        return self.records - len(self.losses)

    @property
    def faults(self) -> Iterator[Fault]:
        """What is wrong with it, in order."""
        for loss in self.losses:
            yield damaged(self.path, loss.why, way_out="write it again, or leave it out")
        if self.damage is not None:
            yield self.damage

    @staticmethod
    def of(found: Scan) -> Part:
        """Return what headers say of a file."""
        losses = tuple(found.losses.values())
        count, lengths = len(found.offsets), rounded(found.lengths)
        return Part(found.path, count, found.largest, found.complete, found.damage, losses, lengths)


def asked_of(wanted: Sequence[Wanted]) -> str:
    """Return what is asked of each record, the names of components aside."""
    return repr([astuple(one)[1:] for one in wanted])


def read_records(
    path: str, compression: Compression, wanted: tuple[Wanted, ...], tick: Callable[[int], None]
) -> dict[str, Any]:
    """Return what is kept of a file, after parsing every record.

    Raises:
        Fault: the file cannot be read.
        OSError: it cannot be read any more.
    """
    survey = Survey(wanted)

    def keep(number: int, offset: int, data: bytes) -> None:
        survey.add(data, f" record {number}, decompressed byte {offset}")
        tick(0)

    found = scan(path, compression, Budget(None, None), keep, recover=-1)
    if compression == "none":
        through = _parse(found, survey, tick)
        tick(max(0, found.size - through))
    else:
        tick(found.size)
    return _kept(found, survey)


def _parse(found: Scan, survey: Survey, tick: Callable[[int], None]) -> int:
    """Take every record of an uncompressed file; return the bytes that were told to `tick`."""
    told = since = 0
    with open(found.path, "rb", buffering=0) as file:
        for number, (offset, length) in enumerate(zip(found.offsets, found.lengths, strict=True)):
            if number in found.losses:
                continue
            survey.add(
                os.pread(file.fileno(), length, offset + HEADER.size), f" record {number}, byte {offset}"
            )
            since += length
            if since >= _TICK:
                tick(since)
                told, since = told + since, 0
    return told


def _kept(found: Scan, survey: Survey) -> dict[str, Any]:
    damage = None
    if found.damage is not None:
        damage = [found.damage.message.removeprefix(f"`{found.path}` "), found.damage.help]
    return {
        "records": len(found.offsets),
        "largest": found.largest,
        "damage": damage,
        "losses": [list(one) for one in found.losses.values()],
        "parsed": survey.records,
        "keys": sorted(survey.keys)[:_KEYS],
        "broken": _kept_bad(survey.broken),
        "seen": [_kept_seen(one, survey.seen[one.name]) for one in survey.wanted],
        "lengths": sorted(rounded(found.lengths).items()),
    }


def _kept_bad(bad: Bad) -> list[Any]:
    return [bad.count, bad.first]


def _kept_seen(one: Wanted, seen: Seen) -> dict[str, Any]:
    size = prod(one.shape)
    return {
        **{name: getattr(seen, name) for name in _NUMBERS},
        "dtypes": sorted(seen.dtypes),
        "counts": sorted({*_ends(seen.counts), *({size} & seen.counts)}),
        "bad": _kept_bad(seen.bad),
        "sizes": sorted(_extremes(seen.sizes)),
        "formats": sorted(seen.formats),
        "images": seen.images,
        "whole": seen.whole,
        "coefficients": seen.coefficients,
        "pairs": rounded_pairs(seen.pairs),
        "lists": None if seen.lists is None else sorted(rounded(seen.lists).items()),
    }


def _ends(numbers: Collection[int]) -> set[int]:
    return {min(numbers), max(numbers)} if numbers else set()


def _extremes(sizes: Collection[tuple[int, int]]) -> set[tuple[int, int]]:
    """Return the sizes that bound all of them."""
    return (
        {pick(sizes, key=lambda one: one[axis]) for axis in (0, 1) for pick in (min, max)} if sizes else set()
    )


def take(value: Any, survey: Survey, path: str) -> Part:
    """Add what was kept of a file to a survey, and return the file.

    Raises:
        CorruptError: it cannot have been kept of a file.
    """
    try:
        survey.records += _number(value["parsed"])
        survey.keys.update(map(str, value["keys"]))
        _take_bad(value["broken"], survey.broken, path)
        for one, kept in zip(survey.wanted, value["seen"], strict=True):
            _take_seen(kept, survey.seen[one.name], path)
        damage = None
        if value["damage"] is not None:
            what, way_out = value["damage"]
            damage = damaged(path, str(what), way_out=str(way_out))
        losses = tuple(Loss(_number(start), _number(end), str(why)) for start, end, why in value["losses"])
        count, most = _number(value["records"]), _number(value["largest"])
        return Part(path, count, most, True, damage, losses, lengths_of(value.get("lengths"), count))
    except (KeyError, TypeError, ValueError):
        raise CorruptError("an entry is no record file's") from None


def _take_seen(kept: Mapping[str, Any], seen: Seen, path: str) -> None:
    for name in _NUMBERS[:-1]:
        setattr(seen, name, max(getattr(seen, name), _number(kept[name])))
    seen.present += _number(kept["present"])
    seen.dtypes.update(map(str, kept["dtypes"]))
    seen.counts.update(map(_number, kept["counts"]))
    seen.formats.update(map(str, kept["formats"]))
    seen.sizes.update((_number(height), _number(width)) for height, width in kept["sizes"])
    pairs = kept.get("pairs")
    seen.counted = seen.counted and pairs is not None
    for height, width, count in pairs or ():
        seen.pairs[_number(height), _number(width)] += _number(count)
    found = counts_of(kept.get("lists"))
    seen.lists = None if seen.lists is None or found is None else seen.lists + found
    seen.images = seen.images and kept["images"] is True
    seen.whole = seen.whole and kept["whole"] is True
    coefficients = kept["coefficients"]
    seen.coefficients = largest(seen.coefficients, None if coefficients is None else _number(coefficients))
    _take_bad(kept["bad"], seen.bad, path)


def _take_bad(kept: Any, bad: Bad, path: str) -> None:
    count, first = kept
    for number, (where, reason) in enumerate(first):
        bad.add(path + str(where), str(reason), _number(count) - len(first) + 1 if number == 0 else 1)


def _number(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("not a number of things")
    return value


def bad_records(values: Mapping[str, Any], wanted: tuple[Wanted, ...]) -> tuple[int, list[tuple[str, str]]]:
    """Return how many files are damaged and records bad, and the first ones."""
    survey = Survey(wanted)
    parts = [take(value, survey, path) for path, value in values.items()]
    files = [
        (one.path, fault.message.removeprefix(f"`{one.path}` ")) for one in parts for fault in one.faults
    ]
    bad = (survey.broken, *(one.bad for one in survey.seen.values()))
    count = len(files) + sum(one.count for one in bad)
    return count, [*files, *(first for one in bad for first in one.first)]


def damages(parts: Sequence[Part], scope: Scope) -> Iterator[str]:
    """Yield what is lost under `on_error: skip`.

    Raises:
        Fault: a file is damaged, and bad data is not left out.
    """
    faults = [fault for one in parts for fault in one.faults]
    if not faults:
        return
    if scope.on_error != "skip":
        rest = tuple(str(one) for one in faults[1:FIRST])
        raise replace(faults[0], at=("path",), notes=(*faults[0].notes, *rest))
    losses = [(one.path, loss) for one in parts for loss in one.losses]
    for path, loss in losses[:FIRST]:
        yield f"`{path}`: {loss.lost}; the records behind them are read"
    if len(losses) > FIRST:
        lost = sum(loss.end - loss.start for _, loss in losses)
        yield f"{len(losses)} pieces of files are lost, {lost} bytes in all"
    for one in parts:
        if one.damage is not None:
            yield f"{one.damage}; what follows in that file is left out, and not counted"


def declared_for(features: Sequence[Parsed]) -> str:
    """Return what a spec may declare in place of the sampled bounds of its features, as far as was seen."""
    found = [
        f"{', '.join(map('`{}`'.format, fields))} of `{one.name}`"
        for one in features
        if (fields := _fields(one))
    ]
    return " and ".join(found)


def _fields(one: Parsed) -> list[str]:
    """Return the fields of one feature that declare what was sampled."""
    names: tuple[str, ...] = (
        ("max_rows", "max") if one.kind in ROWS else ("max",) if one.kind in ("variable", "sequence") else ()
    )
    dims = one.tensor.shape[: len(names)]
    fields = [
        f"{name}: {dim.most}" for name, dim in zip(names, dims, strict=True) if dim.evidence == "sampled"
    ]
    if one.tensor.dtype == "string" and one.tensor.length.evidence == "sampled":
        fields.append(f"max_bytes: {one.tensor.length.most} B")
    encoded = one.tensor.encoded
    if encoded is not None and "sampled" in (encoded.height.evidence, encoded.width.evidence):
        fields.append(f"max_size: [{encoded.height.most}, {encoded.width.most}]")
    return fields


def checker(wanted: tuple[Wanted, ...]) -> Callable[[Any], None]:
    """Return what raises `CorruptError` for a value that cannot have been kept of a file."""

    def check(value: Any) -> None:
        take(value, Survey(wanted), "")

    return check


def parts_of(
    files: Sequence[str], values: Mapping[str, Any], scans: Sequence[Scan], survey: Survey
) -> Iterator[Part]:
    """Yield the files in order, as far as they were read now or measured before."""
    scanned = iter(scans)
    for path in files:
        if path in values:
            yield take(values[path], survey, path)
            continue
        found = next(scanned, None)
        if found is not None:
            yield Part.of(found)
