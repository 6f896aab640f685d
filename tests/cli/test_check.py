from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Command


def test_a_spec_that_fits_has_status_0_and_nothing_on_stderr(run: Command, counting: Path) -> None:
    """A spec that fits says so first, and gives no reason to worry."""
    ran = run("check", counting, "--target", "small")
    assert ran.status == 0
    assert ran.out.startswith("counting.yaml: fits\n")
    assert ran.err == ""


def test_over_budget(run: Command, counting: Path) -> None:
    """A spec that does not fit has status 1; the verdict is data, the problem is not."""
    ran = run("check", counting, "--target", "small", "--host", "600MiB")
    assert ran.status == 1
    assert ran.out.startswith("counting.yaml: does not fit\n")
    assert "error[SD301]" in ran.err
    assert "error" not in ran.out


def test_problems_are_counted(run: Command, counting: Path) -> None:
    """A spec that cannot be read says how many problems it has, and all of them are shown."""
    counting.write_text("safedata: 1\nsource: {rnge: 3}\nsteps: [{btch: 2}]\n", encoding="utf-8")
    ran = run("check", counting)
    assert (ran.status, ran.out) == (1, "counting.yaml: has 2 problems\n")
    assert ran.err.count("error[SD106]") == 2


def test_a_missing_spec_is_unreadable_data(run: Command, counting: Path) -> None:
    """Status 4 where all errors are of files."""
    ran = run("check", "gone.yaml")
    assert ran.status == 4
    assert "the spec `gone.yaml` does not exist" in ran.err


def test_the_highest_status_of_several_specs_counts(run: Command, counting: Path) -> None:
    """Every spec gets its verdict, and one that fits hides none that does not."""
    ran = run("check", counting, "gone.yaml", counting, "--target", "small")
    assert ran.status == 4
    assert ran.out.count("counting.yaml: fits") == 2


def test_set_reads_text_by_the_type_of_the_default(run: Command, counting: Path) -> None:
    """`--set` gives a number where the parameter is one, and refuses words."""
    assert "int64[<=8]" in run("check", counting, "--target", "small", "--set", "size=8").out
    refused = run("check", counting, "--target", "small", "--set", "size=many")
    assert refused.status == 1
    assert "SD107" in refused.err


def test_holds_of_a_place_add_up_to_its_bytes(run: Command, counting: Path) -> None:
    """The JSON object accounts for every byte, the process's own included."""
    found: dict[str, Any] = json.loads(run("check", counting, "--target", "small", "--format", "json").out)
    assert found["spec"] == "counting.yaml"
    assert found["fits"] is True
    holds = [hold for stage in found["stages"] for hold in stage["holds"]]
    assert sum(hold["bytes"] for hold in holds if hold["place"] == "host") == found["places"]["host"]["bytes"]
    assert [stage["stage"] for stage in found["stages"]][:2] == ["process", "range"]
    batch = next(stage for stage in found["stages"] if stage["stage"] == "batch")
    assert (batch["line"], batch["cardinality"]) == (7, "exactly 32")
    assert batch["element"] == {"value": "int64[<=32]"}


def test_json_of_several_specs_is_a_list(run: Command, counting: Path) -> None:
    """One object for one spec, a list for several; a spec that cannot be read has no places."""
    argv = ("check", counting, "gone.yaml", "--target", "small", "--format", "json")
    first, second = json.loads(run(*argv).out)
    assert (first["fits"], second["fits"]) == (True, False)
    assert (second["places"], second["stages"], second["evidence"]) == ({}, [], None)
    assert second["problems"][0]["code"] == "SD401"


def test_gpus_are_places(run: Command, counting: Path) -> None:
    """`--gpu` may be given again or with commas; each is a place of its own."""
    argv = (
        "check",
        counting,
        "--target",
        "small",
        "--gpu",
        "8GiB,16GiB",
        "--gpu",
        "24GiB",
        "--format",
        "json",
    )
    assert list(json.loads(run(*argv).out)["places"]) == ["host", "gpu:0", "gpu:1", "gpu:2", "disk"]


def test_quiet_prints_the_headline_only(run: Command, counting: Path) -> None:
    """With `--quiet` a verdict is one line."""
    assert run("check", counting, "--target", "small", "--quiet").out == "counting.yaml: fits\n"


def test_a_file_name_with_a_line_break_is_no_text(run: Command, counting: Path) -> None:
    """A command line names files, never a spec's own text."""
    ran = run("check", "safedata: 1\nsource: {range: 3}\n")
    assert ran.status == 4
    assert "does not exist" in ran.err


def test_together_adds_the_specs_up(run: Command, counting: Path) -> None:
    """`--together` has one verdict with each spec's share, and TensorFlow once."""
    Path("val.yaml").write_text(counting.read_text().replace("shuffle: {buffer: 100, seed: 7}", "take: 50"))
    ran = run("check", counting, "val.yaml", "--together", "--target", "small")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith("counting.yaml, val.yaml together: fit\n")
    assert ran.out.count("TensorFlow itself") == 1
    quiet = run("check", counting, "val.yaml", "--together", "--target", "small", "--quiet")
    assert quiet.out == "counting.yaml, val.yaml together: fit\n"


def test_specs_that_do_not_fit_together_have_status_1(run: Command, counting: Path) -> None:
    """Two specs that each fit in 683.88 MiB or so need more together; the error is not data."""
    host = json.loads(run("check", counting, "--target", "small", "--format", "json").out)["places"]["host"]
    limit = f"{host['bytes']}B"
    assert run("check", counting, counting, "--target", "small", "--host", limit).status == 0
    ran = run("check", counting, counting, "--together", "--target", "small", "--host", limit)
    assert ran.status == 1
    assert "do not fit" in ran.out
    assert "error[SD301]: peak host memory of 2 specs together" in ran.err


def test_json_of_specs_together_is_one_object(run: Command, counting: Path) -> None:
    """`specs` has each as it is alone, and what they share and hold adds up to the sum."""
    ran = run("check", counting, counting, "--together", "--target", "small", "--format", "json")
    found: dict[str, Any] = json.loads(ran.out)
    assert (found["fits"], found["problems"]) == (True, [])
    assert [one["spec"] for one in found["specs"]] == ["counting.yaml", "counting.yaml"]
    host = found["places"]["host"]
    assert host["bytes"] == host["once"] + sum(host["shares"])
    assert host["bytes"] < sum(one["places"]["host"]["bytes"] for one in found["specs"])


def test_set_goes_to_every_spec_that_has_the_parameter(run: Command, counting: Path) -> None:
    """With `--together` a parameter that one spec lacks is no error, and one that all lack is."""
    text = counting.read_text().replace("params: {size: 32}\n", "").replace('"${size}"', "4")
    Path("val.yaml").write_text(text)
    argv = ("check", counting, "val.yaml", "--together", "--target", "small", "--set")
    assert run(*argv, "size=8").status == 0
    refused = run(*argv, "sise=8")
    assert refused.status == 1
    assert "none of the specs has a parameter `sise` to set" in refused.err


def _enter(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_a_dash_is_the_spec_on_standard_input(
    run: Command, counting: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`check -` reads the spec's text, and paths in it start at the current folder."""
    _enter(monkeypatch, counting.read_bytes())
    assert run("check", "-", "--target", "small")[:2] == (
        0,
        run("check", counting, "--target", "small").out.replace("counting.yaml", "<text>"),
    )
    _enter(monkeypatch, b"safedata: 1\nextends: counting.yaml\nname: other")
    assert run("check", "-", "--quiet", "--target", "small") == (0, "<text>: fits\n", "")
    _enter(monkeypatch, b"safedata: \xff")
    ran = run("check", "-", "--format", "json")
    assert json.loads(ran.out)["problems"][0]["message"].startswith("the text is not UTF-8: byte 0xff")


def test_a_fix_is_not_written_into_standard_input(run: Command) -> None:
    """`--fix` needs a file to write into."""
    assert run("check", "--fix", "-") == (
        2,
        "",
        "safedata check: error: `--fix` writes into a file, which `-` is not\n",
    )
