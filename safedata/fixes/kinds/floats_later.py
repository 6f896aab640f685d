"""`cast`, `rescale` and `normalize` moved behind the buffers, so that these hold the smaller dtype."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any, Final, NamedTuple, cast

from safedata.chain import Chain
from safedata.change import Changes, MoveOps, MoveStep, SetField
from safedata.fixes.alike import order_changes
from safedata.fixes.apply import entry_path, last_chain
from safedata.fixes.case import AGAIN, FREE, LESS, NOTHING, SLOWER, Case, Proposal
from safedata.program import Step
from safedata.scope import Scope, unheard
from safedata.types import Stream, Tensor

_OPS: Final = ("cast", "rescale", "normalize")
"""Operations that make each value of one value: the same in a batch as in an element."""
_THROUGH: Final = (
    "shuffle",
    "cache",
    "batch",
    "prefetch",
    "take",
    "skip",
    "shard",
    "repeat",
    "unbatch",
    "select",
)
"""Stages that hand the component on as it is."""
_HOLD: Final = ("shuffle", "cache", "batch", "prefetch")
_GPU: Final = ("device", "gpu")
_GPU_COST: Final = "this work and its result move to the GPU; the elements are the same up to rounding"
_Beside = tuple[tuple[str, str | int], ...]
_PLACES: Final = 5
"""Buffers behind which one chain's end is tried."""
_COMPONENTS: Final = 3
"""Chains that are tried, those that grow an element the most."""


class _Tail(NamedTuple):
    """The last operations of a chain, and what they make larger."""

    step: int
    component: str
    last: int
    names: str
    grows: int
    """Bytes that they add to one element."""
    whole: bool
    """Whether the map does nothing else."""


def propose(case: Case) -> Iterator[Proposal]:
    """Yield, for each chain that ends so, the cheapest move of its end behind a buffer that makes the spec fit.

    Where none does, the one that brings it nearest. The values are the same: each is made of one value, by the
    same operations. With a GPU to check for, the move there is tried as well, behind the last batch.
    """
    tails = sorted(_tails(case), key=lambda tail: -tail.grows)
    for tail in tails[:_COMPONENTS]:
        here = list(islice(_places(case, tail), _PLACES))
        on_cpu = [_moved(case, tail, to, beside) for to in here for beside in _beside(case, to)]
        for found in (_best(case, on_cpu), _best(case, list(_on_gpu(case, tail, here)))):
            if found is not None:
                yield found


def _on_gpu(case: Case, tail: _Tail, places: list[int]) -> Iterator[Proposal]:
    """Yield the moves to the GPU, where there is one: behind the batch, the last step that runs on the CPU."""
    keys = [step.stage.key() for step in case.program.steps]
    if not case.machine.gpus:
        return
    if tail.step and keys[tail.step - 1] == "batch" and tail.whole:
        text = f"give the `map` {case.where(tail.step)} a `device: gpu`"
        yield Proposal((SetField(tail.step, *_GPU),), text, _GPU_COST, FREE)
    for to in places:
        if keys[to - 1] == "batch":
            yield _moved(case, tail, to, (_GPU,))


def _best(case: Case, proposals: list[Proposal]) -> Proposal | None:
    """Return the cheapest of those that fit, else the one nearest to it."""
    over = {one: case.over(one.changes) for one in proposals}
    tried = [(one, by) for one, by in over.items() if by is not None]
    fitting = [one for one, by in tried if by <= 0]
    if fitting:
        return min(fitting, key=lambda one: one.rank)
    return min(tried, key=lambda one: one[1])[0] if tried else None


def _moved(case: Case, tail: _Tail, to: int, beside: _Beside) -> Proposal:
    steps = case.program.steps
    passed = [step.stage.key() for step in steps[tail.step + 1 : to]]
    changes: Changes = (MoveOps(tail.step, tail.component, tail.last, to, beside),)
    if tail.whole:
        settings = tuple(SetField(to - 1, key, value) for key, value in beside)
        changes = (MoveStep(tail.step, to - 1), *settings)
    flags = "".join(f", with `{key}: {value}`" for key, value in beside)
    text = f"move {tail.names} of `{tail.component}` behind the `{passed[-1]}` {case.where(to - 1)}{flags}"
    cost, rank = _cost(case, changes, passed, flags)
    return Proposal(changes, text, cost, rank)


def _cost(case: Case, changes: Changes, passed: list[str], flags: str) -> tuple[str, int]:
    verdict = case.tried(changes)
    other = None if verdict is None or verdict.plan is None else order_changes(case.plan, verdict.plan)
    if other is not None:
        return other, LESS
    if "device" in flags:
        return _GPU_COST, FREE
    if "cache" in passed:
        return "this work is done again in each epoch; the elements are the same", AGAIN
    if passed[-1] == "prefetch":
        return "nothing works ahead of it any more; the elements are the same", SLOWER
    if "parallel" in flags:
        return "one batch at a time is worked on; the elements are the same", SLOWER
    return NOTHING, FREE


def _tails(case: Case) -> Iterator[_Tail]:
    planned = case.planned
    for number, step in enumerate(case.program.steps):
        if step.stage.key() != "map" or step.path not in planned or step.stage.gpu is not None:
            continue
        groups = cast("Any", step.stage).groups
        for component in groups[-1]:
            chain = last_chain(step.stage, component)
            tail = None if chain is None else _tail(case, number, component, chain)
            if tail is not None:
                yield tail


def _tail(case: Case, number: int, component: str, chain: Chain) -> _Tail | None:
    """Return the largest end of a chain that can move, None where moving it makes no element smaller."""
    stage = case.program.steps[number].stage
    groups = cast("Any", stage).groups
    first = len(chain.links)
    while first and chain.links[first - 1].op.key() in _OPS:
        first -= 1
    alone = not first and chain.start == component
    whole = alone and len(groups) == 1 and len(groups[-1]) == 1
    if (
        chain.expression is not None
        or not chain.single
        or first == len(chain.links)
        or (alone and len(groups[-1]) == 1 and not whole)
    ):
        return None
    before, after = _ends(case, case.program.steps[number], component, chain, first)
    if before is None or after is None or before >= after:
        return None
    names = " and ".join(_written(case, number, chain, at) for at in range(first, len(chain.links)))
    return _Tail(number, component, len(chain.links) - first, names, after - before, whole)


def _ends(case: Case, step: Step, component: str, chain: Chain, first: int) -> tuple[int | None, int | None]:
    """Return the bytes of the component before the end of its chain, and after it."""
    planned = case.planned[step.path]
    after = planned.after.element.get(component)
    if after is None or after.broken:
        return None, None
    smaller = _typed(planned.before, step, chain, first)
    return (None if smaller is None else smaller.bytes), after.bytes


def _typed(before: Stream | None, step: Step, chain: Chain, first: int) -> Tensor | None:
    """Return the component's type where the end of its chain begins."""
    if before is None:
        return None
    groups = cast("Any", step.stage).groups
    head = {chain.path[-1]: replace(chain, links=chain.links[:first])}
    cut = step.stage.model_copy(update={"groups": (*groups[:-1], head)})
    found = cut.infer(before, Scope("", report=unheard)).element.get(str(chain.path[-1]))
    return None if found is None or found.broken else found


def _written(case: Case, number: int, chain: Chain, at: int) -> str:
    """Return an operation as the spec says it: `cast: float32`."""
    path = (*case.program.steps[number].path, *entry_path(chain, chain.links[at]))
    node = case.program.document.get(path)
    name = chain.links[at].op.key()
    if node is not None and isinstance(node.value, list):
        node = node.value[0] if len(node.value) == 1 else None
    value = node.child(name) if node is not None else None
    scalar = value is not None and not isinstance(value.value, (dict, list))
    return f"`{name}: {value.raw}`" if value is not None and scalar else f"`{name}`"


def _places(case: Case, tail: _Tail) -> Iterator[int]:
    """Yield the places behind each buffer that the component reaches unread, nearest first."""
    steps = case.program.steps
    for at in range(tail.step + 1, len(steps)):
        if not _passes(steps[at], tail.component):
            return
        if steps[at].stage.key() in _HOLD:
            yield at + 1


def _passes(step: Step, component: str) -> bool:
    stage, key = step.stage, step.stage.key()
    if key == "map":
        chains = [(name, chain) for group in cast("Any", stage).groups for name, chain in group.items()]
        return not any(name == component or component in chain.reads for name, chain in chains)
    if key == "filter":
        return component not in stage.needs(frozenset())
    return key in _THROUGH


def _beside(case: Case, to: int) -> Iterator[_Beside]:
    """Yield what may stand beside the new map: nothing, or one call at once behind a batch."""
    yield ()
    if any(step.stage.key() == "batch" for step in case.program.steps[:to]):
        yield (("parallel", 1),)
