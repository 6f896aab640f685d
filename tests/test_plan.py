"""Plans: the steps that no spec names, and rewrites that change no element."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

import safedata
from safedata.plan import Plan
from safedata.rewrite.entry import Entry

PHOTOS = """\
safedata: 1
source: {{image_folder: {{path: "{data}"}}}}
steps:
{steps}
"""


@pytest.fixture
def plan(specs: Path, tmp_path: Path) -> object:
    """A function that returns the plan of steps over the shipped photos."""

    def make(steps: str, extra: str = "") -> Plan:
        path = tmp_path / "spec.yaml"
        path.write_text(PHOTOS.format(data=specs / "data" / "photos", steps=steps) + extra)
        verdict = safedata.check(path)
        assert verdict.plan is not None, verdict.problems
        return verdict.plan

    return make


def titles(plan: Plan) -> list[str]:
    return [step.title for step in plan.steps]


def test_reading_moves_behind_stages_that_do_not_look(plan: object) -> None:
    """A shuffle directly behind a file source holds paths; the reading joins the map behind it."""
    made = plan("  - shuffle: 50\n  - map: {image: [decode_image, {resize: [8, 8]}]}\n  - batch: 4\n")  # type: ignore[operator]
    names = titles(made)
    assert names.index("shuffle") < next(i for i, name in enumerate(names) if name.startswith("read"))
    assert any("moved behind `shuffle`" in note for note in made.rewrites)
    assert any("run in one call" in note for note in made.rewrites)
    shuffle = made.steps[names.index("shuffle")]
    assert "image" not in shuffle.after.element


def test_reading_stays_before_stages_that_look(plan: object) -> None:
    """A filter on the bytes reads them first."""
    made = plan("  - filter: length(image) > 10\n  - shuffle: 5\n")  # type: ignore[operator]
    names = titles(made)
    read = next(i for i, name in enumerate(names) if name.startswith("read"))
    assert read < names.index("filter") < names.index("shuffle")


def test_unused_components_are_dropped_before_the_next_buffer(plan: object) -> None:
    """What `output` leaves out is in no batch and no prefetch buffer."""
    steps = "  - map: {image: [decode_image, {resize: [8, 8]}]}\n  - batch: 4\n  - prefetch: 2\n"
    made = plan(steps, "output: [image, label]\n")  # type: ignore[operator]
    batch = made.steps[titles(made).index("batch")]
    assert set(batch.after.element) == {"image", "label"}
    whole = plan(steps)  # type: ignore[operator]
    batch = whole.steps[titles(whole).index("batch")]
    assert set(batch.after.visible) == {"image", "label", "path"}


def test_index_and_epoch_are_there_only_where_something_draws(plan: object) -> None:
    """Elements carry a key only for random operations and for naming bad data, and lose it after the last use."""
    quiet = plan("  - map: {label: [{one_hot: 5}]}\n", "output: [label]\n")  # type: ignore[operator]
    assert "epoch" not in titles(quiet)
    steps = "  - map: {image: [decode_image, {resize: [8, 8]}, random_flip_left_right]}\n  - batch: 4\n"
    random = plan(steps)  # type: ignore[operator]
    assert titles(random)[:2] == ["image_folder", "epoch"]
    assert set(random.steps[0].after.element) == {"path", "label", "#index"}
    assert not any(name.startswith("#") for name in random.result.element)


@pytest.mark.tf
def test_rewrites_change_no_element(specs: Path, tf: ModuleType) -> None:
    """The same steps with and without the moves of the rewrites give equal elements."""
    import numpy as np

    from safedata import rewrite
    from safedata.compile import compile_plan
    from safedata.request import Request, checked

    spec = PHOTOS.format(
        data=specs / "data" / "photos",
        steps="  - shuffle: {buffer: 20, seed: 3}\n  - take: 12\n"
        "  - map: {image: [decode_image, {resize: [16, 16]}, {random_brightness: 20}]}\n  - batch: 4\n",
    )
    rewritten = list(compile_plan(checked(spec, Request({}))).dataset)
    kept = rewrite.apply

    def none(entries: Sequence[Entry], after: frozenset[str] = frozenset()) -> tuple[list[Entry], list[str]]:
        return list(entries), []

    try:
        rewrite.apply = none
        plain = list(compile_plan(checked(spec, Request({}))).dataset)
    finally:
        rewrite.apply = kept
    assert len(rewritten) == len(plain) == 3
    for one, other in zip(rewritten, plain, strict=True):
        np.testing.assert_array_equal(one["image"], other["image"])
        np.testing.assert_array_equal(one["path"], other["path"])
