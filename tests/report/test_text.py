from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safedata.change import Fix
from safedata.memory import MIB
from safedata.problem import Label, Problem, Span
from safedata.report.columns import MAX_COLUMNS, fit, width
from safedata.report.text import as_json, render, render_all, shown_path

SPEC = "safedata: 1\n" * 8 + "  - batch: 4096\n" + "#\n" * 2 + "  - prefetch: 2\n"
PEAK = Problem(
    "SD301",
    "peak host memory 6.89 GiB is over the budget of 6.00 GiB",
    Span("specs/imagenet.yaml", 12, 15, 12, 16),
    "keeps 2 batches ready: 4.59 GiB",
    labels=(Label(Span("specs/imagenet.yaml", 9, 12, 9, 16), "one batch is 2.30 GiB"),),
    notes=("12.00 GiB is available here",),
    help="`batch: 3566` fits",
)


def at(line: int, column: int, end: int, message: str = "wrong", label: str = "") -> Problem:
    return Problem("SD105", message, Span("a.yaml", line, column, line, end), label)


def test_a_problem_looks_like_this() -> None:
    """Place, gutter, lines in the order of the file, one caret row for each label, facts, way out."""
    assert render(PEAK, {"specs/imagenet.yaml": SPEC}) == "\n".join(
        [
            "error[SD301]: peak host memory 6.89 GiB is over the budget of 6.00 GiB",
            " --> specs/imagenet.yaml:12:15",
            "   |",
            " 9 |   - batch: 4096",
            "   |            ---- one batch is 2.30 GiB",
            "12 |   - prefetch: 2",
            "   |               ^ keeps 2 batches ready: 4.59 GiB",
            "   |",
            "   = note: 12.00 GiB is available here",
            "   = help: `batch: 3566` fits",
        ]
    )


def test_labels_in_other_files_get_a_block_of_their_own() -> None:
    """A label in a base spec is shown with that file's name."""
    problem = Problem(
        "SD105", "wrong", Span("a", 1, 1, 1, 2), labels=(Label(Span("b", 2, 1, 2, 2), "set here"),)
    )
    assert render(problem, {"a": "x", "b": "y\nz"}) == "\n".join(
        [
            "error[SD105]: wrong",
            " --> a:1:1",
            "  |",
            "1 | x",
            "  | ^",
            " ::: b:2:1",
            "  |",
            "2 | z",
            "  | - set here",
        ]
    )


def test_without_a_text_the_place_is_named() -> None:
    """A file whose text is not at hand is named and not shown; a problem may have no place at all."""
    assert render(at(1, 1, 2), {}) == "error[SD105]: wrong\n --> a.yaml:1:1"
    assert (
        render(Problem("SD405", "no GPU", help="start one"), {})
        == "error[SD405]: no GPU\n  = help: start one"
    )


@pytest.mark.parametrize(
    ("line", "column", "end", "shown", "marks"),
    [
        ("a: 日本 x", 7, 8, "a: 日本 x", "        ^"),
        ("a: 日本 x", 4, 6, "a: 日本 x", "   ^^^^"),
        ("\ta: x", 5, 6, "    a: x", "       ^"),
        ("e\u0301: x", 5, 6, "e\u0301: x", "   ^"),
        ("a: x", 5, 5, "a: x", "    ^"),
        ("a: x", 40, 41, "a: x", "    ^"),
        ("a: \x1b[2J", 4, 8, "a: \ufffd[2J", "   ^^^^"),
    ],
)
def test_carets_stand_below_what_they_mean(line: str, column: int, end: int, shown: str, marks: str) -> None:
    """Wide characters count two columns, combining ones none, tabs four; carets stay within the line."""
    assert render(at(1, column, end), {"a.yaml": line}).split("\n")[3:5] == [f"1 | {shown}", f"  | {marks}"]


def test_a_piece_of_several_lines_is_underlined_in_its_first() -> None:
    """Only the first line of a long piece is shown."""
    problem = Problem("SD105", "wrong", Span("a.yaml", 1, 3, 3, 2), "this list")
    assert render(problem, {"a.yaml": "- [a,\nb\n]"}).split("\n")[3:] == ["1 | - [a,", "  |   ^^^ this list"]


@given(st.integers(0, 2000), st.integers(1, 50), st.text(st.sampled_from("ab 日\t"), max_size=2000))
def test_long_lines_are_cut_around_what_is_underlined(start: int, length: int, line: str) -> None:
    """However long a line is, what is shown is short, and the carets stand within it."""
    shown = fit(line, start)
    first, count = shown.columns(start, start + length)
    assert width(shown.text) <= 4 * MAX_COLUMNS + 2
    assert first + count <= width(shown.text) + 1
    if start < len(line) and line[start] != "\t":
        cells = "".join(one + "\0" * (width(one) - 1) for one in shown.text)
        assert cells[first] == line[start]


def test_control_characters_never_reach_the_terminal() -> None:
    """Words of the user in a message are escaped, colours or not."""
    text = render(at(1, 1, 2, "no key `\x1b[31m\x07`", "\x9b2J"), {"a.yaml": "\x1b]0;x"})
    assert not [one for one in text if one != "\n" and not one.isprintable()]
    assert "no key `\\x1b[31m\\x07`" in text


def test_colour_adds_nothing_but_colour() -> None:
    """Without its escape codes the coloured text is the plain one."""
    import re

    colored = render_all([PEAK], {"specs/imagenet.yaml": SPEC}, color=True)
    assert "\x1b[1;31merror[SD301]\x1b[0m" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == render_all([PEAK], {"specs/imagenet.yaml": SPEC})


def test_a_warning_says_so() -> None:
    """The first word is the severity."""
    assert render(Problem("SD310", "an estimate", severity="warning"), {}) == "warning[SD310]: an estimate"


@pytest.mark.parametrize(
    ("errors", "warnings", "count"),
    [
        (2, 0, "error: 2 problems in a.yaml"),
        (1, 2, "error: 1 problem and 2 warnings in a.yaml"),
        (0, 1, "warning: 1 warning in a.yaml"),
    ],
)
def test_the_last_line_counts(errors: int, warnings: int, count: str) -> None:
    """Errors and warnings are counted apart, with the file they are in."""
    warning = Problem("SD310", "an estimate", Span("a.yaml", 1, 1, 1, 2), severity="warning")
    assert render_all([at(1, 1, 2)] * errors + [warning] * warnings, {}).split("\n")[-1] == count
    assert render_all([], {}) == ""


def test_several_files_are_counted() -> None:
    """Problems in several files are counted with the number of files; without a place, alone."""
    other = Problem("SD101", "wrong", Span("b.yaml", 1, 1, 1, 2))
    assert render_all([at(1, 1, 2), other], {}).endswith("error: 2 problems in 2 files")
    assert render_all([Problem("SD405", "no GPU")], {}).endswith("error: 1 problem")


def test_paths_below_the_current_directory_are_relative(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path is shortened only when that does not lead upwards."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert shown_path(str(tmp_path / "here" / "a.yaml")) == "a.yaml"
    assert shown_path(str(tmp_path / "a.yaml")) == str(tmp_path / "a.yaml")
    assert shown_path("../a.yaml") == "../a.yaml"


def test_each_way_out_has_its_price() -> None:
    """What a fix saves and costs stands behind the help, with the number that `--fix` takes."""
    spare = Fix((), "smaller", "less of it", {"host": 3 * MIB, "gpu:0": 0, "disk": -MIB}, {})
    shown = render(replace(PEAK, fixes=(spare, spare)), {})
    assert "= fix 1: saves 3.00 MiB of host; takes 1.00 MiB of disk; cost: less of it" in shown
    assert "= fix 2: saves" in shown
    assert "= fix" not in render(PEAK, {})


def test_json_has_the_same_facts() -> None:
    """The object for tools has the keys that the contract names, null where there is nothing."""
    assert as_json(PEAK) == {
        "code": "SD301",
        "severity": "error",
        "message": PEAK.message,
        "file": "specs/imagenet.yaml",
        "line": 12,
        "column": 15,
        "notes": list(PEAK.notes),
        "help": PEAK.help,
        "fixes": [],
    }
    assert as_json(Problem("SD405", "no GPU"))["line"] is None
