"""What functions of Python's hold, measured in processes of their own beside the estimate."""

from __future__ import annotations

from pathlib import Path

import pytest

from safedata.memory import MIB
from tests.external.functions import feed, spec, step
from tests.fresh import peaks
from tests.proc import ONLY_LINUX

IMAGES = 'x: "float32[1024, 1024]"'
SEVERAL = step("big", IMAGES, ", cardinality: {many: 8}").replace("1KiB", "4MiB")
BATCHED = (
    'map: {value: [{call: "mine.feeds:big_batch", returns: {value: "float32[1024, 1024]"}, workspace: 0 B}]}'
)
CASES = {
    "several of one": (spec("range: 10", SEVERAL), 32),
    "several of one, two calls": (spec("range: 10", f"{SEVERAL}\n    parallel: 2"), 64),
    "a batch": (spec("range: 64", "batch: 8", BATCHED), 32),
    "a batch, four calls": (spec("range: 64", "batch: 8", BATCHED + "\n    parallel: 4"), 64),
    "a source": (spec(feed("big_rows", 'x: "float32[1024, 1024, 8]"', "10", "workspace: 0 B")), 32),
}


@pytest.mark.slow
@pytest.mark.tf
@ONLY_LINUX
@pytest.mark.parametrize("name", CASES)
def test_the_peak_is_below_the_estimate(
    name: str, mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that runs a function takes no more than was estimated, and no less than what the function makes."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    text, made = CASES[name]
    found = peaks(text, mine.parent)
    assert found["measured"] <= found["estimate"]
    assert found["measured"] - found["tensorflow"] >= made * MIB
