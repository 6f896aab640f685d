"""How many classes there are, for operations that make a vector with a place for each."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from pydantic import NonNegativeInt, PositiveInt, ValidationInfo, model_validator

from safedata.artifacts.shelf import artifacts_of
from safedata.ops.base import Op
from safedata.problem import Fault
from safedata.types import FLOATS, INTEGERS, Tensor


class WithDepth(Op):
    """An operation on class numbers."""

    main: ClassVar[str | None] = "depth"

    depth: PositiveInt | None = None
    """The number of classes; unless given, as many as the type knows of, behind `vocab_lookup` say."""
    artifact: str | None = None
    """A class list or a vocabulary, in place of `depth`: as many as `vocab_lookup` with it has numbers."""
    num_oov_indices: NonNegativeInt | None = None
    """With `artifact`: how many numbers stand for words that are not in it, 1 unless given, as for `vocab_lookup`."""

    @model_validator(mode="before")
    @classmethod
    def _counted(cls, given: object, info: ValidationInfo) -> object:
        if not isinstance(given, dict):
            return given
        fields = dict(cast("dict[str, Any]", given))
        name, unknown = fields.pop("artifact", None), fields.pop("num_oov_indices", None)
        if not isinstance(name, str):
            if unknown is not None:
                raise ValueError("`num_oov_indices` stands beside `artifact`")
            return cast("object", given)
        if fields.get("depth") is not None:
            raise ValueError("`artifact` gives `depth`: leave one of the two out")
        more = 1 if unknown is None else unknown
        if not isinstance(more, int) or isinstance(more, bool) or more < 0:
            return cast("object", given)  # the field says what is wrong with it
        return {**fields, "depth": artifacts_of(info.context).words(name).count + more}

    def classes(self, x: Tensor) -> int:
        """Return the number of classes for class numbers of type `x`.

        Raises:
            Fault: SD202, they are no whole numbers; SD204, nothing says how many there are; SD205, there are more.
        """
        self.require(x, *INTEGERS, help="put `{cast: int64}` before it" if x.dtype in FLOATS else None)
        known = x.range if x.kind != "image" else None
        if self.depth is None:
            if known is None:
                way_out = f"write how many, as in `{{{self.key()}: 10}}`"
                raise Fault("SD204", f"nothing says how many classes `{self.key()}` has", help=way_out)
            return int(known.high) + 1
        if known is not None and known.high >= self.depth:
            problem = f"`{self.key()}: {self.depth}` has no place for class numbers of {known}"
            raise Fault("SD205", problem, help=f"write `{{{self.key()}: {int(known.high) + 1}}}`")
        return self.depth
