from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import safedata
from safedata.compile import compile_plan
from safedata.plan import Plan
from safedata.profiling import Pace, profile_verdict
from safedata.profiling.bottleneck import Load, bottleneck
from safedata.profiling.marks import host_part, marked
from safedata.profiling.model import CONSUMER, Lane, Recorder, parameters
from safedata.profiling.run import recorded
from safedata.report.profile import render
from safedata.request import Request, check_request

NUMBERS = """\
safedata: 1
source: {range: 120}
steps:
  - shuffle: 20
  - filter: value < 60
  - map: {value: [{cast: float32}]}
    parallel: 3
  - batch: 10
  - prefetch: 2
"""
IMAGES = """\
safedata: 1
source: {synthetic: {components: {image: {type: "uint8[64, 64, 3]", kind: image}}, count: COUNT}}
steps:
  - map: {image: [{resize: [96, 96]}]}
    parallel: 1
  - shuffle: 4
  - batch: 4
"""
SKIPPING = """\
safedata: 1
source: {files: {path: "*.png"}}
steps:
  - map: {image: [{from: data}, {decode_image: {channels: 3}}]}
  - batch: 2
output: [image]
runtime: {on_error: {skip: {max: 10}}}
"""


def plan_of(text: str, **given: Any) -> Plan:
    verdict = check_request(text, Request({}, host="64GiB", **given))
    assert verdict.plan is not None, verdict.problems
    return verdict.plan


def ran(tf: Any, plan: Plan, batches: int | None = None) -> tuple[Recorder, list[Any], Any]:
    """Run with the record switched on; return it, the elements and the first model."""
    recorder, elements, first = Recorder(plan), [], None
    iterator = iter(recorded(tf, compile_plan(marked(plan)).dataset))
    for element in iterator:
        elements.append(element)
        proto = tf.data.experimental.get_model_proto(iterator)
        recorder.look(proto)
        first = first or proto
        if len(elements) == batches:
            break
    return recorder, elements, first


def by_title(plan: Plan, amounts: dict[int, Any]) -> dict[str, Any]:
    return {
        plan.steps[number].title: amount for number, amount in amounts.items() if number < len(plan.steps)
    }


@pytest.mark.tf
def test_recording_changes_nothing(tf: Any) -> None:
    """The record has every number as planned, none for autotuning to change, and the elements stay what they are."""
    plan = plan_of(NUMBERS)
    _, elements, proto = ran(tf, plan)
    found = parameters(proto)
    assert sorted((name, value) for _, name, value, _ in found) == [("buffer_size", 2), ("parallelism", 3)]
    assert not any(tunable for *_, tunable in found)
    plain = list(compile_plan(plan).dataset)
    assert len(plain) == len(elements)
    for one, other in zip(plain, elements, strict=True):
        np.testing.assert_array_equal(one["value"], other["value"])


@pytest.mark.tf
def test_each_step_has_its_own_figures(tf: Any) -> None:
    """Elements, buffers and work are those of the step that they belong to, however many datasets it became."""
    plan = plan_of(NUMBERS.replace("120", "12000").replace("60", "6000"))
    recorder, _, _ = ran(tf, plan, 30)
    made = by_title(plan, recorder.totals.elements)
    assert made["prefetch"] == 30
    assert 30 <= made["batch"] <= 33  # two ready, and one on its way
    assert 300 <= made["map"] <= 330
    assert made["map"] <= made["filter"] <= made["map"] + 10
    assert made["range"] - made["shuffle"] in (19, 20)
    held = by_title(plan, recorder.buffered)
    assert held["shuffle"] in (19, 20)
    assert (held["range"], held["filter"], held["batch"]) == (0, 0, 0)
    assert 0 <= held["prefetch"] <= 2
    widths = {lane.width for lane, work in recorder.totals.lanes.items() if any(work.values())}
    assert widths == {1, 3}


@pytest.mark.tf
def test_a_step_of_several_datasets(tf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A map that leaves bad elements out is a map, a filter and a map in the graph, and one step in the figures."""
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    for number in range(12):
        Image.new("RGB", (4, 4)).save(f"{number:02}.png")
    plan = plan_of(SKIPPING, folder=str(tmp_path))
    size = Path("03.png").stat().st_size
    Path("03.png").write_bytes(Path("03.png").read_bytes()[:40].ljust(size, b"x"))
    recorder, _, _ = ran(tf, plan, 3)
    made = recorder.totals.elements
    assert [made[number] for number, step in enumerate(plan.steps) if "map" in step.title] == [6]
    assert made[len(plan.steps) - 1] == 3
    assert made[0] >= 7


@pytest.mark.tf
def test_an_endless_spec() -> None:
    """As many batches as asked for are measured, and the step with the work is the one that had it."""
    profile = safedata.profile(IMAGES.replace("COUNT", "infinite"), batches=15, warmup=2, host="64GiB")
    assert (profile.batches, profile.elements, profile.epochs) == (15, 60, 1)
    assert profile.estimated is not None
    assert profile.measured is not None
    assert profile.wait is not None
    assert profile.wait.median <= profile.wait.p95 <= profile.wait.longest
    largest = max(profile.steps, key=lambda one: one.share or 0)
    assert profile.plan.steps[largest.number].title == "map"
    assert largest.per_element is not None
    assert sum(one.share or 0 for one in profile.steps) == pytest.approx(1)
    assert 0 < profile.waiting <= 1


@pytest.mark.tf
def test_blocks_over_an_estimate_are_explained() -> None:
    """Where blocks of the allocator take more than a step's tensors, the row says so, and no other."""
    profile = safedata.profile(NUMBERS, batches=2, warmup=1, host="64GiB")
    shuffle = next(number for number, step in enumerate(profile.plan.steps) if step.title == "shuffle")
    rest = [replace(one, measured=0) for one in profile.steps]
    rest[shuffle] = replace(rest[shuffle], buffered=20, measured=100_000, estimated=80_000)
    text = render(replace(profile, steps=tuple(rest)))
    assert "*97.66 KiB" in text
    assert "`*`: a block is larger than its tensor" in text
    rest[shuffle] = replace(rest[shuffle], measured=70_000)
    assert "*" not in render(replace(profile, steps=tuple(rest)))


@pytest.mark.tf
def test_epochs_follow_each_other() -> None:
    """A short epoch is followed by the next, and elements are counted once."""
    verdict = check_request(NUMBERS, Request({}, host="64GiB"))
    profile = profile_verdict(verdict, Pace(batches=17, warmup=2))
    assert (profile.batches, profile.elements, profile.epochs) == (17, 170, 4)


@pytest.mark.tf
def test_steps_that_end_unseen_limit_nothing_that_is_known() -> None:
    """Where a shuffle takes in a whole short epoch at once, no step is named as the one that limits."""
    text = "safedata: 1\nsource: {range: 30}\nsteps: [{shuffle: all}, {batch: 10}, {prefetch: 2}]\n"
    profile = safedata.profile(text, batches=12, warmup=0)
    assert profile.epochs > 1
    assert profile.bottleneck.step is None
    assert "has ended before anybody can look at it" in profile.bottleneck.reason


def test_a_cache_is_filled_before_measuring() -> None:
    """What stands before a cache is not in the figures once it is full; the cache holds every element."""
    text = IMAGES.replace("COUNT", "24").replace("  - shuffle: 4\n", "  - cache: memory\n  - shuffle: 4\n")
    profile = safedata.profile(text, batches=9, warmup=1, host="64GiB")
    steps = {profile.plan.steps[one.number].title: one for one in profile.steps}
    assert "the first epoch filled the cache" in profile.notes[-1]
    assert (steps["map"].elements, steps["cache"].buffered) == (0, 24)
    assert steps["cache"].measured >= 24 * 96 * 96 * 3 * 4
    assert steps["shuffle"].shared == "memory cache"
    unfinished = safedata.profile(text, batches=2, warmup=1, host="64GiB")
    assert "a cache was being filled" in unfinished.notes[-1]


@pytest.mark.tf
def test_a_consumer_that_works() -> None:
    """Beside a step that takes longer than a batch, the pipeline keeps up and nothing is to be changed."""
    profile = safedata.profile(
        NUMBERS.replace("120", "12000").replace("60", "6000"), batches=10, step=0.05, host="64GiB"
    )
    assert profile.seconds >= 0.5
    assert profile.waiting < 0.5
    assert profile.bottleneck.advice is None


@pytest.mark.tf
def test_no_element_at_all() -> None:
    """A pipeline without elements ends, and says so."""
    profile = safedata.profile(NUMBERS.replace("value < 60", "value < 0"), host="64GiB")
    assert (profile.batches, profile.wait) == (0, None)
    assert profile.notes[-1] == "no batch was measured: the pipeline gave no element"


@pytest.mark.tf
def test_only_the_steps_on_the_host_run() -> None:
    """Of a pipeline that feeds a GPU the steps before the transfer are profiled, without a GPU."""
    text = (
        IMAGES.replace("COUNT", "infinite")
        + "  - map: {image: [{rescale: {to: [0, 1]}}]}\n    device: gpu\n  - prefetch: 2\n"
    )
    assert [step.title for step in host_part(plan_of(text, gpu="8GiB")).steps][-2:] == ["batch", "output"]
    profile = safedata.profile(text, batches=2, warmup=0, gpu="8GiB", host="64GiB")
    assert profile.batches == 2
    assert "only the steps on the host ran" in profile.notes[-1]


@pytest.mark.tf
def test_bad_data_is_named(tmp_path: Path) -> None:
    """An element that cannot be made is a DataError that names the file."""
    from PIL import Image

    path = tmp_path / "a.png"
    Image.new("RGB", (4, 4)).save(path)
    text = SKIPPING.replace("runtime: {on_error: {skip: {max: 10}}}\n", "")
    verdict = check_request(text, Request({}, host="64GiB", folder=str(tmp_path)))
    path.write_bytes(path.read_bytes()[:40].ljust(path.stat().st_size, b"x"))
    with pytest.raises(safedata.DataError, match=r"a\.png"):
        profile_verdict(verdict, Pace(batches=2))


@pytest.mark.tf
def test_a_busy_machine_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where many more threads want to run than there are CPUs, a note says so."""
    monkeypatch.setattr("os.getloadavg", lambda: (5000.0, 0.0, 0.0))
    profile = safedata.profile(NUMBERS, batches=1, host="64GiB")
    assert profile.notes[0].startswith("other processes run here too: a load of 5000 on ")


def load(lanes: dict[Lane, dict[int, float]], **given: Any) -> Load:
    facts: dict[str, Any] = {
        "seconds": 10.0, "lanes": lanes, "cpu_seconds": 5.0, "cpus": 2, "waiting": 0.9,
        "consumer_works": True, "headroom": 1 << 30,
    }  # fmt: skip
    return Load(**{**facts, **given})


CALLS, AHEAD, HERE = Lane("calls", 1), Lane("ahead", 1), Lane(CONSUMER, 1)


def advised(text: str, found: Load) -> tuple[int | None, str, str | None]:
    return bottleneck(plan_of(text), found)[:3]


def test_what_to_change_follows_from_the_figures() -> None:
    """More calls where CPUs are free, a prefetch where the consumer's own thread works, a cache where it may stand."""
    finite = IMAGES.replace("COUNT", "24")
    number = next(i for i, step in enumerate(plan_of(finite).steps) if step.title == "map")
    step, reason, advice = advised(finite, load({CALLS: {number: 8.0}, AHEAD: {0: 1.0}}))
    assert step == number
    assert reason == "its thread worked 80% of the time, the next busiest 10%, and the CPUs 25%"
    assert advice == "`parallel: 2` for this step: 1 at once now, on 2 CPUs"
    _, reason, advice = advised(finite, load({CALLS: {number: 9.0}}, cpu_seconds=20.0))
    assert reason == "all 2 CPUs were busy 100% of the time, 100% of the work was this step's"
    assert advice is not None
    assert advice.startswith("`cache: memory` behind `map` saves this work from the second epoch on: 2.")
    assert advised(finite, load({CALLS: {number: 9.0}}, cpu_seconds=20.0, headroom=1000))[2] is None
    last = len(plan_of(finite).steps) - 1
    advice = advised(finite, load({HERE: {last: 6.0}, AHEAD: {0: 1.0}}))[2]
    assert advice == "add `prefetch: 2` at the end: batches are then made while the training step works"


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (load({AHEAD: {0: 9.0}}, waiting=0.01), "the pipeline keeps up: 1.0% of the time was waiting for it"),
        (
            load({AHEAD: {0: 5.0}, HERE: {1: 4.5}}),
            "no step stands out: the busiest threads worked 50% of the time",
        ),
        (
            load({AHEAD: {0: 1.0}}),
            "no step stands out: the busiest threads worked 10% of the time, the next 0%",
        ),
        (load({}), "no step stands out"),
    ],
)
def test_no_claim_without_figures_for_it(found: Load, reason: str) -> None:
    """Where the consumer does not wait, or no threads stand out, no step is named and nothing is advised."""
    step, said, advice = advised(NUMBERS, found)
    assert (step, advice) == (None, None)
    assert reason in said


@pytest.mark.parametrize(
    "change",
    [
        ("  - map: {image: [{resize", "  - map: {image: [random_flip_left_right, {resize"),
        ("COUNT", "infinite"),
        ("  - shuffle: 4\n", "  - cache: memory\n"),
    ],
)
def test_no_cache_where_it_would_freeze_or_not_end(change: tuple[str, str]) -> None:
    """A cache is not advised behind a draw, for endless elements, or before another cache."""
    text = IMAGES.replace(*change).replace("COUNT", "24")
    number = next(i for i, step in enumerate(plan_of(text).steps) if step.title == "map")
    found = advised(text, load({CALLS: {number: 9.0}}, cpu_seconds=20.0))
    assert (found[0], found[2]) == (number, None)
