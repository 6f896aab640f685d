"""Steps as they are where their elements' types are known: patterns written out, values that may be bad told."""

from __future__ import annotations

from collections.abc import Sequence

from safedata.problem import Fault
from safedata.records import replace
from safedata.scope import Scope, unheard
from safedata.sources.base import Inspected
from safedata.stages._step import Step


def written_out(inspected: Inspected, steps: Sequence[Step], scope: Scope) -> Sequence[Step]:
    """Return the steps behind a source with the components written out that they name by patterns.

    A step whose expressions values may be bad for knows whether those that enter it may be. What stands behind a step
    that cannot be typed is left as it is: the walk over the types reports that step.
    """
    asking = [number for number, step in enumerate(steps) if step.stage.patterned]
    if not asking:
        return steps
    found = list(steps)
    silent = replace(scope, report=unheard)
    try:
        stream = inspected.root.infer(silent)
        for node in inspected.then:
            stream = node.infer(stream, silent)
        for number, step in enumerate(steps[: asking[-1] + 1]):
            stage = step.stage.spelled(stream)
            found[number] = step if stage is step.stage else replace(step, stage=stage)
            stream = stage.infer(stream, silent) if number < asking[-1] else stream
    except Fault:
        return found
    return found
