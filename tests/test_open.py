"""What `safedata.open` lets go of when its block is left, and what it says of the rest."""

from __future__ import annotations

import gc
import itertools
import logging
import pickle
import weakref
from collections.abc import Generator, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import safedata
from safedata.pipeline import Freed, Pipeline, referrers
from safedata.problem import DataError, Problem

pytestmark = pytest.mark.tf

CACHED = """
safedata: 1
source: {range: 1000}
steps:
  - cache: memory
  - batch: 10
"""
PLAIN = "safedata: 1\nsource: {range: 1000}\nsteps: [{batch: 10}]\n"


def held(pipeline: Pipeline) -> list[str]:
    assert pipeline.freed is not None
    return [str(one) for one in pipeline.freed.held]


def use(pipeline: Pipeline) -> None:
    assert sum(1 for _ in pipeline.dataset) == 100


def functions() -> set[str]:
    """The traced functions that TensorFlow keeps: by name, since a collection may take earlier tests' ones."""
    context: Any = __import__("tensorflow.python.eager.context", fromlist=["context"])
    return {name for name in map(str, context.context().list_function_names()) if "__inference" in name}


def test_nothing_is_left(tf: ModuleType) -> None:
    """After leaving, the dataset, its inputs and its traced functions are gone, with no collection by the caller."""
    before = functions()
    with safedata.open("safedata: 1\nsource: {range: 9}\nsteps: [{map: {value: = value + 1}}]\n") as pipeline:
        parts = [weakref.ref(pipeline.dataset), weakref.ref(pipeline.dataset._inputs()[0])]
        assert functions() - before
        assert sum(1 for _ in pipeline.dataset) == 9
    assert [part() for part in parts] == [None, None]
    assert functions() <= before
    assert held(pipeline) == []


def test_a_memory_cache_is_given_back() -> None:
    """A cache of 96 MiB goes with the pipeline, back to the system or into TensorFlow's pool: four fifths at least."""
    spec = """
safedata: 1
source: {synthetic: {components: {x: "uint8[1024, 256]"}, count: 96}}
steps: [{map: {x: [{cast: float32}]}}, {cache: memory}]
"""
    with safedata.open(spec) as pipeline:
        for _ in pipeline.dataset:
            pass
        del _
    assert pipeline.freed is not None
    assert pipeline.freed.host is not None
    pooled = [before - after for before, after in pipeline.freed.pools.values()]
    assert pipeline.freed.host + sum(pooled) > 0.8 * 96 * 2**20, str(pipeline.freed)
    assert all(after <= before for before, after in pipeline.freed.pools.values())


def test_what_stays() -> None:
    """Verdict, type, manifest and the skipped elements can be read after leaving; the dataset cannot."""
    with safedata.open(PLAIN) as pipeline:
        spec = pipeline.dataset.element_spec
        assert pipeline.freed is None
    assert pipeline.verdict.fits
    assert pipeline.element_spec == spec
    assert pipeline.manifest["cardinality"] == "exactly 100"
    assert pipeline.skipped() == []
    with pytest.raises(
        safedata.ClosedError, match=r"SD509.*the pipeline of `<text>` was left.*`safedata.load`"
    ):
        _ = pipeline.dataset


def test_closing_twice_is_once() -> None:
    """A second `close` changes nothing, so that a block can close early."""
    with safedata.open(PLAIN) as pipeline:
        pipeline.close()
        freed = pipeline.freed
    assert pipeline.freed is freed


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, SystemExit])
def test_an_exception_leaves_nothing(error: type[BaseException]) -> None:
    """A block that is left by an exception lets go while the exception is still on its way."""
    gone: list[weakref.ref[Any]] = []

    def train() -> None:
        with safedata.open(CACHED) as pipeline:
            gone.append(weakref.ref(pipeline.dataset))
            for _ in pipeline.dataset:
                raise error

    with pytest.raises(error) as caught:
        train()
    assert gone[0]() is None
    assert caught.value.__traceback__ is not None


def test_an_error_in_the_data_leaves_nothing(tf: ModuleType) -> None:
    """TensorFlow's own frames in a traceback do not keep the iterator that failed."""
    spec = "safedata: 1\nsource: {range: 9}\nsteps: [{batch: 2}]\n"
    gone: list[weakref.ref[Any]] = []

    def bad(element: dict[str, Any]) -> Any:
        return tf.debugging.check_numerics(tf.cast(element["value"], "float32") / 0, "")

    def train() -> None:
        with safedata.open(spec) as pipeline:
            gone.append(weakref.ref(pipeline.dataset))
            assert sum(1 for _ in pipeline.dataset.map(bad))

    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        train()
    assert caught.value is not None
    assert gone[0]() is None


def test_a_generator_that_is_closed_leaves_nothing() -> None:
    """A generator with an open pipeline lets go of it when it is closed."""
    gone: list[weakref.ref[Any]] = []

    def batches() -> Generator[object, None, None]:
        with safedata.open(CACHED) as pipeline:
            gone.append(weakref.ref(pipeline.dataset))
            yield from pipeline.dataset

    running = batches()
    next(running)
    running.close()
    assert gone[0]() is None


KEPT: list[Any] = []


def test_holders_are_named() -> None:
    """Each variable, attribute or global that holds a dataset, an iterator or batches is named with its place."""
    owner = SimpleNamespace()
    with safedata.open(CACHED) as pipeline:
        iterator = iter(pipeline.dataset)
        batch = next(iterator)
        owner.data = pipeline.dataset
        derived = pipeline.dataset.take(3)
        KEPT.append(pipeline.dataset)
    text = "\n".join(held(pipeline))
    assert (
        f"an iterator is held by the local variable `iterator` of `{test_holders_are_named.__name__}`" in text
    )
    assert "test_open.py:" in text
    assert "the dataset is held by the attribute `data` of a `types.SimpleNamespace`" in text
    assert f"the dataset is held by the global `KEPT` of `{__name__}`" in text
    assert "a dataset made from it is held by the local variable `derived`" in text
    assert "a tensor like the pipeline's (80 B) is held by the local variable `batch`" in text
    assert sum(1 for _ in iterator) == 99, "what the program holds goes on working"
    KEPT.clear()
    del owner, derived, batch


def test_a_slow_machine_finds_a_name_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time ends the search for further names, not the one for the first."""
    box = {"in": [SimpleNamespace()]}
    seconds = itertools.count()
    monkeypatch.setattr("safedata.pipeline.referrers.time.monotonic", lambda: float(next(seconds)))
    assert any("the local variable `box`" in name for name in referrers.name_holders([box["in"][0]]))


def test_closures_and_generators_are_named() -> None:
    """What a function closes over, and what a suspended generator holds, is named too."""

    def make(dataset: Any) -> tuple[Any, Any]:
        def closing() -> Any:
            return dataset

        def suspended() -> Iterator[Any]:
            own = iter(dataset)
            yield next(own)

        return closing, suspended()

    with safedata.open(PLAIN) as pipeline:
        closing, running = make(pipeline.dataset)
        next(running)
    text = "\n".join(held(pipeline))
    assert "closing` (" in text
    assert "closes over" in text
    assert "an iterator is held by the local variable `own` of `suspended`" in text
    del closing, running


def test_looking_for_holders_keeps_nothing() -> None:
    """Reading the variables of a running function leaves no reference to them in its frame."""
    with safedata.open(PLAIN) as pipeline:
        iterator = iter(pipeline.dataset)
    assert len(held(pipeline)) == 1
    gone = weakref.ref(iterator)
    del iterator
    assert gone() is None


def test_tensors_that_were_there_before_are_not_named(tf: ModuleType) -> None:
    """A tensor of the same type that is older than the pipeline is none of its."""
    older = tf.zeros([10], "int64")
    with safedata.open(PLAIN) as pipeline:
        use(pipeline)
    assert held(pipeline) == []
    del older


def test_the_report(caplog: pytest.LogCaptureFixture) -> None:
    """Without a callable what was freed is logged: a warning where a cache or buffers stay, else for information."""
    caplog.set_level(logging.INFO, "safedata")
    with safedata.open(PLAIN):
        pass
    with safedata.open(CACHED) as pipeline:
        kept = pipeline.dataset
    first, second = caplog.records
    assert first.levelno == logging.INFO
    assert "of host memory" in first.message
    assert second.levelno == logging.WARNING
    assert "the dataset is still held by the local variable `kept`" in second.message
    told: list[Freed] = []
    with safedata.open(PLAIN, report=told.append) as reported:
        pass
    assert told == [reported.freed]
    assert len(caplog.records) == 2
    del kept


def test_keras_keeps_nothing(tf: ModuleType) -> None:
    """After `model.fit` neither the model nor Keras holds the dataset, with the session cleared or not."""
    spec = """
safedata: 1
source: {synthetic: {components: {x: "float32[4]", y: "float32[1]"}, count: 32}}
steps: [{batch: 8}]
output: [x, y]
"""
    model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    for clear in (False, True):
        with safedata.open(spec, clear_keras=clear) as pipeline:
            gone = weakref.ref(pipeline.dataset)
            model.fit(pipeline.dataset, epochs=2, verbose=0, shuffle=False)
        assert gone() is None
    assert tf.keras.layers.Dense(1).name == "dense"


def test_skipping_keeps_no_plan(specs: Path, tmp_path: Path, tf: ModuleType) -> None:
    """What TensorFlow keeps of `on_error: skip` for ever is a count: the plan goes with the dataset, and not before."""
    from safedata.compile import Skips

    def plans() -> list[int]:
        gc.collect()
        alive = [one.plan for one in gc.get_objects() if type(one) is Skips]
        return [id(plan) for plan in alive if str(tmp_path) in str(plan.program.document.texts)]

    good = next((specs / "data" / "photos").rglob("*.jpg")).read_bytes()
    for number in range(3):
        (tmp_path / f"{number}.jpg").write_bytes(good[: len(good) // 2])
    text = f"""
safedata: 1
source: {{files: {{path: "{tmp_path}/*.jpg"}}}}
steps: [{{map: {{data: [decode_image]}}}}]
runtime: {{on_error: {{skip: {{max: 1}}}}}}
"""
    dataset = safedata.load(text, folder=tmp_path)
    assert len(plans()) == 1
    with pytest.raises(tf.errors.UnknownError, match="more than 1 elements could not be read"):
        list(dataset)
    del dataset
    assert plans() == []


def test_errors_cross_processes() -> None:
    """A copy of an error by pickle has its problems, its text and its files."""
    error = DataError([Problem("SD404", "bad", help="mend it")])
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.problems) == (DataError, str(error), error.problems)
    with pytest.raises(safedata.SpecError) as caught:
        safedata.load("safedata: 1\nsource: {rang: 1}\n")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert copy.problems == caught.value.problems
