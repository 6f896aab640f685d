"""A prepared TensorFlow Datasets directory: its features, splits and shards, read from its JSON files alone.

`features.json` and `dataset_info.json` are protocol buffers as JSON: numbers of 64 bits stand there as text.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple, cast

from safedata.problem import Fault, did_you_mean
from safedata.records import record
from safedata.sources._listing import unreadable
from safedata.sources._records import damaged
from safedata.types import DTYPE_BYTES

_TEMPLATE: Final = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
_LARGEST: Final = 64 << 20
"""Bytes of a JSON file that is read; one with very many shards has some megabytes."""
_PART = re.compile(r"(?P<name>[^\[\]+]+?)(?:\[(?P<start>-?[0-9]*)(?P<a>%?):(?P<stop>-?[0-9]*)(?P<b>%?)\])?")


@record(frozen=True, slots=True)
class Leaf:
    """One feature as the records have it."""

    path: str
    """Its key in the records: `objects/bbox`."""
    dtype: str
    shape: tuple[int | None, ...] = ()
    """None for a dimension that differs."""
    image: bool = False


class Piece(NamedTuple):
    """A run of records: all shards of it one after the other, the first ones left out."""

    shards: tuple[str, ...]
    lengths: tuple[int, ...]
    skip: int
    take: int


@record(frozen=True, slots=True)
class Split:
    """The shards of one split."""

    name: str
    shards: tuple[str, ...]
    lengths: tuple[int, ...]

    def piece(self, start: int, stop: int) -> Piece | None:
        """Return the records from `start` up to `stop`, None for none."""
        shards: list[tuple[str, int]] = []
        first = skip = 0
        for path, length in zip(self.shards, self.lengths, strict=True):
            if length and first < stop and start < first + length:
                skip = start - first if not shards and start > first else skip
                shards.append((path, length))
            first += length
        if not shards:
            return None
        paths, lengths = zip(*shards, strict=True)
        return Piece(paths, lengths, skip, stop - start)


def read_json(folder: str, name: str) -> dict[str, Any]:
    """Return the mapping that a JSON file holds.

    Raises:
        Fault: it is missing, cannot be read, or is no mapping.
    """
    path = os.path.join(folder, name)
    try:
        if os.path.getsize(path) > _LARGEST:
            raise damaged(path, "is too large for what it should be", at=("path",))
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except FileNotFoundError:
        below = _versions(folder)
        way_out = f"name the folder of a version: `{os.path.join(folder, below)}`" if below else None
        way_out = way_out or "name the folder that has `dataset_info.json` and `features.json`"
        what = f"`{folder}` has no `{name}`: it is no prepared dataset"
        raise Fault("SD403", what, ("path",), help=way_out) from None
    except OSError as error:
        raise unreadable(path, error) from None
    except (ValueError, RecursionError) as error:
        raise damaged(path, f"is no JSON: {str(error).lower()[:100]}", at=("path",)) from None
    if not isinstance(found, dict):
        raise damaged(path, "is no mapping", at=("path",))
    return cast("dict[str, Any]", found)


def _versions(folder: str) -> str | None:
    """Return the first folder below that has a prepared dataset, relative to this one."""
    for depth in ("", "*"):
        import glob

        pattern = os.path.join(glob.escape(folder), depth, "*", "dataset_info.json")
        for path in sorted(glob.glob(pattern)):
            return os.path.relpath(os.path.dirname(path), folder)
    return None


def splits_of(info: Mapping[str, Any], folder: str) -> dict[str, Split]:
    """Return the splits that `dataset_info.json` names.

    Raises:
        Fault: SD413, their files are no TFRecords; SD404, the file says no splits.
    """
    kind = str(info.get("fileFormat", "tfrecord")).lower()
    if kind not in ("tfrecord", ""):
        what = f"the files are `{kind}`, and only `tfrecord` is read"
        way_out = f"prepare it again: `tfds build {info.get('name', 'NAME')} --file_format=tfrecord`"
        raise Fault("SD413", what, ("path",), help=way_out)
    try:
        found = [_split(one, str(info["name"]), folder) for one in info.get("splits", [])]
    except (KeyError, TypeError, ValueError, AttributeError):
        path = os.path.join(folder, "dataset_info.json")
        raise damaged(path, "does not say which files the splits have", at=("path",)) from None
    if not found:
        raise Fault("SD403", f"`{folder}` has no splits", ("path",), help="prepare the dataset first")
    return {split.name: split for split in found}


def _split(one: Mapping[str, Any], dataset: str, folder: str) -> Split:
    lengths = tuple(int(length) for length in one.get("shardLengths", []))
    if any(length < 0 for length in lengths):
        raise ValueError
    template, name = str(one.get("filepathTemplate") or _TEMPLATE), str(one["name"])
    values = {
        "DATASET": dataset,
        "SPLIT": name,
        "FILEFORMAT": "tfrecord",
        "NUM_SHARDS": f"{len(lengths):05d}",
    }
    shards: list[str] = []
    for number in range(len(lengths)):
        every = {
            **values,
            "SHARD_INDEX": f"{number:05d}",
            "SHARD_X_OF_Y": f"{number:05d}-of-{len(lengths):05d}",
        }
        made = template
        for key, value in every.items():
            made = made.replace(f"{{{key}}}", value)
        if "{" in made:
            raise ValueError
        shards.append(os.path.join(folder, os.path.basename(made)))
    return Split(name, tuple(shards), lengths)


def pieces_of(written: str, splits: Mapping[str, Split]) -> list[Piece]:
    """Return the records that `train`, `train[:80%]` or `train[10:20]+test` name, part by part.

    Percents are rounded to the nearest record, as TensorFlow Datasets does.

    Raises:
        Fault: there is no such split, or the text is no selection.
    """
    pieces: list[Piece] = []
    for part in written.split("+"):
        found = _PART.fullmatch(part.strip())
        if found is None:
            way_out = "write a split, or a part of one: `train`, `train[:80%]`, `train[100:]+test`"
            raise Fault("SD105", f"`{part.strip()}` is no selection of a split", ("split",), help=way_out)
        name = found["name"].strip()
        if name not in splits and name != "all":
            known = did_you_mean(name, splits, what="splits")
            raise Fault("SD201", f"there is no split `{name}`", ("split",), help=known)
        for split in splits.values() if name == "all" and name not in splits else [splits[name]]:
            count = sum(split.lengths)
            start = _bound(found["start"], found["a"], count, 0, part)
            stop = _bound(found["stop"], found["b"], count, count, part)
            piece = split.piece(start, stop) if start < stop else None
            if piece is not None:
                pieces.append(piece)
    if not pieces:
        raise Fault("SD403", f"`{written}` names no records", ("split",), help="name a larger part")
    return pieces


def _bound(text: str | None, percent: str | None, count: int, default: int, part: str) -> int:
    if not text or text == "-":
        return default
    number = int(text)
    if percent:
        if abs(number) > 100:
            raise Fault("SD107", f"`{part}` goes beyond 100%", ("split",), help="write 100% at most")
        number = round(number * count / 100.0)
    elif abs(number) > count:
        raise Fault("SD107", f"`{part}` goes beyond the {count} records of the split", ("split",))
    return max(0, count + number) if number < 0 else min(number, count)


def leaves_of(features: Mapping[str, Any], folder: str) -> dict[str, Leaf | str]:
    """Return each feature by its path; in place of one that is not read, why it is not.

    Raises:
        Fault: `features.json` has no features.
    """
    top = features.get("featuresDict")
    if not isinstance(top, dict):
        path = os.path.join(folder, "features.json")
        raise damaged(path, "has no `featuresDict`: its features have no names", at=("path",))
    return dict(_leaves(features, "", (), 0))


def _leaves(
    one: Any, path: str, outer: tuple[int | None, ...], depth: int
) -> Iterator[tuple[str, Leaf | str]]:
    if not isinstance(one, dict) or depth > 20:
        yield path, "it is nested too deep, or is no feature"
        return
    feature = cast("dict[str, Any]", one)
    inner = feature.get("featuresDict")
    if isinstance(inner, dict):
        parts = cast("dict[str, Any]", inner).get("features", {})
        if not isinstance(parts, dict):
            yield path, "its features are no mapping"
            return
        for name, value in cast("dict[str, Any]", parts).items():
            yield from _leaves(value, f"{path}/{name}" if path else name, outer, depth + 1)
        return
    sequence = feature.get("sequence")
    if isinstance(sequence, dict) and str(feature.get("pythonClassName", ""))[-6:] != ".Video":
        length = _number(cast("dict[str, Any]", sequence).get("length"))
        yield from _leaves(cast("dict[str, Any]", sequence).get("feature"), path, (*outer, length), depth + 1)
        return
    yield path, _leaf(feature, path, outer)


def _number(value: Any) -> int | None:
    """Return a dimension, None for one that differs."""
    try:
        number = int(value)
    except (TypeError, ValueError):
        return None
    return number if number >= 0 else None


def _leaf(feature: Mapping[str, Any], path: str, outer: tuple[int | None, ...]) -> Leaf | str:
    kind = str(feature.get("pythonClassName", "?")).rpartition(".")[2]
    if "classLabel" in feature:
        return _shaped(Leaf(path, "int64", outer))
    if "text" in feature:
        return _shaped(Leaf(path, "string", outer))
    if "image" in feature and kind in ("Image", "LabeledImage"):
        return _shaped(Leaf(path, "string", outer, image=True))
    said = next(
        (feature[one] for one in ("tensor", "boundingBox") if isinstance(feature.get(one), dict)), None
    )
    if said is None:
        return f"it is of the kind `{kind}`"
    encoding = str(said.get("encoding", "none")).lower()
    if encoding not in ("", "none"):
        return f"its values are encoded as `{encoding}`"
    dtype = str(said.get("dtype", "float32"))
    dtype = {"object": "string", "str": "string"}.get(dtype, dtype)
    if (dtype not in DTYPE_BYTES and dtype != "string") or dtype[:7] == "complex":
        return f"its values are {dtype}"
    shape = said.get("shape")
    dimensions = cast("dict[str, Any]", shape).get("dimensions") if isinstance(shape, dict) else None
    return _shaped(Leaf(path, dtype, (*outer, *map(_number, _listed(dimensions)))))


def _listed(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _shaped(leaf: Leaf) -> Leaf | str:
    """Return the feature, or why its dimensions cannot be told from a flat list of values."""
    if None in leaf.shape[1:]:
        return "more than its first dimension differs from record to record"
    return leaf
