"""What a state is, which ones are refused, and the two ways into a checkpoint of TensorFlow's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import safedata

pytestmark = pytest.mark.tf

TEXT = """
safedata: 1
source: {range: 40}
steps:
  - shuffle: 10
  - map: {u: "= uniform(0.0, 1.0)"}
  - batch: 4
"""


def opened(text: str, **more: Any) -> Any:
    return safedata.open(text, report=lambda _: None, **more)


def state_of(text: str, count: int = 3) -> dict[str, Any]:
    with opened(text) as pipeline:
        iteration = pipeline.iterate()
        for _, _ in zip(range(count), iteration, strict=False):
            pass
        state: dict[str, Any] = iteration.state()
    return state


def test_a_state_is_a_few_numbers() -> None:
    """It is less than 500 bytes of JSON, whatever buffers hold, and is there when the pipeline was left."""
    with opened(TEXT) as pipeline:
        iteration = pipeline.iterate()
        next(iter(iteration))
    state = iteration.state()
    assert (state["epoch"], state["elements"]) == (0, 1)
    assert len(json.dumps(state)) < 500


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"epoch": 1},
        {"epoch": -1, "elements": 0, "of": {"a": ""}},
        {"epoch": True, "elements": 0, "of": {"a": ""}},
        "a",
    ],
)
def test_what_is_no_state_is_refused(state: Any) -> None:
    """A mapping without what a state has, or with numbers that are none, is SD546."""
    with (
        opened(TEXT) as pipeline,
        pytest.raises(safedata.StateError, match=r"SD546.*is no state of an iteration"),
    ):
        pipeline.iterate(state)


def test_a_place_behind_the_end_is_refused() -> None:
    """A state behind more elements than an epoch has is SD546."""
    state = {**state_of(TEXT), "elements": 11}
    message = "behind element 11 of epoch 0, and an epoch here has exactly 10 elements"
    with opened(TEXT) as pipeline, pytest.raises(safedata.StateError, match=message):
        pipeline.iterate(state)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("shuffle: 10", "shuffle: 11", "`steps` changed"),
        ("range: 40", "range: 41", "`source` and the names, sizes or times of the data's files changed"),
        ("safedata: 1", "safedata: 1\nruntime: {seed: 5}", "`runtime.seed` changed"),
        ("steps:", "output: [u]\nsteps:", "`output` changed"),
    ],
)
def test_a_state_of_another_pipeline_is_refused(old: str, new: str, named: str) -> None:
    """What changes an element or the order makes a state one of another pipeline, and the message says what it is."""
    state = state_of(TEXT)
    with (
        opened(TEXT.replace(old, new)) as pipeline,
        pytest.raises(safedata.StateError, match=f"SD547.*{named}"),
    ):
        pipeline.iterate(state)


def test_the_programs_seed_is_part_of_it(tf: ModuleType) -> None:
    """With another number of `tf.random.set_seed` orders are others, so a state is refused."""
    state = state_of(TEXT)
    tf.random.set_seed(4)
    try:
        with (
            opened(TEXT) as pipeline,
            pytest.raises(safedata.StateError, match=r"number of `tf.random.set_seed`"),
        ):
            pipeline.iterate(state)
    finally:
        tf.random.set_seed(87654321)  # TensorFlow's own default


def test_what_changes_no_element_is_taken() -> None:
    """Threads, calls, prefetches, names and the budget may change."""
    other = TEXT.replace("safedata: 1", "safedata: 1\nname: x\nruntime: {threads: 1}\nbudget: {host: 50%}")
    other = other.replace("- map", "- parallel: 3\n    name: draw\n    map") + "  - prefetch: 3\n"
    with opened(other) as pipeline:
        assert pipeline.iterate(state_of(TEXT)).elements == 3


def test_orders_that_nobody_knows_have_no_state() -> None:
    """Without a deterministic order, and in a second epoch behind a `repeat` that was cut short, it is SD548."""
    loose = TEXT.replace("safedata: 1", "safedata: 1\nruntime: {deterministic: false}")
    with (
        opened(loose) as pipeline,
        pytest.raises(safedata.StateError, match=r"SD548.*no two passes have one order"),
    ):
        pipeline.iterate().state()
    cut = (
        TEXT.replace("safedata: 1", "safedata: 1\nruntime: {accept: [SD606]}") + "  - repeat:\n  - take: 3\n"
    )
    with opened(cut) as pipeline:
        iteration = pipeline.iterate()
        assert len(list(iteration)) == 3
        with pytest.raises(
            safedata.StateError, match="nobody knows what `shuffle` will make of the next one"
        ):
            iteration.state()


def test_a_left_pipeline_is_not_iterated_over() -> None:
    """Neither a new iteration nor one from before goes on when the pipeline was left."""
    with opened(TEXT) as pipeline:
        iteration = pipeline.iterate()
    with pytest.raises(safedata.ClosedError, match="was left"):
        next(iter(iteration))
    with pytest.raises(safedata.ClosedError, match="was left"):
        pipeline.iterate()


def test_an_element_that_fails_says_where() -> None:
    """What TensorFlow says of a bad element becomes an error with a code, as in `build`."""
    text = "safedata: 1\nsource: {range: 5}\nsteps: [{map: {value: = 7 // (value - 3)}}]\n"
    with opened(text) as pipeline, pytest.raises(safedata.DataError, match="range element 3"):
        list(pipeline.iterate())


def test_a_checkpoint_has_the_state(tf: ModuleType, tmp_path: Path) -> None:
    """`tf.train.Checkpoint` saves and restores an iteration beside a model's variables."""
    with opened(TEXT) as pipeline:
        iteration, step = pipeline.iterate(), tf.Variable(0)
        elements = iter(iteration)
        for _ in range(3):
            next(elements)
        step.assign(3)
        saved = tf.train.Checkpoint(step=step, data=iteration.trackable).save(str(tmp_path / "it"))
        want = [one["value"].numpy().tolist() for one in elements]
    with opened(TEXT) as pipeline:
        iteration, step = pipeline.iterate(), tf.Variable(0)
        tf.train.Checkpoint(step=step, data=iteration.trackable).restore(saved)
        assert (int(step), iteration.elements) == (3, 3)
        assert [one["value"].numpy().tolist() for one in iteration] == want


BUFFERS = {
    "shuffle": TEXT,
    "memory cache that is not full": TEXT.replace("  - shuffle: 10", "  - cache: memory\n  - shuffle: 10"),
    "mix": TEXT.replace("source: {range: 40}", "source: {mix: [{range: 20}, {range: 20}]}"),
}
CHILD = """
import json, sys
import safedata
with safedata.open(sys.stdin.read(), report=lambda _: None) as pipeline:
    iterator = pipeline.iterator()
    from safedata.compile import tensorflow
    tf = tensorflow()
    tf.train.Checkpoint(iterator=iterator).read(sys.argv[1])
    print(json.dumps([{name: part.numpy().tolist() for name, part in one.items()} for one in iterator]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", BUFFERS)
def test_tensorflow_saves_its_own_iterators(name: str, tf: ModuleType, tmp_path: Path) -> None:
    """An iterator that TensorFlow saved, with its buffers, goes on in another process."""
    with opened(BUFFERS[name]) as pipeline:
        iterator = pipeline.iterator()
        for _ in range(3):
            next(iterator)
        saved = tf.train.Checkpoint(iterator=iterator).write(str(tmp_path / "iterator"))
        want = [{key: part.numpy().tolist() for key, part in one.items()} for one in iterator]
    done = subprocess.run(
        [sys.executable, "-c", CHILD, saved],
        input=BUFFERS[name],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == want


def made() -> Any:
    """Yield what a source that calls Python gives."""
    for number in range(5):
        yield {"x": number}


GENERATOR = """
safedata: 1
source: {call: {function: "NAME:made", returns: {x: "int64[]"}, cardinality: 5, workspace: 1MiB}}
steps: [{batch: 2}]
"""
SKIPPED = TEXT.replace("safedata: 1", "safedata: 1\nruntime: {on_error: skip}")


@pytest.mark.parametrize(
    "text",
    [
        SKIPPED.replace("uniform(0.0, 1.0)", "7 // (value - 3)"),
        GENERATOR.replace("NAME", __name__),
    ],
)
def test_what_tensorflow_cannot_save_is_said(text: str) -> None:
    """Python in a pipeline is SD549 before the first element, and the message names the way that works."""
    with opened(text, allow=[__name__]) as pipeline:
        with pytest.raises(
            safedata.StateError, match=r"SD549.*cannot save an iterator.*pipeline.iterate"
        ) as caught:
            pipeline.iterator()
        assert "run in Python" in caught.value.problems[0].notes[0]


def test_a_state_is_small_beside_the_buffers() -> None:
    """TensorFlow's own checkpoint has the bytes of the shuffle's buffer in it, the state some hundred bytes."""
    from tests.benchmarks.resume import figures

    found = figures(8 << 20)
    assert found["tf.train.Checkpoint"][0] > 7 << 20
    assert found["state of safedata"][0] < 500
