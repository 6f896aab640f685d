"""Estimates beside what was measured in fresh processes: some cases for every change, all of them under `slow`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from safedata import registry
from safedata.machine import Cpus, calibration
from tests.memory import bench, data, drawn, peaks, report
from tests.memory.given import given
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


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch, undecided: None) -> peaks.Peaks:
    """The peaks that are kept, and a machine with as many CPUs as the one that they were measured on."""
    found = peaks.load()
    assert found is not None
    there = Cpus(found.machine["cpus"], found.machine["cpus"], ())
    monkeypatch.setattr("safedata.machine.read.cpus", lambda _: there)
    return found


def hold(result: bench.Result) -> None:
    """Hold a result against the laws: never under, and tight unless the case says why not."""
    said = f"{result.case.title}: {result.estimate} estimated, {result.measured} measured"
    assert not result.under, said
    assert result.tight or result.case.loose, f"{said}, {result.whole_ratio:.2f}, {result.part_ratio}"


def hold_recorded(title: str, recorded: peaks.Peaks, folder: Path) -> None:
    """Hold today's estimate of a case against the largest peak that was recorded of it."""
    found = recorded.result(CASES[title], folder)
    assert found is not None
    hold(found)


@pytest.mark.parametrize("title", SHORT)
def test_some_estimates_hold_and_are_tight(title: str, base: int, tmp_path: Path) -> None:
    """The peak stays below the estimate, and the estimate within a tenth, or a quarter of the pipeline's part."""
    hold(bench.measure(CASES[title], tmp_path, base))


@pytest.mark.slow
@pytest.mark.parametrize("title", CASES)
def test_every_estimate_holds_and_is_tight(title: str, base: int, folder: Path) -> None:
    """The same for every case, the largest of a peak in each regime."""
    hold(bench.measure(CASES[title], folder, base, bench.REGIMES))


def test_every_case_was_measured_as_it_is(recorded: peaks.Peaks) -> None:
    """Each case has a peak with epochs broken off, of the spec that it has now."""
    for case in CASES.values():
        assert recorded.digests.get(case.title) == peaks.digest(case), case.title
        fits = case.run.get("fit")  # Keras goes through all of each epoch
        assert fits or "broken" in recorded.cases[case.title], case.title


@pytest.mark.parametrize("title", [title for title, case in CASES.items() if not case.reads_files])
def test_an_estimate_holds_against_the_recorded_peak(
    title: str, recorded: peaks.Peaks, tmp_path: Path
) -> None:
    """Whoever changes the estimator learns here, within milliseconds, which bound is under or loose now."""
    hold_recorded(title, recorded, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("title", [title for title, case in CASES.items() if case.reads_files])
def test_an_estimate_of_files_holds_against_the_recorded_peak(
    title: str, recorded: peaks.Peaks, folder: Path
) -> None:
    """The same for cases that read files, which take half a minute to make."""
    hold_recorded(title, recorded, folder)


def test_pipelines_drawn_at_random_are_never_under(recorded: peaks.Peaks, tmp_path: Path) -> None:
    """Every drawn pipeline that was measured: how tight it is stands in the table, that it holds is held here."""
    found = peaks.results(recorded, drawn.draw_all(recorded.cases), tmp_path)
    assert len(found) >= 30
    assert [(one.case.title, one.estimate, one.measured) for one in found if one.under] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "title", [title for title in CASES if title.startswith(("caches", "shuffles", "maps"))]
)
def test_no_buffer_has_more_in_it_than_its_step_holds(title: str, base: int, folder: Path) -> None:
    """What TensorFlow itself says is buffered is never more than steps of that kind and the allocator hold."""
    for kind, (held, seen) in bench.buffers(CASES[title], folder).items():
        assert seen <= held, f"{kind}: {seen} of {held}"


def test_every_source_and_stage_is_in_a_case() -> None:
    """Whoever adds one adds a case of it: there is none whose bytes were never measured in a whole pipeline."""
    sources = {kind for case in CASES.values() for kind in case.sources()}
    stages = [step for case in CASES.values() for step in case.stages()]
    assert registry.names("sources").keys() - sources == set()
    assert registry.names("stages").keys() - {kind for kind, _ in stages} == set()
    assert any(kind == "cache" and isinstance(told, dict) for kind, told in stages), (
        "none has a cache on disk"
    )


def test_a_case_tells_its_sources_and_steps_those_of_inputs_too() -> None:
    """Sources and steps of a combinator's inputs, and of a second pipeline that is alive beside the first."""
    one = {"source": {"range": 9}, "steps": ["unbatch", {"batch": 2, "parallel": 2}]}
    mixed = {"source": {"zip": {"a": one, "b": {"source": {"files": {"path": "x"}}}}}, "steps": [{"take": 1}]}
    case = bench.Case(
        "group", "name", mixed, {"beside": {"source": {"text": "y"}, "steps": [{"cache": "memory"}]}}
    )
    assert sorted(case.sources()) == ["files", "range", "text", "zip"]
    assert {"unbatch", "batch", "take", "cache"} <= {kind for kind, _ in case.stages()}
    assert case.reads_files


def test_each_run_has_a_folder_of_its_own() -> None:
    """Nothing that one run keeps on disk is there in the next one, nor stays behind; others are given nothing."""
    wanted = {"params": {"scratch": "scratch"}}
    with given({}) as nothing, given(wanted) as first, given(wanted) as second:
        folders = [Path(one["scratch"]) for one in (first, second)]
        assert nothing == {}
        assert folders[0] != folders[1]
        assert [list(one.iterdir()) for one in folders] == [[], []]
    assert not any(one.exists() for one in folders)


def result(estimate: int, measured: int, runs: int = 1, group: str = "group", **more: Any) -> bench.Result:
    case = bench.Case(group, "name", {}, **more)
    return bench.Result(case, estimate << 20, measured << 20, 560 << 20, 550 << 20, runs=runs)


def kept(*titles: str, runs: int = 1) -> peaks.Peaks:
    """A record with one peak for each title."""
    found = peaks.Peaks({"cpus": 2}, 550 << 20)
    for title in titles:
        found.cases[title] = {"broken": peaks.Peak(1 << 20, runs, 1800)}
    return found


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
    shown = report.table([result(1000, 900, loose="a reason"), result(610, 605)], kept("group: name"))
    assert "| group: name | 1000 | 900 | 1.11 * |" in shown
    assert "2 cases: 0 under what was measured; 1 within both limits" in shown
    assert "- group: name: a reason." in shown
    assert "group: name" in report.plot([result(1000, 900)])


def test_the_table_says_how_often_each_case_was_run_and_for_how_long() -> None:
    """Figures of one run and of several are told apart."""
    once, often = result(610, 605), result(610, 605, runs=3)
    shown = report.table([often, once, often], kept("group: name"))
    assert "the largest of 1 to 3 runs of each, 1.5 hours in all; it came in regime `alone` 3 times" in shown


def test_pipelines_drawn_at_random_are_told_apart() -> None:
    """They have no rows of their own but a count, and how loose the loosest is."""
    others = [result(1000, 900, group=drawn.GROUP), result(899, 900, group=drawn.GROUP)]
    shown = report.table([result(610, 605), *others], kept("group: name", "drawn: name"))
    assert "1 cases: 0 under" in shown
    assert "2 pipelines drawn at random: 1 under what was measured; 0 within both limits" in shown
    assert "1.26 times what was measured" in shown


def test_a_seed_stands_for_one_pipeline() -> None:
    """The same spec each time, another one for another seed; titles lead back to it."""
    assert drawn.draw(3) == drawn.draw(3) != drawn.draw(4)
    assert list(drawn.draw_all(["drawn: seed 4", "batches: padded", "drawn: seed 3"])) == [
        drawn.draw(3),
        drawn.draw(4),
    ]


def test_peaks_are_kept_from_one_run_of_the_bench_to_the_next(tmp_path: Path) -> None:
    """The largest stays, runs and seconds add up; a case that has changed since is measured anew."""
    case, path = CASES["elements: 4 KiB"], tmp_path / "peaks.json"
    assert peaks.load(path) is None
    found = kept()
    found.add(case, "alone", bench.Run(80 << 20, 10, 700 << 20))
    found.add(case, "alone", bench.Run(70 << 20, 12, 700 << 20))
    found.add(case, "broken", bench.Run(90 << 20, 60, 700 << 20))
    found.save(path)
    again = peaks.load(path)
    assert again is not None
    assert again == found
    assert again.cases[case.title] == {
        "alone": peaks.Peak(80 << 20, 2, 22),
        "broken": peaks.Peak(90 << 20, 1, 60),
    }
    shown = again.result(case, tmp_path)
    assert shown is not None
    assert (shown.measured, shown.runs, shown.regime) == (640 << 20, 3, "broken")
    changed = dataclasses.replace(case, run={"epochs": 7})
    assert again.result(changed, tmp_path) is None
    again.add(changed, "alone", bench.Run(50 << 20, 5, 700 << 20))
    assert again.cases[case.title] == {"alone": peaks.Peak(50 << 20, 1, 5)}
