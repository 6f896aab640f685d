"""`hash_bucket`: values as numbers of buckets."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar

from pydantic import Field, NonNegativeInt, PositiveInt

from safedata.lowering import Call
from safedata.memory import times
from safedata.ops._ragged import each
from safedata.ops.base import Op
from safedata.types import INTEGERS, STRING_SLOT, UNBOUNDED, Tensor, ValueRange


class HashBucket(Op):
    """Give each text or whole number the number of a bucket, 0 to `num_buckets` - 1, by its hash.

    Texts are hashed as `tf.strings.to_hash_bucket_fast` does, whole numbers as the text of their digits: the
    numbers are those of `keras.layers.Hashing`. With `salt` it is `tf.strings.to_hash_bucket_strong`, for data in which
    somebody might place values so that they meet. Any shape, ragged too; the result is int64.
    """

    example: ClassVar[str] = "{hash_bucket: 1000}"
    main: ClassVar[str | None] = "num_buckets"
    ragged: ClassVar[bool] = True

    num_buckets: PositiveInt
    """The number of buckets."""
    salt: Annotated[tuple[NonNegativeInt, NonNegativeInt], Field(strict=False)] | None = None
    """Two numbers that the stronger hash starts from, its key."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the same shape with numbers of buckets."""
        self.require(x, "string", *INTEGERS, help="put `as_string` before it")
        values = ValueRange(0, self.num_buckets - 1)
        return replace(x, dtype="int64", length=UNBOUNDED, range=values, kind=None, color=None, encoded=None)

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of whole numbers as text, which lies inside the strings' slots."""
        return 0 if x.dtype == "string" else times(STRING_SLOT, x.elements)

    def lower(self, x: Any, call: Call) -> Any:
        """Return the bucket of each value."""
        return each(call.tf, x, lambda flat: self._hashed(call.tf, flat))

    def _hashed(self, tf: Any, flat: Any) -> Any:
        if flat.dtype != tf.string:
            flat = tf.strings.as_string(flat)
        if self.salt is not None:
            return tf.strings.to_hash_bucket_strong(flat, self.num_buckets, list(self.salt))
        return tf.strings.to_hash_bucket_fast(flat, self.num_buckets)
