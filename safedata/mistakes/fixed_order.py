"""SD610: training in the order of the source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from safedata.mistakes._evaluation import evaluates
from safedata.mistakes.base import MATTERS, Finding, Line, Mistake, hardly_mixes, which_holds
from safedata.sources.base import Source
from safedata.stages.shuffle import Shuffle

_NO_ORDER: Final = ("range", "synthetic")
"""Sources whose elements are made, not stored."""


class FixedOrder(Mistake):
    """A spec that draws or repeats is one for training, and its elements come in the same order every epoch."""

    code: ClassVar[str] = "SD610"

    def find(self, line: Line) -> Iterator[Finding]:
        """Yield the source of a spec for training that shuffles nothing, or a few batches at a time.

        Of many batches, and of single elements, other mistakes say enough.
        """
        source = line.plan.program.source
        marks = [step for step in line.steps if step.stage.random or step.key == "repeat"]
        stream = line.plan.source.after
        count = stream.cardinality.most
        shuffles = [step for _, step in line.of("shuffle")]
        if not all(step.before.batch_dims and hardly_mixes(step) for step in shuffles):
            return
        if not marks or evaluates(line) or _shuffles(source) or (count is not None and count <= 1):
            return
        classes = (
            source.key() == "image_folder"
            and "label" in line.plan.inspected.root.infer(line.plan.scope).element
        )
        files = line.origin.reorders
        what = (
            "files come in another order in each epoch, the elements of each in the same one"
            if files
            else "every epoch has the order of the source"
        )
        notes = ("the files of one subfolder follow one another, so nearly every batch is of one class",)
        yield Finding(
            None,
            f"training without `shuffle`{' of elements' if shuffles else ''}: {what}",
            "within a file the same order in every epoch" if files else "the same order in every epoch",
            _way_out(line),
            notes if classes else (),
            ((marks[0], "so this is training"),),
        )


def _shuffles(source: Source) -> bool:
    """Return whether a source has no stored order: of one that combines others, one of them is enough."""
    if source.key() in _NO_ORDER or any(getattr(source, said, False) for said in ("shuffle", "random")):
        return True
    inputs: Mapping[str, Any] = getattr(source, "inputs", {}) if source.combines else {}
    return any(
        _shuffles(one.source) or any(isinstance(step.stage, Shuffle) for step in one.steps)
        for one in inputs.values()
    )


def _way_out(line: Line) -> str:
    """Return where to shuffle, with all elements where that costs little, else as many as mix well."""
    stream = line.plan.source.after
    whole = Shuffle.model_construct(buffer="all")
    size = line.held(whole, stream) if stream.cardinality.finite else None
    if size is not None and size <= MATTERS:
        return f"put `shuffle: all` first{which_holds(size)}"
    some = Shuffle.model_construct(buffer=10_000)
    return f"put `shuffle: 10_000` first{which_holds(line.held(some, stream))}"
