"""What operations hold for ragged batches, measured in a fresh process, against their bounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from safedata.types import Dim, Tensor
from tests.fresh import printed
from tests.proc import ONLY_LINUX

NOISE = 512 * 1024
"""Bytes that a process takes or gives between two measurements."""


@pytest.mark.slow
@pytest.mark.tf
@ONLY_LINUX
def test_measured_is_below_the_bound() -> None:
    """No operation of the list takes more for a ragged batch than workspace and result are bounded to, or a fifth."""
    lines = printed(Path(__file__).with_name("measure_ragged.py"))
    assert len(lines) > 25
    assert [text for used, bound, text in lines if used > bound + NOISE] == []
    assert [text for used, bound, text in lines if used + NOISE < bound / 5] == []


def test_a_row_has_two_splits() -> None:
    """A row of a ragged batch counts its entries, and not a split for each of them."""
    row = Tensor("uint8", (Dim.at_most(1000),), ragged_rank=1)
    assert row.bytes == 1000 + 16
    assert row.with_leading(Dim.at_most(4)).bytes == 4 * 1000 + 8 * 5
    rows = Tensor("uint8", (Dim.at_most(1000), Dim.at_most(50)), ragged_rank=2)
    assert rows.bytes == 50_000 + 16 + 8 * 1001
