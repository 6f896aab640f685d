"""What batches hold that are filled up or leave in groups, measured in processes of their own beside the estimate."""

from __future__ import annotations

from pathlib import Path

import pytest

import safedata
from safedata.memory import HOST, MIB
from tests.external.functions import spec
from tests.fresh import peaks
from tests.proc import ONLY_LINUX

ROWS = 'synthetic: {components: {x: "uint8[<=300000]", y: "uint8[100000]"}, count: 2003, vary: true}'
EVEN = 'synthetic: {components: {y: "uint8[300000]"}, count: 201}'
BUCKETS = "bucket_batch: {length: x, boundaries: [150000], size: 75, same_bucket_groups: 4"
CASES = {
    "one in the last batch, out of a cache": (
        spec(EVEN, "cache: memory", "batch: {size: 200, pad_last: valid}"),
        90,
    ),
    "padded": (spec(ROWS, "padded_batch: {size: 500, pad_last: valid}"), 200),
    "groups": (spec(ROWS, BUCKETS + "}"), 100),
    "groups, filled up": (spec(ROWS, BUCKETS + ", pad_last: valid}"), 100),
}


@pytest.mark.slow
@pytest.mark.tf
@ONLY_LINUX
@pytest.mark.parametrize("name", CASES)
def test_the_peak_is_below_the_estimate(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process takes no more than was estimated, and no less than the elements that it gathers."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    text, gathered = CASES[name]
    found = peaks(text)
    assert found["measured"] <= found["estimate"]
    assert found["measured"] - found["tensorflow"] >= gathered * MIB


def test_the_element_that_fills_up_is_counted_beside_a_cache() -> None:
    """A memory cache shares its elements with the batch, and the one that fills up is a new one."""

    def held(step: str) -> int:
        verdict = safedata.check(spec(EVEN, "cache: memory", step), host="64GiB")
        found = (line.hold for line in verdict.lines if line.hold.place == HOST)
        return sum(hold.bytes or 0 for hold in found if "gathered" in hold.why)

    assert held("batch: {size: 20, pad_last: valid}") - held("batch: 20") >= 300_000
