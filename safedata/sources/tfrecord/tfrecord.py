"""`tfrecord`: examples in TFRecord files."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field, NonNegativeInt

from safedata.examples.feature import LISTS, ROWS, STEPS, Feature, check_feature, default_of, encode
from safedata.examples.parsing import Parsed
from safedata.fields import Size
from safedata.internal.parse_example import ParseExample
from safedata.measured import Question
from safedata.memory import Evidence
from safedata.problem import Fault, Path, did_you_mean
from safedata.scope import Scope
from safedata.sources._fingerprint import digest
from safedata.sources._interleave import Interleave, in_turn
from safedata.sources._listing import Found, look_at
from safedata.sources._records import READ_BUFFER, Places, find_files
from safedata.sources._shelf import Shelf, Work, asked, no_summary, renewed
from safedata.sources._stream import Budget
from safedata.sources._survey import Bad, Seen, Survey, Wanted, bound
from safedata.sources.base import Inspected, Source
from safedata.sources.tfrecord._facts import (
    Part,
    asked_of,
    bad_records,
    checker,
    damages,
    declared_for,
    parts_of,
    read_records,
)
from safedata.sources.tfrecord._feature import encoded_of
from safedata.sources.tfrecord._framing import Compression, Scan, scan
from safedata.sources.tfrecord._reader import TfrecordRoot
from safedata.sources.tfrecord._recovery import FOOTER, HEADER, SUMMED
from safedata.strata import by_image, by_length, by_rows, by_sample, rounded
from safedata.types import Dim, Stratification, Tensor

HEADERS: Final = 200_000
"""Headers that a check reads, in about a second; behind them the number of records is unknown."""
COMPRESSED_BYTES: Final = 64 << 20
"""Compressed bytes that a check reads."""
PARSED: Final = 20_000
"""Records that are all parsed, where there are no more and they have at most as many bytes as below."""
PARSED_BYTES: Final = 64 << 20
SAMPLED: Final = 2_000
"""Records parsed out of more, evenly spaced."""


class Tfrecord(Source):
    """Examples in TFRecord files, file by file and in order; each feature becomes a component.

    A check reads the length in front of every record and parses the records, so that the number of values
    and the bytes of strings are bounded by what the data has; where there is too much data for that, by
    what is declared or by a sample. The checksums of whole records are verified when they are read.
    """

    example: ClassVar[str] = "tfrecord: {path: data/photos-*.tfrecord, features: {label: int64}}"

    path: str | Annotated[tuple[str, ...], Field(strict=False)]
    """A file, a pattern such as `data/train-*.tfrecord`, or a list of them."""
    features: dict[str, Feature]
    """The features to read; `label: int64` and `box: float32[4]` are short for fixed ones."""
    compression: Compression = "none"
    """How the whole files are compressed."""
    buffer: Size = READ_BUFFER
    """What is read at once."""
    count: NonNegativeInt | None = None
    """The number of records, for data of which a check cannot count them all."""
    interleave: Interleave | None = None
    """Take turns between this many files, `8` or `{cycle: 8, block: 16}`; one after the other unless said."""

    def inspect(self, scope: Scope) -> Inspected:
        """Return what headers and records say.

        Raises:
            Fault: a file is missing or damaged; a feature is missing or not what the spec says.
        """
        files = find_files(self.path, scope)
        wanted = tuple(self._wanted())
        survey = Survey(wanted)
        found = tuple(look_at(files))
        values = Shelf.of(self._question(wanted, scope), scope, checker(wanted)).values(found)
        new = [path for path in files if path not in values]
        renewed(scope, len(new) if values else 0, len(files))
        scans = list(self._scan(new, survey, scope))
        parts = [*parts_of(files, values, scans, survey)]
        complete = len(parts) == len(files) and all(one.complete for one in parts)
        notes = [*damages(parts, scope)]
        if self.compression == "none":
            _parse_sample(scans, survey)
        count = sum(one.sound for one in parts)
        if complete and count == 0:
            raise Fault("SD403", "the files have no records", ("path",), help="name files with records")
        parsed = complete and survey.records == count
        evidence: Evidence = "measured" if parsed else "sampled"
        if not parsed:
            total = f"of {count} records" if complete else "records; not all could be counted"
            notes.append(f"{survey.records} {total} were parsed")
        notes += self._faults(survey, scope)
        record = Dim.at_most(max(one.largest for one in parts), "measured" if complete else "sampled")
        features = tuple(self._parsed(one, survey.seen[one.name], evidence, record) for one in wanted)
        every = None if parsed else count
        sizes = {one.name: _strata_of(one, survey.seen[one.name], every) for one in features}
        node = ParseExample(features, any(one.kind in STEPS for one in wanted), parsed, sizes)
        root = in_turn(self._root(files, parts, complete, found), self.interleave)
        return Inspected(root, (node,), digest(found), files, tuple(notes), declared_for(features))

    def to_measure(self, scope: Scope) -> tuple[Work, ...]:
        """Return the files, where a check parses a sample of their records."""
        files = tuple(look_at(dict.fromkeys(find_files(self.path, scope))))
        wanted = tuple(self._wanted())
        if sum(file.size for file in files) <= PARSED_BYTES and self._all_parsed(files, wanted, scope):
            return ()

        def read(path: str, tick: Callable[[int], None]) -> Any:
            return read_records(path, self.compression, wanted, tick)

        def bad(values: Mapping[str, Any]) -> tuple[int, Sequence[tuple[str, str]]]:
            return bad_records(values, wanted)

        question = self._question(wanted, scope)
        return (Work(question, files, digest(files), read, no_summary, bad, checker(wanted), by_bytes=True),)

    def _question(self, wanted: Sequence[Wanted], scope: Scope) -> Question:
        return asked("records", self.path, scope, "tfrecord with losses", self.compression, asked_of(wanted))

    def _all_parsed(self, files: Sequence[Found], wanted: tuple[Wanted, ...], scope: Scope) -> bool:
        """Return whether a check parses every record."""
        survey = Survey(wanted)
        scans = list(self._scan([file.path for file in files], survey, scope))
        if self.compression == "none":
            _parse_sample(scans, survey)
        whole = len(scans) == len(files) and all(one.complete for one in scans)
        return whole and survey.records == sum(one.records for one in scans)

    def _wanted(self) -> Iterator[Wanted]:
        keys: dict[str, str] = {}
        if not self.features:
            raise Fault("SD104", "`tfrecord` names no feature", ("features",), help="write `label: int64`")
        for name, one in self.features.items():
            at: Path = ("features", name)
            if not name or name[0] == "#":
                raise Fault(
                    "SD105", f"`{name}` is not a name for a component", at, help="start it with a letter"
                )
            check_feature(name, self.features, keys)
            splits = one.row_splits is not None
            yield Wanted(
                name,
                one.key or name,
                one.kind,
                one.dtype,
                one.shape,
                one.default is not None or one.kind != "fixed",
                ("row_splits" if splits else "row_lengths") if one.kind == "ragged" else None,
                one.row_splits or one.row_lengths or "",
                None if one.kind in ROWS else one.max,
                one.max_bytes,
                one.max_size,
            )

    def _scan(self, files: Sequence[str], survey: Survey, scope: Scope) -> Iterator[Scan]:
        """Yield what each file's headers say; compressed records are looked at on the way."""
        everything = scope.on_error == "skip"
        budget = Budget(None if everything else HEADERS, None if everything else COMPRESSED_BYTES)
        kept = 0
        for path in files:
            if budget.spent:
                return

            def keep(number: int, offset: int, data: bytes, path: str = path) -> None:
                nonlocal kept
                kept += len(data)
                if survey.records < PARSED and kept <= PARSED_BYTES:
                    survey.add(data, f"{path} record {number}, decompressed byte {offset}")

            yield scan(path, self.compression, budget, keep, SUMMED if everything else None)

    def _root(
        self, files: tuple[str, ...], parts: Sequence[Part], complete: bool, found: Sequence[Found]
    ) -> TfrecordRoot:
        largest = max(one.largest for one in parts)
        places = None
        if complete:
            places = Places("record", paths=files)
            for number, one in enumerate(parts):
                places.add_run(number, 0, one.records)
        count = self.count if places is None else places.count
        lost = any(one.losses for one in parts)  # nobody knows how many records these were
        if places is not None and not lost and self.count not in (None, places.count):
            message = f"`count` says {self.count} records, and the files have {places.count}"
            raise Fault("SD404", message, ("count",), help="remove `count`")
        evidence: Evidence = "measured" if complete else "sampled"
        counted: Evidence = "declared" if places is None and self.count is not None else evidence
        root = TfrecordRoot(
            files, self.compression, self.buffer, largest, evidence, places, count, counted, searched=True
        )
        return replace(root, seen=self._lengths(root.record, parts, complete, found))

    def _lengths(
        self, record: Tensor, parts: Sequence[Part], complete: bool, found: Sequence[Found]
    ) -> Stratification:
        """Return how many records are of which length; of files that were not read to their end, by their sizes."""
        seen = Counter[int]()
        for one in parts:
            if one.lengths is None:
                return ()
            seen.update(one.lengths)
        if complete or self.compression != "none":
            return by_length(record, seen) if complete else ()
        size = sum(file.size for file in found)
        return by_sample(record, seen, size, beside=HEADER.size + FOOTER)

    def _faults(self, survey: Survey, scope: Scope) -> Iterator[str]:
        """Report what does not fit the spec; under `on_error: skip`, yield what will be left out."""
        if survey.broken.count:
            yield from _bad(survey.broken, survey.records, ("path",), scope)
        readable = survey.records - survey.broken.count
        for one in survey.wanted:
            seen = survey.seen[one.name]
            wrong = _wrong_spec(one, seen, survey) if readable else None
            if wrong is not None:
                scope.fault(wrong)
            elif seen.bad.count:
                yield from _bad(seen.bad, survey.records, ("features", one.name), scope)

    def _parsed(self, one: Wanted, seen: Seen, evidence: Evidence, record: Dim) -> Parsed:
        feature = self.features[one.name]
        default = default_of(feature, one.name)
        tensor = Tensor(one.dtype, tuple(Dim.exactly(size) for size in one.shape))
        if one.kind in ("variable", "sequence"):
            tensor = replace(tensor, shape=(bound(one.most, seen.most, evidence), *tensor.shape))
        elif one.kind in ROWS:
            rows = bound(feature.max_rows, seen.rows, evidence)
            tensor = replace(
                tensor, shape=(rows, bound(feature.max, seen.longest_row, evidence)), ragged_rank=1
            )
        if one.dtype == "string":
            longest = max([seen.longest, *(len(encode(value)) for value in default or ())])
            tensor = replace(tensor, length=bound(one.max_bytes, longest, evidence))
            tensor = replace(tensor, encoded=encoded_of(feature, seen, evidence))
            tensor = tensor.parts_of(record, least=sum(len(encode(value)) for value in default or ()))
        return Parsed(
            one.name, one.key, one.kind, tensor, default, one.partition or "row_lengths", one.partition_key
        )


def _strata_of(one: Parsed, seen: Seen, every: int | None) -> Stratification:
    """Return how many images, or lists, there are of which size; nothing of what does not differ."""
    if one.kind in LISTS and one.default is None and seen.lists:
        return by_rows(one.tensor, rounded(seen.lists), every=every)
    if one.kind == "fixed" and not one.tensor.rank and one.default is None:
        return by_image(one.tensor, _sizes_of(seen), every=every)
    return ()


def _sizes_of(seen: Seen) -> list[tuple[int, int, int]]:
    """Return how many images there are of which height and width; none where they were not all counted."""
    return [(*pair, count) for pair, count in seen.pairs.items()] if seen.counted and seen.images else []


def _parse_sample(scans: Sequence[Scan], survey: Survey) -> None:
    """Parse every record of uncompressed files where there are few, else some, evenly spaced."""
    records = sum(one.records for one in scans)
    total = sum(sum(one.lengths) for one in scans)
    step = 1 if records <= PARSED and total <= PARSED_BYTES else max(1, records // SAMPLED)
    left, number = PARSED_BYTES, 0
    for one in scans:
        with open(one.path, "rb", buffering=0) as file:
            for record in range(-number % step, len(one.offsets), step):
                length, offset = one.lengths[record], one.offsets[record]
                if length > left or record in one.losses:
                    continue
                left -= length
                data = os.pread(file.fileno(), length, offset + HEADER.size)
                survey.add(data, f"{one.path} record {record}, byte {offset}")
        number += len(one.offsets)


def _wrong_spec(one: Wanted, seen: Seen, survey: Survey) -> Fault | None:
    """Return a fault where no record at all is what the spec says."""
    at: Path = ("features", one.name)
    if one.key not in survey.keys and not (one.optional and (one.kind == "fixed" or one.most is not None)):
        known = did_you_mean(one.key, survey.keys, what="keys in the records")
        return Fault("SD201", f"no record has a feature `{one.key}`", (*at, "key"), help=known)
    if seen.dtypes and one.dtype not in seen.dtypes:
        [stored] = seen.dtypes if len(seen.dtypes) == 1 else ["other dtypes"]
        way_out = f"write `dtype: {stored}`, and cast it in a `map`"
        return Fault(
            "SD202", f"`{one.key}` is stored as {stored}, not {one.dtype}", (*at, "dtype"), help=way_out
        )
    size = prod(one.shape)
    if one.kind == "fixed" and seen.counts and size not in seen.counts:
        found = sorted(seen.counts)
        if len(found) == 1:
            message = f"`{one.key}` has {found[0]} values in each record, and its shape {size}"
            way_out = f"write `shape: [{found[0]}]`"
        else:
            message = f"`{one.key}` has {found[0]} to {found[-1]} values, and its shape {size}"
            way_out = f"write `kind: variable, max: {found[-1]}`"
        return Fault("SD203", message, (*at, "shape"), help=way_out)
    return None


def _bad(bad: Bad, records: int, at: Path, scope: Scope) -> Iterator[str]:
    """Report bad records; under `on_error: skip`, yield that they will be left out."""
    first, *others = (f"{where} {reason}" for where, reason in bad.first)
    if scope.on_error == "skip" and bad.count < records:
        yield f"{bad.count} of {records} parsed records will be left out: {first}"
        return
    notes = tuple(others)
    way_out = "mend the data; or `runtime: {on_error: skip}` leaves bad records out"
    scope.fault(Fault("SD404", first, at, notes=notes, help=way_out))
