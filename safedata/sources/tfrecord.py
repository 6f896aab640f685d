"""`tfrecord`: examples in TFRecord files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, model_validator

from safedata.fields import Size
from safedata.internal.parse_example import ParseExample, Parsed
from safedata.memory import Evidence
from safedata.problem import Fault, Path, did_you_mean
from safedata.scope import Scope
from safedata.sources._fingerprint import fingerprint
from safedata.sources._listing import FIRST
from safedata.sources._record_reader import TfrecordRoot
from safedata.sources._records import READ_BUFFER, Places, find_files
from safedata.sources._stream import Budget
from safedata.sources._survey import Seen, Survey, Wanted, bound
from safedata.sources._tfrecord import HEADER, Compression, Scan, scan
from safedata.sources.base import Inspected, Source
from safedata.types import Dim, Encoded, Tensor, parse_type

HEADERS: Final = 400_000
"""Headers that a check reads, in about a second; behind them the number of records is unknown."""
COMPRESSED_BYTES: Final = 64 << 20
"""Compressed bytes that a check reads."""
PARSED: Final = 20_000
"""Records that are all parsed, where there are no more and they have at most as many bytes as below."""
PARSED_BYTES: Final = 64 << 20
SAMPLED: Final = 2_000
"""Records parsed out of more, evenly spaced."""


class Feature(BaseModel):
    """One feature of the examples, and the component that it becomes."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    dtype: Literal["int64", "float32", "string"]
    """What the examples store; cast it in a `map` behind."""
    kind: Literal["fixed", "variable", "ragged", "sequence"] = "fixed"
    """`fixed`: always `shape`. `variable`: a vector whose length differs. `ragged`: rows whose lengths
    differ. `sequence`: steps of a `SequenceExample`, each of `shape`."""
    key: str | None = None
    """The feature's key in the example; the component's name unless said."""
    shape: Annotated[tuple[NonNegativeInt, ...], Field(strict=False)] = ()
    """Of a fixed feature, or of one step of a sequence; a scalar unless said."""
    default: int | float | str | tuple[int | float | str, ...] | None = Field(None, strict=False)
    """What a fixed feature becomes where a record has none."""
    max: NonNegativeInt | None = None
    """Most values of a variable feature, of one row of a ragged one; most steps of a sequence."""
    max_rows: NonNegativeInt | None = None
    """Most rows of a ragged feature."""
    max_bytes: Size | None = None
    """Longest string, as a size."""
    max_size: Annotated[tuple[PositiveInt, PositiveInt], Field(strict=False)] | None = None
    """Largest height and width of encoded images."""
    row_lengths: str | None = None
    """The key of a ragged feature's row lengths."""
    row_splits: str | None = None
    """The key of a ragged feature's row splits."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        """Read `int64`, `int64[4]`, `float32[<=8]` and `string[<=64KiB]` as the fields that they mean."""
        if not isinstance(value, str):
            return value
        if value.strip().isalnum():
            return {"dtype": value.strip()}
        tensor = parse_type(value)
        fields: dict[str, Any] = {"dtype": tensor.dtype}
        if tensor.dtype == "string" and tensor.length.most is not None:
            fields["max_bytes"] = f"{tensor.length.most} B"
        if tensor.static:
            return {**fields, "shape": [dim.most for dim in tensor.shape]}
        if tensor.rank != 1:
            raise ValueError("a feature whose length differs has one dimension; write `int64[<=8]`")
        return {**fields, "kind": "variable", "max": tensor.shape[0].most}


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

    def inspect(self, scope: Scope) -> Inspected:
        """Return what headers and records say.

        Raises:
            Fault: a file is missing or damaged; a feature is missing or not what the spec says.
        """
        files = find_files(self.path, scope)
        wanted = tuple(self._wanted())
        survey = Survey(wanted)
        scans = list(self._scan(files, survey, scope))
        complete = len(scans) == len(files) and all(one.complete for one in scans)
        notes = [*_damages(scans, scope)]
        if self.compression == "none":
            _parse_sample(scans, survey)
        count = sum(len(one.offsets) for one in scans)
        if complete and count == 0:
            raise Fault("SD403", "the files have no records", ("path",), help="name files with records")
        parsed = complete and survey.records == count
        evidence: Evidence = "measured" if parsed else "sampled"
        if not parsed:
            total = f"of {count} records" if complete else "records; not all could be counted"
            notes.append(f"{survey.records} {total} were parsed")
        notes += self._faults(survey, scope)
        features = tuple(self._parsed(one, survey.seen[one.name], evidence) for one in wanted)
        node = ParseExample(features, any(one.kind == "sequence" for one in wanted))
        root = self._root(files, scans, complete, survey)
        return Inspected(root, (node,), fingerprint(files), files, tuple(notes))

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
            key = one.key or name
            if keys.setdefault(key, name) != name and one.kind != "ragged":
                message = f"`{keys[key]}` and `{name}` read the same feature `{key}`"
                raise Fault("SD105", message, at, help="read it once, and copy it with `{from: ...}`")
            _check_fields(one, at)
            splits = one.row_splits is not None
            yield Wanted(
                name,
                key,
                one.kind,
                one.dtype,
                one.shape,
                one.default is not None or one.kind == "variable",
                ("row_splits" if splits else "row_lengths") if one.kind == "ragged" else None,
                one.row_splits or one.row_lengths or "",
                None if one.kind == "ragged" else one.max,
                one.max_bytes,
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

            yield scan(path, self.compression, budget, keep)

    def _root(
        self, files: tuple[str, ...], scans: Sequence[Scan], complete: bool, survey: Survey
    ) -> TfrecordRoot:
        largest = max(one.largest for one in scans)
        places = None
        if complete:
            places = Places("record", paths=files)
            for number, one in enumerate(scans):
                places.add_run(number, 0, len(one.offsets))
        count = self.count if places is None else places.count
        if places is not None and self.count not in (None, places.count):
            message = f"`count` says {self.count} records, and the files have {places.count}"
            raise Fault("SD404", message, ("count",), help="remove `count`")
        evidence: Evidence = "measured" if complete else "sampled"
        counted: Evidence = "declared" if places is None and self.count is not None else evidence
        return TfrecordRoot(files, self.compression, self.buffer, largest, evidence, places, count, counted)

    def _faults(self, survey: Survey, scope: Scope) -> Iterator[str]:
        """Report what does not fit the spec; under `on_error: skip`, yield what will be left out."""
        if survey.broken:
            yield from _bad(survey.broken, survey.records, ("path",), scope)
        readable = survey.records - len(survey.broken)
        for one in survey.wanted:
            seen = survey.seen[one.name]
            wrong = _wrong_spec(one, seen, survey) if readable else None
            if wrong is not None:
                scope.fault(wrong)
            elif seen.bad:
                yield from _bad(seen.bad, survey.records, ("features", one.name), scope)

    def _parsed(self, one: Wanted, seen: Seen, evidence: Evidence) -> Parsed:
        feature = self.features[one.name]
        default = _default(feature, one)
        tensor = Tensor(one.dtype, tuple(Dim.exactly(size) for size in one.shape))
        if one.kind in ("variable", "sequence"):
            tensor = replace(tensor, shape=(bound(one.most, seen.most, evidence), *tensor.shape))
        elif one.kind == "ragged":
            rows = bound(feature.max_rows, seen.rows, evidence)
            tensor = replace(
                tensor, shape=(rows, bound(feature.max, seen.longest_row, evidence)), ragged_rank=1
            )
        if one.dtype == "string":
            longest = max([seen.longest, *(len(_bytes(value)) for value in default or ())])
            tensor = replace(tensor, length=bound(one.max_bytes, longest, evidence))
            tensor = replace(tensor, encoded=_encoded(feature, seen, evidence))
        return Parsed(
            one.name, one.key, one.kind, tensor, default, one.partition or "row_lengths", one.partition_key
        )


def _check_fields(one: Feature, at: Path) -> None:
    """Raise a fault for fields that do not go together."""
    takes = {
        "fixed": {"shape", "default"},
        "variable": {"max"},
        "ragged": {"max", "max_rows", "row_lengths", "row_splits"},
        "sequence": {"shape", "max"},
    }[one.kind]
    strings = {"max_bytes", "max_size"} if one.dtype == "string" else set[str]()
    for field in sorted(one.model_fields_set - takes - strings - {"dtype", "kind", "key"}):
        if getattr(one, field) is None:
            continue
        message = f"a {one.kind} feature of {one.dtype} takes no `{field}`"
        raise Fault("SD103", message, (*at, field), help=f"remove `{field}`, or choose another `kind`")
    if one.kind == "ragged" and (one.row_lengths is None) == (one.row_splits is None):
        message = "a ragged feature names either `row_lengths` or `row_splits`"
        raise Fault("SD104", message, at, help="add the key of the feature that has its rows")


def _default(feature: Feature, one: Wanted) -> tuple[Any, ...] | None:
    if feature.default is None:
        return None
    at: Path = ("features", one.name, "default")
    size = prod(one.shape)
    given: Any = feature.default
    values = tuple(given) if isinstance(given, tuple) else (given,) * size
    if len(values) != size:
        raise Fault("SD203", f"`default` has {len(values)} values, and the shape {size}", at)
    wanted = {"string": (str,), "int64": (int,), "float32": (int, float)}[one.dtype]
    for value in values:
        if not isinstance(value, wanted):
            raise Fault("SD105", f"the `default` of a feature of {one.dtype} is not `{value}`", at)
        if one.dtype == "string" and one.max_bytes is not None and len(_bytes(value)) > one.max_bytes:
            raise Fault("SD105", f"`default` is longer than `max_bytes`, {one.max_bytes}", at)
        if one.dtype == "int64" and not -(2**63) <= value < 2**63:
            raise Fault("SD105", f"`default` does not fit int64: `{value}`", at)
    return values


def _bytes(value: Any) -> bytes:
    return str(value).encode("utf-8", "surrogateescape")


def _encoded(feature: Feature, seen: Seen, evidence: Evidence) -> Encoded | None:
    if feature.max_size is None:
        return seen.encoded(evidence)
    height, width = feature.max_size
    formats = frozenset(seen.formats) if seen.images and evidence == "measured" else frozenset[str]()
    return Encoded(Dim.at_most(height, "declared"), Dim.at_most(width, "declared"), formats)


def _parse_sample(scans: Sequence[Scan], survey: Survey) -> None:
    """Parse every record of uncompressed files where there are few, else some, evenly spaced."""
    records = sum(len(one.offsets) for one in scans)
    total = sum(sum(one.lengths) for one in scans)
    step = 1 if records <= PARSED and total <= PARSED_BYTES else max(1, records // SAMPLED)
    left, number = PARSED_BYTES, 0
    for one in scans:
        with open(one.path, "rb", buffering=0) as file:
            for record in range(-number % step, len(one.offsets), step):
                length, offset = one.lengths[record], one.offsets[record]
                if length > left:
                    continue
                left -= length
                data = os.pread(file.fileno(), length, offset + HEADER.size)
                survey.add(data, f"{one.path} record {record}, byte {offset}")
        number += len(one.offsets)


def _damages(scans: Sequence[Scan], scope: Scope) -> Iterator[str]:
    """Yield what is lost under `on_error: skip`.

    Raises:
        Fault: a file is damaged, and bad data is not left out.
    """
    damages = [one.damage for one in scans if one.damage is not None]
    if not damages:
        return
    if scope.on_error != "skip":
        rest = tuple(str(one) for one in damages[1:FIRST])
        raise replace(damages[0], at=("path",), notes=(*damages[0].notes, *rest))
    for one in damages:
        yield f"{one}; what follows in that file is left out, and not counted"


def _wrong_spec(one: Wanted, seen: Seen, survey: Survey) -> Fault | None:
    """Return a fault where no record at all is what the spec says."""
    at: Path = ("features", one.name)
    if one.key not in survey.keys and not one.optional:
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


def _bad(bad: Sequence[tuple[str, str]], records: int, at: Path, scope: Scope) -> Iterator[str]:
    """Report bad records; under `on_error: skip`, yield that they will be left out."""
    if scope.on_error == "skip" and len(bad) < records:
        yield f"{len(bad)} of {records} parsed records will be left out: {bad[0][0]} {bad[0][1]}"
        return
    notes = tuple(f"{where} {reason}" for where, reason in bad[1:FIRST])
    way_out = "mend the data; or `runtime: {on_error: skip}` leaves bad records out"
    scope.fault(Fault("SD404", f"{bad[0][0]} {bad[0][1]}", at, notes=notes, help=way_out))
