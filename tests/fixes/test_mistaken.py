"""Fixes and mistakes."""

from __future__ import annotations

import safedata
from safedata.memory import MIB
from safedata.mistakes import mistakes

SPEC = """
safedata: 1
source: {synthetic: {components: {x: "float32[64, 64]"}, count: 5000}}
steps:
  - cache: memory
  - batch: 4096
  - map: {x: [{cast: float64}]}
  - prefetch: 20
"""


def test_a_fix_that_makes_a_mistake_comes_last() -> None:
    """A change after which the spec has a mistake that it had not is ranked behind the others, and says which."""
    whole = safedata.check(SPEC, host="1TiB").places["host"].bytes or 0
    verdict = safedata.check(SPEC, host=f"{whole - 40 * MIB} B")
    assert verdict.plan is not None
    assert "SD614" not in {one.code for one in mistakes(verdict.plan)}
    [problem] = [one for one in verdict.problems if one.code == "SD301"]
    mistaken = ["SD614" in fix.cost for fix in problem.fixes]
    assert mistaken == sorted(mistaken)
    assert True in mistaken
    assert False in mistaken
