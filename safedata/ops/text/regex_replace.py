"""`regex_replace`: matches of a pattern, replaced."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Final

from pydantic import field_validator, model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.memory import KIB, MIB
from safedata.ops._ragged import each
from safedata.ops.base import Op
from safedata.ops.text._pattern import longest_result, parse_pattern, parse_rewrite
from safedata.ops.text._text import blank, one_string
from safedata.types import Dim, Tensor

_MOST_STATES: Final = 8 * MIB
"""What RE2 keeps at most of a pattern's states (`RE2::Options::max_mem`, whose default TensorFlow leaves)."""
_FEW_STATES: Final = 256 * KIB
"""The same for a pattern without repeats and alternatives, with a state for each of its characters."""


class RegexReplace(Op):
    r"""Replace what a pattern of RE2 matches, as `tf.strings.regex_replace` does; any shape, ragged too.

    In `rewrite` `\1` is what the first group matched, `\0` all of the match. The bound on the bytes follows from
    the pattern: it grows only if a rewrite can be longer than the shortest match. RE2's syntax:
    no lookarounds and no groups again in the pattern.
    """

    example: ClassVar[str] = "{regex_replace: {pattern: '[^a-z ]', rewrite: ''}}"
    ragged: ClassVar[bool] = True

    pattern: str
    """The pattern, in RE2's syntax."""
    rewrite: str
    """What takes the place of each match."""
    replace_global: bool = True
    """Whether every match is replaced, or the first alone."""

    @field_validator("pattern")
    @classmethod
    def _sound_pattern(cls, text: str) -> str:
        parse_pattern(text)
        return text

    @field_validator("rewrite")
    @classmethod
    def _sound_rewrite(cls, text: str) -> str:
        parse_rewrite(text)
        return text

    @model_validator(mode="after")
    def _groups(self) -> Self:
        groups, named = parse_pattern(self.pattern).groups, parse_rewrite(self.rewrite).highest
        if named > groups:
            raise ValueError(
                f"`rewrite` names group {named}, and the pattern has {groups} group{'s' * (groups != 1)}"
            )
        return self

    def infer(self, x: Tensor) -> Tensor:
        """Return the type with the most bytes that a string can have afterwards."""
        self.require(x, "string")
        if x.length.most is None:
            return replace(x, length=blank(x.length), encoded=None)
        pattern, rewrite = parse_pattern(self.pattern), parse_rewrite(self.rewrite)
        most = longest_result(x.length.most, pattern, rewrite, every=self.replace_global)
        return replace(x, length=Dim.at_most(most, x.length.evidence), encoded=None)

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of one string's copy, twice those of its result while it grows, and RE2's own states."""
        old, new = one_string(x.length.most), one_string(y.length.most)
        states = _MOST_STATES if set(self.pattern) & set("*+?{|") else _FEW_STATES
        return None if old is None or new is None else old + 2 * new + states

    def lower(self, x: Any, call: Call) -> Any:
        """Return the strings of `x` with their matches replaced."""
        return each(
            call.tf,
            x,
            lambda flat: call.tf.strings.regex_replace(flat, self.pattern, self.rewrite, self.replace_global),
        )
