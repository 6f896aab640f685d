"""`range`: integers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from safedata.sources.range import Range
from tests.sources.records import look, run


@pytest.mark.tf
def test_it_counts_from_zero(tf: Any, tmp_path: Path) -> None:
    """The elements are 0 up to count, each within the inferred range."""
    assert [int(row["value"]) for row in run(tf, look(Range, tmp_path, count=4))] == [0, 1, 2, 3]
    assert run(tf, look(Range, tmp_path, count=0)) == []
