"""Estimates beside what was measured in fresh processes: some cases for every change, all of them under `slow`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from safedata.machine import calibration
from tests.memory import bench, data, report
from tests.proc import ONLY_LINUX

CASES: Final = {case.title: case for case in bench.load_cases()}
SHORT: Final = (
    "caches: before a shuffle",
    "elements: 4 KiB",
    "maps: a filter",
    "shuffles: two in a row",
)
"""A few seconds each, and no files."""
pytestmark = [
    pytest.mark.tf,
    ONLY_LINUX,
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """What TensorFlow takes by itself, measured, and known to the child processes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield calibration.calibrate()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of all cases."""
    made = tmp_path_factory.mktemp("data")
    data.make(made)
    return made


def hold(result: bench.Result) -> None:
    """Hold a result against the laws: never under, and tight unless the case says why not."""
    said = f"{result.case.title}: {result.estimate} estimated, {result.measured} measured"
    assert not result.under, said
    assert result.tight or result.case.loose, f"{said}, {result.whole_ratio:.2f}, {result.part_ratio}"


@pytest.mark.parametrize("title", SHORT)
def test_some_estimates_hold_and_are_tight(title: str, base: int, tmp_path: Path) -> None:
    """The peak stays below the estimate, and the estimate within a tenth, or a quarter of the pipeline's part."""
    hold(bench.measure(CASES[title], tmp_path, base))


@pytest.mark.slow
@pytest.mark.parametrize("title", CASES)
def test_every_estimate_holds_and_is_tight(title: str, base: int, folder: Path) -> None:
    """The same for every case, the largest of a peak in each regime."""
    hold(bench.measure(CASES[title], folder, base, repeats=len(bench.REGIMES)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "title", [title for title in CASES if title.startswith(("caches", "shuffles", "maps"))]
)
def test_no_buffer_has_more_in_it_than_its_step_holds(title: str, base: int, folder: Path) -> None:
    """What TensorFlow itself says is buffered is never more than steps of that kind and the allocator hold."""
    for kind, (held, seen) in bench.buffers(CASES[title], folder).items():
        assert seen <= held, f"{kind}: {seen} of {held}"


def result(estimate: int, measured: int, runs: int = 1, **more: Any) -> bench.Result:
    case = bench.Case("group", "name", {}, **more)
    return bench.Result(case, estimate << 20, measured << 20, 560 << 20, 550 << 20, runs=runs)


def test_the_laws_tell_under_tight_and_loose_apart() -> None:
    """Under is below what was measured; tight is within both limits; a part too small to say has no ratio."""
    assert result(599, 600).under
    assert result(660, 610).tight
    assert result(660, 610).part_ratio is None
    assert not result(700, 630).tight
    assert not result(1000, 905).under
    assert result(1000, 900, loose="a reason").part_ratio == pytest.approx(440 / 350)


def test_the_table_names_each_case_and_why_it_is_loose() -> None:
    """A row for each case, a count, and the reason of each that is above a limit; the plot names it too."""
    shown = report.table([result(1000, 900, loose="a reason"), result(610, 605)])
    assert "| group: name | 1000 | 900 | 1.11 * |" in shown
    assert "2 cases: 0 under what was measured; 1 within both limits" in shown
    assert "- group: name: a reason." in shown
    assert "group: name" in report.plot([result(1000, 900)])


def test_the_table_says_how_often_each_case_was_run() -> None:
    """Figures of one run and of several are told apart."""
    once, often = result(610, 605), result(610, 605, runs=3)
    assert "Measured is one run of each case." in report.table([once])
    assert "Measured is the largest of 3 runs of 2 cases, one run of 1 case." in report.table(
        [often, once, often]
    )


def test_figures_are_kept_from_one_run_of_the_bench_to_the_next(tmp_path: Path) -> None:
    """What was written is read again, of cases that there still are."""
    kept, path = result(1000, 900), tmp_path / "figures.json"
    assert report.load(path, [kept.case]) == {}
    report.save([kept], path)
    found = report.load(path, [kept.case])
    assert (found["group: name"].whole_ratio, list(found)) == (kept.whole_ratio, ["group: name"])
    assert report.load(path, [bench.Case("group", "other", {})]) == {}
