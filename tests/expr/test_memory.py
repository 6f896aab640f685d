"""What expressions hold, measured in a fresh process, against their bounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fresh import printed
from tests.proc import ONLY_LINUX

NOISE = 512 * 1024
"""Bytes that a process takes or gives between two measurements."""


@pytest.mark.slow
@pytest.mark.tf
@ONLY_LINUX
def test_measured_is_below_the_bound() -> None:
    """No function of this list lets the peak grow by more than intermediates and result are bounded to."""
    lines = printed(Path(__file__).with_name("measure.py"))
    assert len(lines) > 30
    over = [text for used, bound, text in lines if used > bound + NOISE]
    assert over == []
