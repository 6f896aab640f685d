from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from safedata.cli.console import Console
from safedata.cli.progress import Bar, duration, line
from safedata.report.build import render
from safedata.run import Progress, Report

if TYPE_CHECKING:
    from tests.cli.conftest import Command

GIB = 1 << 30


@pytest.mark.tf
def test_a_build_reports_and_writes_its_manifest(run: Command, counting: Path) -> None:
    """The report counts what went through, and the manifest lies where it says."""
    ran = run("build", counting, "--host", "64GiB")
    assert (ran.status, ran.err) == (0, "")
    rows = dict(row.split(maxsplit=1) for row in ran.out.splitlines()[1:])
    assert ran.out.startswith("counting.yaml: fits\n")
    assert (rows["elements"], rows["batches"], rows["manifest"]) == ("1,000", "32", "counting.manifest.json")
    assert json.loads(Path("counting.manifest.json").read_text(encoding="utf-8"))["pass"]["batches"] == 32


@pytest.mark.tf
def test_a_build_as_json(run: Command, counting: Path) -> None:
    """The object is the verdict's, with the report beside it; `--manifest` says where the manifest goes."""
    argv = ("build", counting, "--host", "64GiB", "--manifest", "m.json", "--format", "json")
    found = json.loads(run(*argv).out)
    assert found["fits"] is True
    assert found["report"]["elements"] == 1000
    assert found["report"]["manifest"] == "m.json"
    assert found["report"]["host_bytes_estimated"] == found["places"]["host"]["bytes"]


@pytest.mark.tf
def test_a_manifest_that_cannot_be_written(run: Command, counting: Path) -> None:
    """Status 4, in text and as JSON, and the way out is named."""
    ran = run("build", counting, "--host", "64GiB", "--manifest", "gone/m.json", "--format", "json")
    assert ran.status == 4
    assert "error[SD408]" in ran.err
    found = json.loads(ran.out)
    assert found["report"] is None
    assert found["problems"][-1]["code"] == "SD408"


@pytest.mark.tf
def test_an_endless_spec_cannot_be_built(run: Command, counting: Path) -> None:
    """A pass over an endless spec has no end, so it is refused before it starts."""
    counting.write_text("safedata: 1\nsource: {range: 3}\nsteps: [repeat]\n", encoding="utf-8")
    ran = run("build", counting)
    assert ran.status == 1
    assert "error[SD209]" in ran.err
    assert not Path("counting.manifest.json").exists()


def test_what_does_not_fit_is_not_built(run: Command, counting: Path) -> None:
    """Nothing is compiled and nothing written for a spec that does not fit."""
    ran = run("build", counting, "--host", "100MiB")
    assert (ran.status, ran.out) == (1, "counting.yaml: does not fit\n")
    assert "error[SD301]" in ran.err
    assert not Path("counting.manifest.json").exists()


def test_check_only_is_check(run: Command, counting: Path) -> None:
    """`--check-only` prints what `check` prints."""
    argv = (counting, "--target", "small")
    assert run("build", "--check-only", *argv) == run("check", *argv)


def test_elements_left_out_are_named() -> None:
    """The first few elements that were left out are listed, the others counted."""
    skipped = tuple(f"photos/{number}.jpg" for number in range(7))
    text = render(Report(10, 2, 0.5, GIB, GIB // 2, skipped, None))
    assert "photos/4.jpg" in text
    assert "photos/5.jpg" not in text
    assert "and 2 more" in text
    assert "estimated 1.00 GiB, measured 512.00 MiB (50.0%)" in text


def test_a_broken_bound_is_not_kept_quiet() -> None:
    """A measured peak over the estimated one is called what it is."""
    assert "over the bound, please report this" in render(Report(1, 1, 1.0, GIB, GIB + 1, (), None))


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress(50, 5, 10, 2.0), "[############............]  50%  50 elements  25 elements/s  2 s left"),
        (Progress(0, 0, 10, 0.0), "[........................]   0%  0 elements  0 elements/s"),
        (Progress(5, 5, None, 1.0), "5 done  5 elements  5 elements/s"),
    ],
)
def test_the_line_of_progress(progress: Progress, text: str) -> None:
    """How much is done and how long it will take, as far as that is known."""
    assert line(progress) == text


def test_durations() -> None:
    """Seconds, then minutes, then hours."""
    assert [duration(one) for one in (12.4, 185, 7800)] == ["12 s", "3 min 5 s", "2 h 10 min"]


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar_is_for_terminals_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the bar is drawn and wiped; elsewhere, and with `--quiet`, nothing is written."""
    for stream, quiet, drawn in (
        (_Terminal(), False, True),
        (_Terminal(), True, False),
        (io.StringIO(), False, False),
    ):
        monkeypatch.setattr(sys, "stderr", stream)
        with Bar(Console(quiet=quiet)) as bar:
            bar.update(Progress(5, 5, 10, 1.0))
        assert ("50%" in stream.getvalue()) is drawn
        assert stream.getvalue().endswith("\r\x1b[K") is drawn


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colour_is_for_terminals_that_want_it(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Colour needs a terminal, and goes with `--no-color`, NO_COLOR and dumb terminals."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", _Terminal())
    assert Console().color
    assert not Console(no_color=True).color
    monkeypatch.setenv(name, value)
    assert not Console().color


def test_characters_that_stdout_lacks_become_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that knows only ASCII gets escapes, not a traceback."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    Console().data("größer")
    assert raw.getvalue() == b"gr\\xf6\\xdfer\n"
