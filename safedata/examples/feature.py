"""One feature of serialized examples, as a spec names it."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, model_validator

from safedata.fields import Size
from safedata.problem import Fault, Path
from safedata.typetext import parse_type

Kind = Literal["fixed", "variable", "ragged", "sequence", "ragged_sequence"]
"""How many values a feature has in each record; `Feature.kind` says it of each."""
STEPS: Final = ("sequence", "ragged_sequence")
"""Those that lie in the feature lists of a `SequenceExample`; all others are in its context."""
LISTS: Final = ("variable", "sequence")
"""Those that are a list in each record: their first dimension varies, and no other."""
ROWS: Final = ("ragged", "ragged_sequence")
"""Those that are ragged in one record."""


class Feature(BaseModel):
    """One feature of the examples, and the component that it becomes."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    dtype: Literal["int64", "float32", "string"]
    """What the examples store; cast it in a `map` behind."""
    kind: Kind = "fixed"
    """`fixed`: always `shape`. `variable`: a vector whose length differs. `ragged`: rows whose lengths
    differ. `sequence`: steps of a `SequenceExample`, each of `shape`. `ragged_sequence`: steps of one whose numbers of
    values differ, each a row."""
    key: str | None = None
    """The feature's key in the example; the component's name unless said."""
    shape: Annotated[tuple[NonNegativeInt, ...], Field(strict=False)] = ()
    """Of a fixed feature, or of one step of a sequence; a scalar unless said."""
    default: int | float | str | Annotated[tuple[int | float | str, ...], Field(strict=False)] | None = None
    """What a fixed feature becomes where a record has none."""
    max: NonNegativeInt | None = None
    """Most values of a variable feature, of one row of a ragged one, of one step of a ragged sequence; most steps of a
    sequence."""
    max_rows: NonNegativeInt | None = None
    """Most rows of a ragged feature; most steps of a ragged sequence."""
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


def check_feature(name: str, features: Mapping[str, Feature], keys: dict[str, str]) -> None:
    """Raise a fault for a feature that cannot be read beside the others, or whose fields do not go together.

    Args:
        name: the feature, one of `features`.
        features: all that are read.
        keys: which feature reads each key so far; those of this one are added.
    """
    one, at = features[name], ("features", name)
    # TensorFlow takes one feature in several ragged components, and in no other two
    for part in (one.key or name, one.row_lengths, one.row_splits):
        if part is None:
            continue
        other = keys.setdefault(part, name)
        if other != name and not (one.kind == features[other].kind == "ragged"):
            message = f"`{other}` and `{name}` read the same feature `{part}`"
            raise Fault("SD105", message, at, help="read it once, and copy it with `{from: ...}`")
    _check_fields(one, at)


def _check_fields(one: Feature, at: Path) -> None:
    """Raise a fault for fields that do not go together."""
    takes = {
        "fixed": {"shape", "default"},
        "variable": {"max"},
        "ragged": {"max", "max_rows", "row_lengths", "row_splits"},
        "sequence": {"shape", "max"},
        "ragged_sequence": {"max", "max_rows"},
    }[one.kind]
    strings = {"max_bytes", "max_size"} if one.dtype == "string" else set[str]()
    for field in sorted(one.model_fields_set - takes - strings - {"dtype", "kind", "key"}):
        if getattr(one, field) == type(one).model_fields[field].default:
            continue
        message = f"a {one.kind} feature of {one.dtype} takes no `{field}`"
        raise Fault("SD103", message, (*at, field), help=f"remove `{field}`, or choose another `kind`")
    if one.kind == "ragged" and (one.row_lengths is None) == (one.row_splits is None):
        message = "a ragged feature names either `row_lengths` or `row_splits`"
        raise Fault("SD104", message, at, help="add the key of the feature that has its rows")


_WORDS: Final = {"string": "text", "int64": "a whole number", "float32": "a number"}
"""What a default of a dtype is, in words."""


def default_of(one: Feature, name: str) -> tuple[Any, ...] | None:
    """Return each value of the default of the fixed feature `name`, None where it has none.

    Raises:
        Fault: it does not fit the shape, the dtype or the bound on strings; `at` starts with `features`.
    """
    if one.default is None:
        return None
    at: Path = ("features", name, "default")
    size = prod(one.shape)
    given = one.default
    values: tuple[Any, ...] = given if isinstance(given, tuple) else (given,) * size
    if len(values) != size:
        raise Fault(
            "SD203",
            f"`default` has {len(values)} values, and the shape {size}",
            at,
            help=f"write one value, or {size}",
        )
    takes: dict[str, tuple[type, ...]] = {"string": (str,), "int64": (int,), "float32": (int, float)}
    for value in values:
        fits = isinstance(value, takes[one.dtype])
        if not fits:
            raise Fault(
                "SD105",
                f"the `default` of a feature of {one.dtype} is not `{value}`",
                at,
                help=f"write {_WORDS[one.dtype]}",
            )
        if one.dtype == "string" and one.max_bytes is not None and len(encode(value)) > one.max_bytes:
            raise Fault(
                "SD105",
                f"`default` is longer than `max_bytes`, {one.max_bytes}",
                at,
                help=f"write `max_bytes: {len(encode(value))}`, or a shorter one",
            )
        if one.dtype == "int64" and not -(2**63) <= value < 2**63:
            raise Fault(
                "SD105",
                f"`default` does not fit int64: `{value}`",
                at,
                help="write one of 63 bits and a sign",
            )
    return values


def encode(value: Any) -> bytes:
    """Return text as TensorFlow stores it."""
    return str(value).encode("utf-8", "surrogateescape")
