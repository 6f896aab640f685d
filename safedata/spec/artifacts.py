"""The model of `artifacts`: files that were worked out once from data, and how `safedata analyze` makes them."""

from __future__ import annotations

from typing import Annotated, Any, Final, cast

from pydantic import BeforeValidator, ConfigDict, Field, FiniteFloat, TypeAdapter, model_validator
from typing_extensions import Self

from safedata.fields import Int
from safedata.spec.sections import Section


def _names(value: object) -> object:
    """Return one name as a list of one."""
    return cast("object", value) if isinstance(value, (list, tuple)) else [value]


Of = Annotated[tuple[str, ...], BeforeValidator(_names), Field(strict=False, min_length=1)]
"""One component or a list of them."""


class Vocabulary(Section):
    """The values of components with how often they stand there, the most frequent first."""

    of: Of
    """The components whose values are counted, together."""
    top: Annotated[Int, Field(ge=1)] | None = None
    """How many values are kept at most; all unless given."""
    min_count: Annotated[Int, Field(ge=1)] = 1
    """How often a value must stand in the data to be kept."""


class Classes(Section):
    """The values of components, each once, in their order: texts by their bytes, whole numbers by size."""

    of: Of
    """The components whose values are listed, together."""


class Statistics(Section):
    """Numbers about the values of components: mean, deviation, smallest and largest, quantiles."""

    of: Of
    """The components, each for itself."""
    axis: Annotated[int, Field(ge=-1, le=-1)] | None = None
    """`-1` for numbers of each entry of the last dimension, such as a channel; of all values unless given."""
    quantiles: Annotated[Int, Field(ge=2, le=10_000)] | None = None
    """Into how many parts of the same size the values are cut; 4 gives quartiles. No quantiles unless given."""
    missing: FiniteFloat | None = None
    """What stands for a missing value beside NaN; missing values are counted and left out."""

    @model_validator(mode="after")
    def _of_one(self) -> Self:
        if self.axis is not None and self.quantiles is not None:
            raise ValueError("quantiles are those of all values: give `axis` or `quantiles`")
        return self


KINDS: Final[dict[str, type[Vocabulary] | type[Classes] | type[Statistics]]] = {
    "vocabulary": Vocabulary,
    "classes": Classes,
    "statistics": Statistics,
}


class Analyze(Section):
    """What to work out, and from where in the pipeline."""

    vocabulary: Vocabulary | None = None
    """Values by frequency."""
    classes: Classes | None = None
    """Values in order."""
    statistics: Statistics | None = None
    """Numbers about values."""
    after: str | None = None
    """The name of the step to take components behind; unless given, the last one before the artifact is used."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(getattr(self, kind) is not None for kind in KINDS) != 1:
            raise ValueError("`analyze` takes one of `vocabulary`, `classes` and `statistics`")
        return self

    @property
    def kind(self) -> str:
        """Which of the kinds it is."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def work(self) -> Vocabulary | Classes | Statistics:
        """What to work out."""
        return cast("Vocabulary | Classes | Statistics", getattr(self, self.kind))


class Artifact(Section):
    """A file that was worked out from data, or that somebody else has made."""

    path: Annotated[str, Field(min_length=1)]
    """The file, relative to the spec."""
    analyze: Analyze | None = None
    """How `safedata analyze` makes it; a file from elsewhere without it."""


def _short(value: object) -> object:
    """Return `words: vocab.txt` as its long form."""
    return {"path": value} if isinstance(value, str) else value


ARTIFACTS: Final[TypeAdapter[dict[str, Any]]] = TypeAdapter(
    dict[str, Annotated[Artifact, BeforeValidator(_short)]], config=ConfigDict(defer_build=True)
)
"""Validates `artifacts`."""
