"""Each page's specs: the first makes the mistake, the last does not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import safedata
from safedata.problem import CODES
from safedata.report.pages import explain

ROOT = Path(__file__).parent.parent.parent
BLOCK = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
MISTAKES = [code for code in CODES if code.startswith("SD6")]


@pytest.mark.parametrize("code", MISTAKES)
def test_the_bad_spec_makes_the_mistake_and_the_good_one_makes_none(code: str) -> None:
    """What a page shows as bad has its code and no other problem; what it shows as good has none."""
    page = explain(code)
    assert page is not None
    bad, good = (
        safedata.check(f"safedata: 1\n{block}", host="256GiB", folder=ROOT / "specs")
        for block in BLOCK.findall(page)
    )
    assert [one.code for one in bad.problems] == [code]
    assert not good.problems
