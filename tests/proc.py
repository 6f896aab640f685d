"""What only Linux tells about a process."""

from __future__ import annotations

import sys

import pytest

ONLY_LINUX = pytest.mark.skipif(
    sys.platform != "linux",
    reason="only Linux keeps a process's peak of resident memory in /proc, and that peak is what is measured",
)
"""For tests that hold a bound against a measured peak."""
