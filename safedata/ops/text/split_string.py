"""`split_string`: a text as the vector of its parts."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PositiveInt, model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.memory import times
from safedata.ops.base import Op
from safedata.ops.text._text import at_most_bytes, blank, first_entries
from safedata.problem import Fault
from safedata.types import STRING_HEAP, STRING_SLOT, Dim, Tensor


class SplitString(Op):
    """Split a text into the vector of its parts: words, what stands between separators, characters or bytes.

    As `tf.strings.split`, `tf.strings.unicode_split` (UTF-8; what is none becomes U+FFFD) and
    `tf.strings.bytes_split` do. All parts together have no more bytes than the text, and there are at most as
    many as these allow, each with 24 bytes of its own: where that bound is loose, give `max_tokens`, behind which
    parts are left out, and `max_bytes`, above which a part is an error (SD501 at run time): parts of up to 22 bytes
    have no block beside that. Of a batch of texts it makes ragged rows.
    """

    example: ClassVar[str] = "split_string"
    main: ClassVar[str | None] = "sep"
    fallible: ClassVar[bool] = True

    sep: Annotated[str, Field(min_length=1)] | None = None
    """What stands between two parts, which may be empty; any whitespace of ASCII unless given."""
    by: Literal["sep", "characters", "bytes"] = "sep"
    """Whether to split at separators, or into characters or bytes."""
    max_tokens: PositiveInt | None = None
    """The number of parts that are kept, the first ones."""
    max_bytes: PositiveInt | None = None
    """The most bytes that a part has."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.by != "sep" and (self.sep is not None or self.max_bytes is not None):
            raise ValueError(f"`by: {self.by}` needs neither `sep` nor `max_bytes`")
        return self

    @property
    def rows(self) -> bool:
        """True: texts have as many parts as they have."""
        return True

    def infer(self, x: Tensor) -> Tensor:
        """Return a vector of strings."""
        self.require(x, "string")
        if x.rank:
            raise Fault("SD203", f"`split_string` takes one text, not {x}", help="put `join` before it")
        count = self._count(x.length)
        if self.max_tokens is not None:
            count = count.capped(self.max_tokens)
        return Tensor("string", (count,), self._length(x.length)).of_one(self._text(x.length))

    def _count(self, length: Dim) -> Dim:
        """Return how many parts there can be."""
        if length.most is None or self.by == "bytes":
            return length
        if self.by == "characters":
            return blank(length)
        if self.sep is None:  # words, with one blank between two
            return Dim.at_most((length.most + 1) // 2, length.evidence)
        return Dim.at_most(length.most // len(self.sep.encode()) + 1, length.evidence)

    def _length(self, length: Dim) -> Dim:
        """Return the bytes of one part: a character of UTF-8 has four at most."""
        if self.by == "bytes":
            return Dim.exactly(1)
        if self.by == "characters":
            return Dim.at_most(4)
        return blank(length) if self.max_bytes is None else blank(length).capped(self.max_bytes, "declared")

    def _text(self, length: Dim) -> int | None:
        """Return the bytes of all parts together; what is no UTF-8 becomes U+FFFD, which has three."""
        return times(3 if self.by == "characters" else 1, length.most)

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of all parts, of their places while they are found, and of their lengths."""
        most, count = x.length.most, self._count(x.length).most
        if most is None or count is None:
            return None
        blocks = 0 if self.by != "sep" else most + STRING_HEAP * (most // 23)
        return count * (STRING_SLOT + 80) + blocks

    def lower(self, x: Any, call: Call) -> Any:
        """Return the parts of `x`."""
        tf = call.tf
        if self.by == "sep":
            made = tf.strings.split(x, self.sep)
        elif self.by == "bytes":
            made = tf.strings.bytes_split(x)
        else:
            made = tf.strings.unicode_split(x, "UTF-8")
        if self.max_tokens is not None:
            made = first_entries(tf, made, self.max_tokens)
        if self.max_bytes is not None:
            made = at_most_bytes(made, call, self.max_bytes, "split_string: bytes of a part")
        return made if call.batch_dims else tf.ensure_shape(made, call.y.static_shape)
