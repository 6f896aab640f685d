"""What functions of Python's hold, measured in processes of their own beside the estimate."""

from __future__ import annotations

from pathlib import Path

import pytest

import safedata
from safedata.memory import MIB
from tests.external.functions import ALLOW, feed, spec, step
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


def left_behind(text: str) -> int:
    """Return the bytes that are counted for the arenas of the threads that have called a function."""
    verdict = safedata.check(text, allow=ALLOW, host="64GiB")
    assert verdict.plan is not None, verdict.problems
    return sum(line.hold.bytes or 0 for line in verdict.lines if "leave behind" in line.hold.why)


def test_each_thread_keeps_what_a_function_has_taken() -> None:
    """Its workspace and its array, for the threads beside the one that is in it, and a quarter for holes in all.

    So it is for one element of each, for several, whose room and whose last one count, and for whole batches; a batch
    of more than 32 MiB has pages of its own, but for a smaller last one.
    """
    behind = "\nruntime: {threads: 4}\n"
    image, batch = 4 * MIB, BATCHED.replace("0 B", "4MiB")
    one = step("big", IMAGES).replace("1KiB", "4MiB")
    assert left_behind(spec("range: 10", one, rest=behind)) == 4 * (image + 4 * MIB)
    assert left_behind(spec("range: 10", SEVERAL, rest=behind)) == 4 * (8 * image + image + 4 * MIB)
    with_calls = 3 + 1 + 5 / 4  # those of 4 threads, and the one that hands out the results of parallel calls
    assert left_behind(spec("range: 64", "batch: 4", batch, rest=behind)) == with_calls * (
        4 * image + 4 * MIB
    )
    large = left_behind(spec("range: 64", "batch: 16", batch, rest=behind))
    assert large == with_calls * (32 * MIB + 4 * MIB)
    assert left_behind(spec(feed("big_rows", 'x: "float32[1024, 1024]"'), "take: 9", rest=behind)) > 4 * image


def test_a_function_inside_an_operation_leaves_as_much() -> None:
    """One that is applied at random, or in one of several views, runs on the same threads."""
    call = '{call: "mine.feeds:big_batch", returns: {value: "float32[1024, 1024]"}, workspace: 4MiB}'
    batch = "batch: 4"
    alone = left_behind(spec("range: 64", batch, f"map: {{value: [{call}]}}"))
    chosen = f"map: {{value: [{{random_choice: {{ops: [{call}, {call}]}}}}]}}"
    inside = left_behind(spec("range: 64", batch, chosen))
    assert alone > 0
    assert inside >= alone


def test_large_arrays_have_pages_of_their_own() -> None:
    """An array of more than 32 MiB, always as large, goes back to the system when it is freed."""
    large = step("big", 'x: "float32[4096, 4096]"').replace("1KiB", "0 B")
    assert left_behind(spec("range: 10", large)) == 0


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
