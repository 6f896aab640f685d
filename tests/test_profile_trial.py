"""Changes that a profile names were measured to make the pipeline faster, by the same batches."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

import safedata
from safedata.profiling import trial
from safedata.profiling.bottleneck import Bottleneck
from safedata.profiling.figures import Profile
from safedata.profiling.model import Lane, Reading, Recorder
from safedata.profiling.trial import Taker, faster, settled, trials
from tests.test_profile import plan_of

SMALL = """\
safedata: 1
source: {range: 20}
steps:
  - map: {value: "= value * 2"}
    parallel: 2
  - repeat:
  - batch: 64
  - prefetch: 2
"""


def unsettled(text: str, host: str = "64GiB") -> Profile:
    """Return what settling needs of the profile of a fast pipeline whose figures name no cause."""
    verdict = safedata.check(text, host=host)
    found = Bottleneck(None, "nobody knows", None, sure=False)
    wait = SimpleNamespace(median=0.001)
    given = SimpleNamespace(
        verdict=verdict, plan=verdict.plan, bottleneck=found, wait=wait, seconds=2.0, per_second=1e6
    )
    return cast("Profile", given)


def advices(text: str) -> list[str]:
    return [one.advice for one in trials(unsettled(text))]


def test_what_is_tried() -> None:
    """A batch and a `repeat` before the maps, and a cache before the `repeat`."""
    assert advices(SMALL) == [
        "`repeat` and `batch` before the `map` in line 4",
        "`repeat` before the `map` in line 4",
        "`cache: memory` before the `repeat` in line 6",
    ]


@pytest.mark.parametrize(
    ("old", "new", "tried"),
    [
        ("  - repeat:\n", "  - repeat:\n  - filter: value < 9\n", "`batch`"),
        ("steps:", "runtime: {on_error: skip}\nsteps:", "`batch`"),
        ("steps:\n", "steps:\n  - shuffle: 5\n", "`cache: memory`"),
        ("range: 20", "range: 20_000_000", "`cache: memory`"),
    ],
)
def test_what_would_give_other_elements_is_not_tried(old: str, new: str, tried: str) -> None:
    """Batches before a filter or a map that leaves elements out, a cache of what changes or takes long to fill."""
    assert any(tried in one for one in advices(SMALL))
    assert not any(tried in one for one in advices(SMALL.replace(old, new)))


@pytest.mark.tf
@pytest.mark.slow
def test_what_was_faster_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The step, what it costs and the change are those of the trial that was the fastest."""
    monkeypatch.setattr(trial, "_WARM", 0.05)
    monkeypatch.setattr(trial, "_MOMENT", 0.02)
    profile = safedata.profile(SMALL.replace("range: 20", "range: 2000000"), seconds=1.2)
    found = profile.bottleneck
    if found.sure:  # a machine on which the calls' threads work half of the time
        profile = replace(profile, bottleneck=found._replace(sure=False))
        found = settled(profile).bottleneck
    assert found.step is not None
    assert profile.plan.steps[found.step].title == "map"
    assert found.reason.startswith("it is called for each element, not once for a batch: without that")
    assert found.advice is not None
    assert found.advice.startswith("`repeat` and `batch` before the `map` in line 4: ")
    assert found.advice.endswith(" times as fast, as was measured beside it")


@pytest.mark.tf
def test_other_batches_are_no_change_to_make(tf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """However fast: unless the first batches are the same, one is not offered; and the same pipeline is not faster."""
    monkeypatch.setattr(trial, "_WARM", 0.01)
    monkeypatch.setattr(trial, "_MOMENT", 0.02)
    plan = plan_of(SMALL)
    other = SMALL.replace('  - map: {value: "= value * 2"}\n    parallel: 2\n', "")
    assert faster(tf, Taker(plan), Taker(plan_of(other))) == 0
    monkeypatch.setattr(trial, "FASTER", 4.0)
    assert faster(tf, Taker(plan), Taker(plan)) == 0
    head, steps = SMALL.split("steps:\n")
    one, two, *others = steps.splitlines(keepends=True)
    same = f"{head}steps:\n{''.join(others[:2])}{one}{two}{others[2]}"
    assert faster(tf, Taker(plan), Taker(plan_of(same))) > 4


def test_no_trial_without_doubt_or_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else runs where figures are clear, batches slow, the run short, or two pipelines do not fit."""
    clear, slow, short = unsettled(SMALL), unsettled(SMALL), unsettled(SMALL)
    clear.__dict__["bottleneck"] = Bottleneck(0, "clear", None)
    slow.__dict__["wait"] = SimpleNamespace(median=1.0)
    assert settled(clear) is clear
    short.__dict__["seconds"] = 0.5
    assert settled(slow) is slow
    assert settled(short) is short
    peak = unsettled(SMALL).verdict.places["host"].bytes
    assert peak is not None
    monkeypatch.setattr(trial, "Taker", lambda plan: plan)
    monkeypatch.setattr(trial, "tensorflow", lambda: SimpleNamespace(errors=SimpleNamespace(OpError=OSError)))
    monkeypatch.setattr(trial, "faster", lambda *_: pytest.fail("it ran"))
    tight = unsettled(SMALL, f"{peak + (64 << 20)}B")
    assert settled(tight) is tight


def test_calls_have_worked_on_what_waits_in_their_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    """In each of many rounds two of four elements had left the map when it was seen, and its calls had made four."""
    plan = plan_of(SMALL.replace("20}", "4}"))
    recorder, lane = Recorder(plan), Lane("calls", 2)
    for number in range(0, 100, 2):
        looks = {
            number: Reading(1, lane, False, 2, 4.0, 2, 0, True),
            number + 1: Reading(1, Lane("consumer", 1), True, 2, 0.0, 0, 0, False),
        }
        monkeypatch.setattr("safedata.profiling.model.readings", lambda *_, looks=looks: looks)
        recorder.look(None)
    assert recorder.totals.elements[1] == 100
    assert recorder.totals.ahead[lane][1] == 100
    assert recorder.totals.lanes[lane][1] == 200.0
