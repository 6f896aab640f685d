from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from safedata.report.profile import seconds

if TYPE_CHECKING:
    from tests.cli.conftest import Command


@pytest.mark.tf
def test_a_table_by_step(run: Command, counting: Path) -> None:
    """Each step has a line with its elements and bytes; the rate and the peak stand around them."""
    ran = run("profile", counting, "--batches", "20", "--set", "size=2", "--host", "64GiB")
    assert (ran.status, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0].startswith("counting.yaml: ")
    assert "40 in 20 batches" in lines[0]
    assert any("shuffle (buffer 100, seed 7)" in line and " B" in line for line in lines)
    assert any(line.startswith("  peak of host memory: estimated ") for line in lines)


@pytest.mark.tf
def test_a_profile_as_json(run: Command, counting: Path) -> None:
    """The object has the figures as numbers, a stage for each step in order."""
    argv = ("--batches", "4", "--warmup", "0", "--step-ms", "1", "--format", "json", "--host", "64GiB")
    found = json.loads(run("profile", counting, *argv).out)
    assert (found["batches"], found["elements"], found["step_seconds"]) == (4, 128, 0.001)
    assert [one["number"] for one in found["stages"]] == list(range(len(found["stages"])))
    batch = next(one for one in found["stages"] if one["stage"] == "batch")
    assert batch["line"] == 7
    assert batch["bytes"]["estimated"] > 0
    assert set(found["bottleneck"]) == {"number", "reason", "advice"}


def test_a_spec_that_does_not_fit_is_not_run(run: Command, counting: Path) -> None:
    """The exit status is that of a check, and nothing is run."""
    ran = run("profile", counting, "--host", "100MiB")
    assert (ran.status, ran.out) == (1, "")
    assert "SD301" in ran.err


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        ("--seconds", "0", "`0` is no time to measure; write a number above 0"),
        ("--seconds", "soon", "`soon` is not a number of 0 or more"),
        ("--step-ms", "-1", "`-1` is not a number of 0 or more"),
        ("--step-ms", "nan", "`nan` is not a number of 0 or more"),
        ("--warmup", "x", "`x` is not a whole number"),
    ],
)
def test_a_wrong_number_is_a_wrong_command_line(
    run: Command, counting: Path, flag: str, value: str, message: str
) -> None:
    """A number that makes no sense is refused with what one looks like."""
    ran = run("profile", counting, f"{flag}={value}")
    assert ran.status == 2
    assert message in ran.err


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.5, "1.5 s"), (0.0382, "38.2 ms"), (5.1e-6, "5.1 us"), (0.0, "0 us"), (123.4, "123 s")],
)
def test_short_times(value: float, text: str) -> None:
    """A time has three digits and the unit that fits it."""
    assert seconds(value) == text
