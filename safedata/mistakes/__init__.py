"""Mistakes: specs that are sound, fit, and are most likely not what was meant.

One module for each, named like its class. A module is imported only for a spec whose stages stand in an
order in which the mistake can be made, so that a check of a plain spec pays for none of them. A new one is such a
module, its line in `RULES`, and its code in `safedata.problem` with a page whose first spec makes it and whose last
does not.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from safedata.budget import Verdict
from safedata.plan import Plan
from safedata.problem import Path, Problem, Span
from safedata.records import record
from safedata.registry import class_name
from safedata.sources.base import Inspected, Source
from safedata.stages._step import Step

if TYPE_CHECKING:
    from safedata.chain import Chain
    from safedata.mistakes.base import Mistake

_KEPT: Final = "cache|snapshot"
_BATCHED: Final = "batch|padded_batch|ragged_batch|bucket_batch"
WORKS: Final = (
    "map|filter|assert|call|shuffle|unbatch|repeat|window|flatten|concat_and_split|rejection_resample"
)
"""Stages that a training step waits for where they stand behind the last prefetch."""
_RANDOM: Final = "random"
_DEEP: Final = "deep"
_EVALUATION: Final = "evaluation"
_INPUTS: Final = "inputs"
_REORDERED: Final = "reordered"
_SEEDED: Final = "seeded"
_SCALED: Final = "scaled"
_UNMIXED: Final = "unmixed"
_TURNED: Final = "turned"
_WHOLE: Final = "whole"

_BYTES: Final = ("255", "256", "0.0039")
"""How a number is written that scales bytes to 0..1."""

TURNS: Final = frozenset(
    (
        "flip_left_right",
        "flip_up_down",
        "rot90",
        "transpose_image",
        "reverse",
        "center_crop",
        "crop_to_bounding_box",
        "resize_with_crop",
        "resize_with_crop_or_pad",
    )
)
"""Operations that move or cut what an image shows, the same way for each.

Padding is none of them, since networks that lose a border want it of the image alone, and no more is resizing.
"""

MANY: Final = 10
"""Elements kept ready that are many: what two do not hide is work that more only put off."""

RULES: Final[dict[str, tuple[str, ...]]] = {
    "frozen_draws": (f"{_RANDOM}|{_SEEDED}", _KEPT),
    "frozen_order": (f"shuffle|{_REORDERED}", _KEPT),
    "frozen_batches": ("shuffle", _BATCHED, _KEPT),
    "unfinished_cache": ("cache", "take"),
    "repeated_cache": ("repeat", _KEPT),
    "shifting_split": (f"shuffle|{_REORDERED}", "take|skip|split|enumerate"),
    "shuffled_batches": (_BATCHED, "shuffle"),
    "mixed_epochs": ("repeat", "shuffle"),
    "tiny_buffer": ("shuffle",),
    "fixed_order": (_UNMIXED, f"{_RANDOM}|repeat"),
    "shuffled_evaluation": (_EVALUATION, "shuffle"),
    "late_shuffle": ("map", "shuffle"),
    "wide_dtype": ("map", f"shuffle|{_KEPT}"),
    "early_prefetch": ("prefetch", f"{WORKS}|{_KEPT}|{_BATCHED}"),
    "no_prefetch": ("!prefetch", f"{_RANDOM}|repeat|shuffle"),
    "deep_prefetch": (_DEEP,),
    "taken_apart": (_BATCHED, "unbatch", _BATCHED),
    "drawn_apart": (_RANDOM,),
    "left_behind": (f"{_RANDOM}|{_TURNED}",),
    "random_evaluation": (_EVALUATION, _RANDOM),
    "paired_anew": (_INPUTS, f"shuffle|{_REORDERED}"),
    "scaled_twice": (_SCALED,),
    "loaded_whole": (_WHOLE,),
    "read_again": (_INPUTS, "filter"),
}
"""Each module with the stages that must stand in a spec for it to look, in this order.

`|` separates alternatives, `!` says that the stage is nowhere. Ten words are no stages: `random` is a step that
draws, `deep` a prefetch of ten or more, `evaluation` stands first where the spec may be for evaluation, `inputs`
where the elements come through a combinator, `reordered` where the order of the source's files, or of a `mix`, is
another one in each epoch, `seeded` where the source draws its elements, `unmixed` where no shuffle stands before the
first batch, `scaled` a map with an expression that may divide by 255, `turned` one with an
operation of `TURNS`, and `whole` stands where the source loads arrays whole.
"""


def reorders(inspected: Inspected) -> bool:
    """Return whether a source takes its files in another order in each epoch."""
    said = getattr(inspected.root, "said", None)  # of a root over several files that it takes turns between
    return bool(getattr(said, "shuffle", False))


def paths_of(source: Source) -> Iterator[str]:
    """Yield what a source says of where its data is, as it is written: paths, or the split of a data set."""
    split = getattr(source, "split", None)
    said = (split,) if split else (getattr(source, "path", None), *(source.model_extra or {}).values())
    for one in said:
        several = cast("tuple[object, ...]", one) if isinstance(one, (list, tuple)) else (one,)
        yield from (path for path in several if isinstance(path, str))


def fills_up(step: Step) -> bool:
    """Return whether a step fills up the last batch, so that every element is seen once and counted: `pad_last`."""
    return getattr(step.stage, "pad_last", None) is not None


@record(frozen=True, slots=True)
class Origin:
    """A source, and every step that its elements go through: of an input's, those behind the combinator as well."""

    source: Source
    path: Path
    """Of the source's value."""
    inspected: Inspected
    steps: tuple[Step, ...]
    drawn: tuple[int, ...] = ()
    """For each `mix` on the way that draws its inputs, how many of the steps stand behind it."""

    @property
    def reorders(self) -> bool:
        """Whether the source takes its files in another order in each epoch: `interleave` with `shuffle: true`."""
        return reorders(self.inspected)

    @property
    def draws(self) -> bool:
        """Whether the source makes other elements in each epoch: a `call` with a seed."""
        return bool(getattr(self.source, "random", False))


def with_mistakes(verdict: Verdict, plan: Plan) -> Verdict:
    """Return the verdict with the mistakes of its plan among the problems, but for those that the spec accepts."""
    found = tuple(mistakes(plan))
    return replace(verdict, problems=(*verdict.problems, *found)) if found else verdict


def mistakes(plan: Plan) -> Iterator[Problem]:
    """Yield every mistake of a plan, by code, without those in `runtime.accept`.

    A plan with a step that could not be typed yields none: what stands behind it is not known.
    """
    found: dict[tuple[str, str, Span | None], Problem] = {}
    for origin in origins(plan):  # of a combinator's inputs, which share the steps behind it
        for one in _along(plan, origin):
            found.setdefault((one.code, one.message, one.span), one)
    yield from found.values()


def origins(plan: Plan) -> Iterator[Origin]:
    """Yield the ways that elements take through a plan: one, or one for each input of a combinator."""
    program = plan.program
    yield from _of(Origin(program.source, program.source_path, plan.inspected, program.steps))


def _of(origin: Origin) -> Iterator[Origin]:
    parts = origin.inspected.root.parts()
    if not parts:
        yield origin
    draws = getattr(origin.inspected.root, "draws", False) and len(parts) > 1
    drawn = (*origin.drawn, len(origin.steps)) if draws else origin.drawn
    for one in parts:
        said = one.input
        steps = (*said.steps, *origin.steps)
        yield from _of(Origin(said.source, said.source_path, one.inspected, steps, drawn))


def _along(plan: Plan, origin: Origin) -> Iterator[Problem]:
    names = _names(plan, origin)
    wanted = [module for module, order in RULES.items() if _occurs(order, names)]
    if not wanted or {step.path for step in origin.steps} - {step.path for step in plan.steps}:
        return
    from safedata.mistakes.base import Line

    line, accepted = Line(plan, origin), plan.program.runtime.accept
    for module in wanted:
        rule = _load(module)
        if rule.code not in accepted:
            yield from (line.problem(rule, finding) for finding in rule.find(line))


def _names(plan: Plan, origin: Origin) -> list[str]:
    """Return the names of the stages that elements go through, with the words that stand beside them."""
    file = os.path.basename(plan.program.document.root.span.file)
    said = " ".join((str(plan.program.name), file, *paths_of(origin.source))).lower()
    words = any(word in said for word in ("val", "test"))
    names = [_EVALUATION] if words or any(map(fills_up, origin.steps)) else []
    names += [_INPUTS] if plan.inspected.root.parts() else []
    names += [_REORDERED] if origin.reorders or origin.drawn else []
    names += [_SEEDED] if origin.draws else []
    names += [_WHOLE] if getattr(origin.inspected.root, "whole", 0) else []
    names += [_UNMIXED] if _unmixed(origin.steps) else []
    for step in origin.steps:
        key = step.stage.key()
        names.append(key)
        if step.stage.random:
            names.append(_RANDOM)
        if key == "map":
            names += _names_of_map(step)
        buffer = getattr(step.stage, "buffer", None)
        if key == "prefetch" and isinstance(buffer, int) and buffer >= MANY:
            names.append(_DEEP)
    return names


def _unmixed(steps: Sequence[Step]) -> bool:
    """Return whether no single elements are shuffled before the first batch."""
    ends = ("shuffle", *_BATCHED.split("|"))
    return next((key for step in steps if (key := step.stage.key()) in ends), "") != "shuffle"


def _names_of_map(step: Step) -> Iterator[str]:
    """Yield the words for what a map does: a number in an expression that scales bytes, an operation that moves."""
    groups = cast("tuple[dict[str, Chain], ...]", getattr(step.stage, "groups", ()))
    chains = [chain for group in groups for chain in group.values()]
    formulas = (chain.formula for chain in chains)
    if any(one is not None and any(n in one.text for n in _BYTES) for one in formulas):
        yield _SCALED
    if any(op.key() in TURNS for chain in chains for op in chain.ops):
        yield _TURNED


def _occurs(order: Sequence[str], names: Sequence[str]) -> bool:
    """Return whether stages stand among `names` in this order, others between them or not."""
    if any(one[0] == "!" and one[1:] in names for one in order):
        return False
    rest = iter(names)
    return all(any(name in one.split("|") for name in rest) for one in order if one[0] != "!")


def _load(module: str) -> Mistake:
    made = getattr(importlib.import_module(f"safedata.mistakes.{module}"), class_name(module))
    return cast("Mistake", made())
