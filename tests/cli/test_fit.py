from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.cli.conftest import Command


def test_the_largest_batch_is_said_with_its_limit(run: Command, counting: Path) -> None:
    """The data is the limit of a batch that would hold all of it."""
    ran = run("fit", counting, "--target", "small")
    assert ran.status == 0
    assert ran.out.startswith("counting.yaml: `batch: 1000` fits\n")
    assert ran.out.endswith("  the limit is the data: an epoch has 1000 elements here\n")
    assert ran.err == ""


def test_programs_get_numbers(run: Command, counting: Path) -> None:
    """The JSON object has the numbers, the limit and the headroom of each place."""
    found: dict[str, Any] = json.loads(
        run("fit", counting, "--for", "prefetch", "--target", "small", "--format", "json").out
    )
    [number] = found["numbers"]
    assert (number["name"], number["line"], number["now"]) == ("prefetch", 8, 2)
    assert number["largest"] == 32
    assert found["limit"] == {"place": None, "reason": "the data: an epoch has 32 batches here"}
    host = found["places"]["host"]
    assert host["headroom"] == host["limit"] - host["bytes"] >= 0


def test_nothing_that_fits_has_status_1(run: Command, counting: Path) -> None:
    """Where not even 1 fits, that is the answer, with the problem."""
    ran = run("fit", counting, "--host", "300MiB")
    assert ran.status == 1
    assert ran.out.startswith("counting.yaml: not even `batch: 1` fits\n")
    assert "error[SD301]" in ran.err
    assert "`safedata check` says what else could be smaller" in ran.err


def test_a_number_that_is_not_there_is_named(run: Command, counting: Path) -> None:
    """The numbers that there are stand in the help."""
    ran = run("fit", counting, "--for", "prefech")
    assert ran.status == 1
    assert "error[SD331]: there is no number `prefech` to fit" in ran.err
    assert "did you mean `prefetch`?" in ran.err


def test_a_spec_with_problems_has_no_answer(run: Command, counting: Path) -> None:
    """Problems beside the budget are shown, for people and for programs."""
    counting.write_text("safedata: 1\nsource: {range: 3}\nsteps: [{btch: 2}]\n", encoding="utf-8")
    ran = run("fit", counting, "--format", "json")
    assert ran.status == 1
    assert json.loads(ran.out)["problems"][0]["code"] == "SD106"
    assert run("fit", "gone.yaml").status == 4


def test_the_numbers_are_written(run: Command, counting: Path) -> None:
    """`--write` changes the parameter that the batch comes from, and nothing when there is nothing to change."""
    before = counting.read_text(encoding="utf-8")
    ran = run("fit", counting, "--target", "small", "--multiple-of", "8", "--write")
    assert ran.status == 0
    assert counting.read_text(encoding="utf-8") == before.replace("{size: 32}", "{size: 1000}")
    assert "+params: {size: 1000}\n" in ran.err
    again = run("fit", counting, "--target", "small", "--multiple-of", "8", "--write")
    assert again.err == "counting.yaml: nothing to write, the numbers are the largest already\n"
    assert run("fit", counting, "--set", "size=4", "--target", "small", "--write").status == 1
