"""`parse_example`: the features of a serialized example, each a component."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final

from pydantic import Field, model_validator
from typing_extensions import Self

from safedata.examples.feature import ROWS, STEPS, Feature, check_feature, default_of, encode
from safedata.examples.parsing import (
    Parsed,
    found_whole,
    framed,
    parsed_batch,
    parsed_named,
    parsing_batch_bytes,
    parsing_bytes,
)
from safedata.lowering import Call
from safedata.memory import add, times
from safedata.ops.base import Joint
from safedata.problem import Fault
from safedata.types import Dim, Encoded, Tensor

_LEAST: Final = {"int64": 1, "float32": 4, "string": 2}
"""Bytes that one value of each dtype takes in an example at least; a string has its tag and its length.

Source: https://protobuf.dev/programming-guides/encoding/."""
_STEP: Final = 2
"""Bytes that one step of a sequence takes at least: its tag and its length."""


class ParseExample(Joint):
    """Take the features of a serialized `tf.train.Example` apart, as `tf.io.parse_example` does.

    `image, label: [{from: record}, {parse_example: {features: {image: string, label: int64}}}]`: the chain names as
    many components as there are features, in their order. A record without a feature that has no default, or that is no
    example, is an error. For whole TFRecord files take the source `tfrecord`, which finds bounds in the data: here a
    variable feature has at most as many values as the record has bytes for, unless `max` says less.

    Of a batch of records variable features become ragged rows, which `to_dense` pads. That takes a fraction of the time
    of its records one by one, so put the map behind `batch`.
    """

    example: ClassVar[str] = "{parse_example: {features: {label: int64}}}"
    main: ClassVar[str | None] = "features"
    fallible: ClassVar[bool] = True
    sequence: ClassVar[bool] = False
    """Whether records are `SequenceExample`s."""

    features: Annotated[dict[str, Feature], Field(min_length=1)]
    """The features in the order of the components, each under its key in the example unless it says `key`;
    `label: int64` and `box: float32[4]` are short for fixed ones, `tokens: int64[<=8]` for a variable one."""

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        keys: dict[str, str] = {}
        for name, one in self.features.items():
            check_feature(name, self.features, keys)
            default_of(one, name)
            if one.kind in STEPS and not self.sequence:
                problem = f"an example has no steps, and `{name}` is a sequence"
                raise Fault(
                    "SD105", problem, ("features", name, "kind"), help="write `parse_sequence_example`"
                )
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The features, in order."""
        return tuple(self.features)

    @property
    def rows(self) -> bool:
        """Whether it makes ragged components of a batch."""
        return any(one.kind != "fixed" for one in self.features.values())

    def ragged_rows(self) -> tuple[bool, ...]:
        """Return which of the results have a row for each element of a batch."""
        return tuple(one.kind != "fixed" for one in self.features.values())

    def check_batch(self, x: Tensor) -> None:
        """Raise SD207 for features that are ragged in one record already."""
        for name, one in self.features.items():
            if one.kind in ROWS:
                problem = (
                    f"the rows of `{name}` differ in length in each record, and this is a batch of records"
                )
                raise Fault("SD207", problem, ("features", name), help="put this map before `batch`")

    def infer_all(self, xs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the features' types."""
        if len(xs) != 1 or xs[0].rank:
            problem = f"`{self.key()}` takes one record, not " + " and ".join(str(x) for x in xs)
            raise Fault(
                "SD203" if len(xs) == 1 else "SD216",
                problem,
                help="start the chain from one: `{from: record}`",
            )
        self.require(xs[0], "string")
        return tuple(one.tensor for one in self._parsed(xs[0]))

    def workspace_all(self, xs: tuple[Tensor, ...], ys: tuple[Tensor, ...]) -> int | None:
        """Return what parsing takes beside the record and the results: the record once more, and the parser's."""
        return add(xs[0].bytes, parsing_bytes(self._parsed(xs[0])))

    def batch_workspace_all(self, xs: tuple[Tensor, ...], ys: tuple[Tensor, ...], count: int) -> int | None:
        """Return the same for a batch of so many records."""
        return add(times(count, xs[0].bytes), parsing_batch_bytes(self._parsed(xs[0]), count, self.sequence))

    def lower_all(self, values: tuple[Any, ...], call: Call, xs: tuple[Tensor, ...]) -> tuple[Any, ...]:
        """Return the features of a record, or of each of a batch."""
        features = self._parsed(xs[0])
        if not (call.batch_dims or self.sequence):
            records = found_whole(call.tf, values[0], call.where)
        else:
            records = framed(call.tf, values[0], self.sequence, call.where)
        if call.batch_dims:
            found = parsed_batch(call.tf, records, features, self.sequence, call.where, call.batch_dims)
        else:
            found = parsed_named(call.tf, records, features, self.sequence, call.where)
        return tuple(found[one.name] for one in features)

    def _parsed(self, x: Tensor) -> tuple[Parsed, ...]:
        return tuple(
            Parsed(
                name,
                one.key or name,
                one.kind,
                self._type(name, one, x.length),
                default_of(one, name),
                "row_splits" if one.row_splits is not None else "row_lengths",
                one.row_splits or one.row_lengths or "",
            )
            for name, one in self.features.items()
        )

    def _type(self, name: str, one: Feature, record: Dim) -> Tensor:
        """Return a feature's type; what is not declared is bounded by the bytes of the record."""
        shape = tuple(Dim.exactly(size) for size in one.shape)
        if one.kind == "sequence":
            shape = (self._bound(name, "max", one.max, record, _STEP), *shape)
        elif one.kind != "fixed":
            shape = (self._bound(name, "max", one.max, record, _LEAST[one.dtype]), *shape)
        if one.kind in ROWS:
            step = _STEP if one.kind in STEPS else 1
            shape = (self._bound(name, "max_rows", one.max_rows, record, step), *shape)
        length = Dim(None)
        if one.dtype == "string":
            length = self._length(name, one, record)
        made = Tensor(one.dtype, shape, length, ragged_rank=int(one.kind in ROWS), encoded=_encoded(one))
        beside = sum(len(encode(value)) for value in default_of(one, name) or ())
        return made.of_one(None if record.most is None else max(record.most, beside))

    def _length(self, name: str, one: Feature, record: Dim) -> Dim:
        """Return the bytes of a string, those of the default included."""
        found = self._bound(name, "max_bytes", one.max_bytes, record, 1)
        longest = max((len(encode(value)) for value in default_of(one, name) or ()), default=0)
        return found.join(Dim.at_most(longest))

    def _bound(self, name: str, field: str, said: int | None, record: Dim, least: int) -> Dim:
        """Return the declared bound, else how often `least` bytes are in a record.

        Raises:
            Fault: SD204, nothing bounds it.
        """
        if said is not None:
            return Dim.at_most(said, "declared")
        if record.most is None:
            problem = f"nothing bounds `{name}`: neither `{field}` nor the bytes of the record"
            raise Fault("SD204", problem, ("features", name), help=f"write `{field}` of `{name}`")
        return Dim.at_most(record.most // least, record.evidence)


def _encoded(one: Feature) -> Encoded | None:
    """Return what is declared of the images inside a feature."""
    if one.max_size is None:
        return None
    height, width = one.max_size
    return Encoded(Dim.at_most(height, "declared"), Dim.at_most(width, "declared"))
