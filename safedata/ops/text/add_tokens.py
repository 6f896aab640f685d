"""`add_tokens`: marks at the ends of a sequence."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar

from pydantic import Field, StrictInt, StrictStr, model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.memory import add
from safedata.ops.base import Op
from safedata.ops.tensor.cast import limits
from safedata.problem import Fault
from safedata.types import INTEGERS, Dim, Tensor, ValueRange

Token = StrictInt | StrictStr
Tokens = Token | Annotated[tuple[Token, ...], Field(strict=False)] | None


class AddTokens(Op):
    """Put tokens before and behind a sequence, such as those for its beginning (`bos`) and its end (`eos`).

    The sequence is a vector of whole numbers or of strings, or a ragged row of a batch, and gets longer by as many.
    Each of the two is one token or a list.
    """

    example: ClassVar[str] = "{add_tokens: {bos: 1, eos: 2}}"
    ragged: ClassVar[bool] = True

    bos: Tokens = None
    """What goes before the first entry."""
    eos: Tokens = None
    """What goes behind the last one."""

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self._before and not self._behind:
            raise ValueError("give `bos`, `eos` or both")
        return self

    @property
    def _before(self) -> tuple[Token, ...]:
        return _listed(self.bos)

    @property
    def _behind(self) -> tuple[Token, ...]:
        return _listed(self.eos)

    def infer(self, x: Tensor) -> Tensor:
        """Return the type of the longer vector."""
        self.require(x, *INTEGERS, "string", help="put `vocab_lookup` or `cast` before it")
        if x.rank != 1:
            raise Fault(
                "SD203",
                f"`add_tokens` takes a vector, and this component is {x}",
                help="put `split` or `{reshape: [-1]}` before it",
            )
        tokens = (*self._before, *self._behind)
        for token in tokens:
            _check(token, x)
        shape = (x.shape[0] + Dim.exactly(len(tokens)),)
        if x.dtype == "string":
            length = x.length
            for token in tokens:
                length = length.join(Dim.exactly(len(str(token).encode())))
            made = replace(x, shape=shape, length=length, encoded=None)
            return made.of_one(add(x.text, sum(len(str(token).encode()) for token in tokens)))
        values = x.range
        for token in tokens:
            values = values.join(ValueRange(int(token), int(token))) if values else None
        return replace(x, shape=shape, range=values)

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of the tokens, repeated for each element of a batch."""
        tokens = (*self._before, *self._behind)
        most = max(len(str(token).encode()) for token in tokens)
        row = replace(x, shape=(Dim.exactly(len(tokens)),), length=Dim.exactly(most), ragged_rank=0)
        if not x.ragged_rank:
            return row.bytes
        # All values are put together first, and gathered row by row then: measured 80 to 143 bytes a row beside them.
        return add(row.bytes, y.bytes, 192)

    def lower(self, x: Any, call: Call) -> Any:
        """Return the tokens and the sequence, one behind the other."""
        tf = call.tf
        parts = [self._row(tf, self._before, x, call), x, self._row(tf, self._behind, x, call)]
        made = tf.concat([part for part in parts if part is not None], call.batch_dims)
        if call.x.ragged_rank:
            return made
        return tf.ensure_shape(made, (*x.shape[: call.batch_dims], *call.y.static_shape))

    def _row(self, tf: Any, tokens: tuple[Token, ...], x: Any, call: Call) -> Any:
        if not tokens:
            return None
        row = tf.constant(list(tokens), call.x.dtype)
        leading = tf.reshape(x.nrows(), [1]) if call.x.ragged_rank else call.leading(x)
        return tf.broadcast_to(row, tf.concat([leading, tf.constant([len(tokens)], leading.dtype)], 0))


def _listed(tokens: Tokens) -> tuple[Token, ...]:
    if tokens is None:
        return ()
    return tokens if isinstance(tokens, tuple) else (tokens,)


def _check(token: Token, x: Tensor) -> None:
    """Raise SD202 unless a token is a value of the dtype of `x`."""
    held = None if x.dtype == "string" else limits(x.dtype)
    fits = isinstance(token, str) == (x.dtype == "string")
    if fits and held is not None and not isinstance(token, str):
        fits = held.low <= token <= held.high
    if not fits:
        raise Fault(
            "SD202",
            f"the token `{token}` is not a value of {x.dtype}",
            help="write it as the tokens before it are: text, or a number",
        )
