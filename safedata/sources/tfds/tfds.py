"""`tfds`: a prepared TensorFlow Datasets directory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, cast

from pydantic import Field, NonNegativeInt, PositiveInt

from safedata.fields import Size
from safedata.internal.parse_example import ParseExample
from safedata.problem import Fault, Path, did_you_mean
from safedata.scope import Scope
from safedata.sources._chosen import Chosen, chosen
from safedata.sources._fingerprint import fingerprint
from safedata.sources._interleave import Interleave, in_turn
from safedata.sources._listing import local
from safedata.sources._records import Places
from safedata.sources.base import Inspected, Source
from safedata.sources.tfds._graph import Restore, TfdsRoot
from safedata.sources.tfds._info import Leaf, Piece, leaves_of, pieces_of, read_json, splits_of
from safedata.sources.tfrecord._reader import TfrecordRoot
from safedata.sources.tfrecord.tfrecord import Tfrecord
from safedata.types import Dim, Tensor

if TYPE_CHECKING:
    from safedata.sources._shelf import Work

_STORED = {"string": "string", "float16": "float32", "bfloat16": "float32", "float64": "float32"}
"""The dtype that records have in place of a feature's own; float32 as it is, and int64 for all others."""


class Tfds(Source):
    """Records of a dataset that TensorFlow Datasets has prepared, of one split or part of one, in order.

    Only `dataset_info.json`, `features.json` and the TFRecord files are read: the dataset's code does not run, and the
    package need not be installed. A feature inside others gets its path as a name, `objects_bbox`. Images stay encoded:
    `decode_image` in a `map` decodes them. Bounds come from the records, as for `tfrecord`.
    """

    example: ClassVar[str] = 'tfds: {path: "~/tensorflow_datasets/mnist/3.0.1", split: "train[:80%]"}'
    main: ClassVar[str | None] = "path"

    path: str
    """The folder of the dataset's version, the one with `dataset_info.json`."""
    split: str = "train"
    """A split, part of one, or several: `train`, `train[:80%]`, `train[100:]+test`, `all`."""
    features: Chosen = None
    """The features to read, or for each component its feature: `{box: objects/bbox}`. All of them unless said."""
    max: dict[str, NonNegativeInt] = Field(default_factory=dict)
    """By component, the most entries of a feature whose length differs."""
    max_bytes: dict[str, Size] = Field(default_factory=dict)
    """By component, the longest text or encoded image, as a size."""
    max_size: dict[str, Annotated[tuple[PositiveInt, PositiveInt], Field(strict=False)]] = Field(
        default_factory=dict
    )
    """By component, the largest height and width of encoded images."""
    interleave: Interleave | None = None
    """Take turns between this many shards, `8` or `{cycle: 8, block: 16}`; one after the other unless said."""

    def inspect(self, scope: Scope) -> Inspected:
        """Return what the directory's JSON files and its records say.

        Raises:
            Fault: it is no prepared dataset, or in a form that is not read; a split or a feature is missing.
        """
        folder, leaves, pieces = self._read(scope)
        records = self._records(leaves, pieces)
        inner = _elsewhere(scope)
        try:
            found = records.inspect(inner)
        except Fault as fault:
            raise replace(fault, at=_at(fault.at, leaves)) from None
        base = cast("TfrecordRoot", found.root)
        self._check_count(base, pieces, scope, folder)
        root = _root(base, pieces)
        [node] = found.then
        restore = tuple(_restored(cast("ParseExample", node), leaves))
        then = (node, Restore(restore)) if restore else (node,)
        digest = fingerprint([*found.files, *(f"{folder}/{name}" for name in _JSON)])
        turns = in_turn(root, self.interleave)
        return Inspected(turns, then, digest, found.files, found.notes, found.declare)

    def to_measure(self, scope: Scope) -> tuple[Work, ...]:
        """Return the shards, where a check parses a sample of their records."""
        _, leaves, pieces = self._read(scope)
        return self._records(leaves, pieces).to_measure(scope)

    def _read(self, scope: Scope) -> tuple[str, dict[str, Leaf], list[Piece]]:
        """Return the folder, each component's feature, and the records that the split names."""
        folder = local(self.path, scope)
        info = read_json(folder, "dataset_info.json")
        leaves = self._leaves(leaves_of(read_json(folder, "features.json"), folder))
        self._check_fields(leaves)
        return folder, leaves, pieces_of(self.split, splits_of(info, folder))

    def _leaves(self, known: Mapping[str, Leaf | str]) -> dict[str, Leaf]:
        made: dict[str, Leaf] = {}
        for name, path, at in chosen("features", self.features, known, _named):
            found = known.get(path)
            if found is None:
                below = [one for one in known if one.startswith(path + "/")]
                way_out = (
                    f"name what is in it: {', '.join(map('`{}`'.format, below))}"
                    if below
                    else did_you_mean(path, known, what="features")
                )
                raise Fault("SD201", f"there is no feature `{path}`", at, help=way_out[:300])
            if isinstance(found, str):
                others = ", ".join(one for one, leaf in known.items() if isinstance(leaf, Leaf))
                way_out = f"name the others: `features: [{others}]`"[:300]
                raise Fault("SD413", f"the feature `{path}` is not read: {found}", at, help=way_out)
            made[name] = found
        return made

    def _check_fields(self, leaves: Mapping[str, Leaf]) -> None:
        for field in ("max", "max_bytes", "max_size"):
            for name in getattr(self, field):
                if name not in leaves:
                    known = did_you_mean(name, leaves, what="components")
                    raise Fault("SD201", f"there is no component `{name}`", (field, name), help=known)
                leaf = leaves[name]
                takes = {
                    "max": None in leaf.shape,
                    "max_bytes": leaf.dtype == "string",
                    "max_size": leaf.image,
                }
                if not takes[field]:
                    raise Fault("SD103", f"`{name}` takes no `{field}`", (field, name), help="remove it")

    def _records(self, leaves: Mapping[str, Leaf], pieces: Sequence[Piece]) -> Tfrecord:
        """Return the source over the shards' records."""
        shards = list(dict.fromkeys(path for piece in pieces for path in piece.shards))
        features = {name: self._feature(name, leaf) for name, leaf in leaves.items()}
        return Tfrecord.model_validate({"path": shards, "features": features})

    def _feature(self, name: str, leaf: Leaf) -> dict[str, Any]:
        dtype = _STORED.get(leaf.dtype, leaf.dtype if leaf.dtype == "float32" else "int64")
        made: dict[str, Any] = {"dtype": dtype, "key": leaf.path}
        if leaf.shape[:1] == (None,):
            most = self.max.get(name)
            inner = prod(size or 0 for size in leaf.shape[1:])
            made |= {"kind": "variable", "max": None if most is None else most * inner}
        else:
            made["shape"] = list(leaf.shape)
        if name in self.max_bytes:
            made["max_bytes"] = f"{self.max_bytes[name]} B"
        if name in self.max_size:
            made["max_size"] = self.max_size[name]
        return made

    def _check_count(self, root: TfrecordRoot, pieces: Sequence[Piece], scope: Scope, folder: str) -> None:
        said = dict(pair for piece in pieces for pair in zip(piece.shards, piece.lengths, strict=True))
        count = sum(said.values())
        if root.places is not None and root.count != count and scope.on_error != "skip":
            what = f"the files have {root.count} records, and `dataset_info.json` says {count}"
            raise Fault("SD404", what, ("path",), notes=(f"in {folder}",), help="prepare the dataset again")


_JSON = ("dataset_info.json", "features.json")


def _named(path: str) -> str:
    """Return the name of a feature's component."""
    return path.replace("/", "_")


def _at(at: Path, leaves: Mapping[str, Leaf]) -> Path:
    """Return where in this source's fields a fault of its records lies."""
    bounds = {"max", "max_bytes", "max_size"}
    if len(at) == 3 and at[0] == "features" and at[2] in bounds and at[1] in leaves:
        return (at[2], at[1])
    return ("path",)


def _elsewhere(scope: Scope) -> Scope:
    """Return the scope whose faults, of records, are reported where the data is named."""
    report = scope.report
    if report is None:
        return scope

    def at_path(fault: Fault) -> None:
        report(replace(fault, at=("path",)))

    return replace(scope, report=at_path)


def _root(base: TfrecordRoot, pieces: Sequence[Piece]) -> TfdsRoot:
    files = tuple(path for piece in pieces for path in piece.shards)
    lengths = tuple(length for piece in pieces for length in piece.lengths)
    places = Places("record", paths=files)
    made: list[tuple[TfrecordRoot, int, int]] = []
    for piece in pieces:
        own = Places("record", paths=piece.shards)
        left, skip = piece.take, piece.skip
        for number, length in enumerate(piece.lengths):
            own.add_run(number, 0, length)
            count = min(left, length - skip)
            places.add_run(len(places.starts), skip, count)
            left, skip = left - count, 0
        root = replace(base, files=piece.shards, places=own, count=own.count)
        made.append((root, piece.skip, piece.take))
    return TfdsRoot(tuple(made), files, lengths, places)


def _restored(node: ParseExample, leaves: Mapping[str, Leaf]) -> Iterator[tuple[str, Tensor]]:
    """Yield the components whose dtype or dimensions differ from those that records have."""
    for one in node.features:
        leaf, tensor = leaves[one.name], one.tensor
        shape = tensor.shape
        if one.kind == "variable" and len(leaf.shape) > 1:
            inner = tuple(Dim.exactly(size or 0) for size in leaf.shape[1:])
            most, each = shape[0].most, max(1, prod(size or 0 for size in leaf.shape[1:]))
            rows = replace(shape[0], most=None if most is None else most // each)
            shape = (rows, *inner)
        if leaf.dtype != tensor.dtype or shape != tensor.shape:
            yield one.name, replace(tensor, dtype=leaf.dtype, shape=shape)
