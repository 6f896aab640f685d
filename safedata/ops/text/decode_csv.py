"""`decode_csv`: a line of comma-separated values as its fields."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, FiniteFloat, model_validator
from typing_extensions import Self

from safedata.insist import Check, either, first_bad, insist
from safedata.lowering import Call
from safedata.ops.base import Joint
from safedata.ops.text._text import blank
from safedata.ops.text.to_number import ToNumber
from safedata.problem import Fault
from safedata.types import STRING_HEAP, STRING_SLOT, Dim, Tensor

_SHOWN = 80
"""Bytes of a bad line that a message shows."""


class DecodeCsv(Joint):
    """Take the fields of a line apart: `name, price: [{from: line}, {decode_csv: [string, float32]}]`.

    As `tf.io.decode_csv` does (RFC 4180): a field in double quotes may have delimiters, line ends and doubled quotes in
    it. A line with another number of fields, or one that is no number of its dtype, is an error (SD404 at run time).
    For whole files, take the source `csv`.
    """

    example: ClassVar[str] = "{decode_csv: [string, int64]}"
    main: ClassVar[str | None] = "dtypes"
    fallible: ClassVar[bool] = True

    dtypes: Annotated[
        tuple[Literal["string", "int32", "int64", "float32", "float64"], ...],
        Field(strict=False, min_length=2, max_length=1000),
    ]
    """The dtype of each field, in order; the chain names as many components."""
    default: Annotated[tuple[FiniteFloat | int | str | None, ...], Field(strict=False)] | None = None
    """What each field becomes that is empty, in order; `null` for a field that has no default."""
    delimiter: Annotated[str, Field(pattern=r"^[ !#-~\t]$")] = ","
    """What stands between two fields: one character of ASCII."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.default is None:
            return self
        if len(self.default) != len(self.dtypes):
            raise ValueError(f"`default` has {len(self.default)} values for {len(self.dtypes)} fields")
        for dtype, value in zip(self.dtypes, self.default, strict=True):
            if isinstance(value, str) != (dtype == "string") and value is not None:
                raise ValueError(f"`default` has `{value}` for a field that is {dtype}")
            if dtype != "string" and value is not None:
                ToNumber.model_validate({"dtype": dtype, "default": value})
        return self

    @property
    def _defaults(self) -> tuple[str | None, ...]:
        """What stands for each empty field, as text."""
        given = self.default or (None,) * len(self.dtypes)
        return tuple(None if one is None else str(one) for one in given)

    def infer_all(self, xs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the fields' types."""
        if len(xs) != 1 or xs[0].rank:
            problem = "`decode_csv` takes one line, not " + " and ".join(str(x) for x in xs)
            code = "SD203" if len(xs) == 1 else "SD216"
            raise Fault(code, problem, help="start the chain from one: `{from: line}`")
        [x] = xs
        self.require(x, "string")
        return tuple(
            Tensor("string", (), _length(x, default)) if dtype == "string" else Tensor(dtype)
            for dtype, default in zip(self.dtypes, self._defaults, strict=True)
        )

    def workspace_all(self, xs: tuple[Tensor, ...], ys: tuple[Tensor, ...]) -> int | None:
        """Return the bytes of all fields as texts, twice: as found, and with their defaults.

        Before, while there are none of them, a line that is no UTF-8 is there with three bytes for each such.
        """
        most = xs[0].length.most
        if most is None:
            return None
        beside = sum(len(one.encode()) for one in self._defaults if one is not None)
        fields = 2 * (len(self.dtypes) * (STRING_SLOT + STRING_HEAP) + most + beside)
        return max(fields, 3 * most) + 4096

    def lower_all(self, values: tuple[Any, ...], call: Call, xs: tuple[Tensor, ...]) -> tuple[Any, ...]:
        """Return the fields of a line, or of each of a batch."""
        tf, [line] = call.tf, values
        fine = self._matched(tf, line)
        bad = first_bad(tf, line, fine)
        message = f"SD404: decode_csv: a line that is not {len(self.dtypes)} fields: got"
        check = Check(tf.reduce_all(fine), message, tf.strings.substr(bad, 0, _SHOWN))
        line = insist(tf, line, [check], call.where)
        fields = tf.io.decode_csv(line, [[""]] * len(self.dtypes), self.delimiter)
        parts = zip(fields, self.dtypes, self._defaults, self.infer_all(xs), strict=True)
        return tuple(_value(one, dtype, default, call.typed(xs[0], y)) for one, dtype, default, y in parts)

    def _matched(self, tf: Any, line: Any) -> Any:
        """Return which lines have the right number of fields; to RE2 bytes that are no UTF-8 match nothing."""
        found = tf.strings.regex_full_match(line, self._pattern)

        def again(found: Any) -> Any:
            readable = tf.strings.unicode_transcode(line, "UTF-8", "UTF-8", errors="replace")
            return found | tf.strings.regex_full_match(readable, self._pattern)

        return either(tf, tf.reduce_all(found), found, tf.identity, again)

    @property
    def _pattern(self) -> str:
        """The pattern of RE2 for a line with the right number of fields."""
        mark = re.escape(self.delimiter)
        field = rf'(?:"(?:[^"]|"")*"|[^"\r\n{mark}]*)'
        return rf"(?s){field}(?:{mark}{field}){{{len(self.dtypes) - 1}}}"


def _length(x: Tensor, default: str | None) -> Dim:
    """Return the bytes of a field that is text."""
    length = blank(x.length)
    return length if default is None else length.join(Dim.at_most(len(default.encode())))


def _value(field: Any, dtype: Any, default: str | None, call: Call) -> Any:
    """Return a field as a value of its dtype, with its default where it is empty."""
    tf = call.tf
    if default is not None:
        field = tf.where(tf.equal(field, ""), tf.constant(default), field)
    return field if dtype == "string" else ToNumber(dtype=dtype).lower(field, call)
