"""`shard: auto` follows the input context of a `tf.distribute` strategy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import safedata
from safedata.problem import SpecError

TEXT = """\
safedata: 1
source: {range: 10}
steps:
  - shard: auto
  - map: {drawn: "= uniform(0, 1)"}
  - batch: 2
"""


def values(dataset: Any) -> dict[int, float]:
    """Return each element's number with what was drawn for it."""
    return {
        int(number): float(drawn)
        for batch in dataset.as_numpy_iterator()
        for number, drawn in zip(batch["value"], batch["drawn"], strict=True)
    }


def test_the_parts_of_all_pipelines_are_the_whole() -> None:
    """Each input pipeline gets its part, and an element draws the same whichever pipeline has it."""
    import tensorflow as tf

    whole = values(safedata.load(TEXT))
    assert set(whole) == set(range(10))
    parts = [
        values(
            safedata.load(
                TEXT,
                input_context=tf.distribute.InputContext(
                    num_input_pipelines=3, input_pipeline_id=number, num_replicas_in_sync=3
                ),
            )
        )
        for number in range(3)
    ]
    assert [sorted(part) for part in parts] == [[0, 3, 6, 9], [1, 4, 7], [2, 5, 8]]
    assert {**parts[0], **parts[1], **parts[2]} == whole


def test_a_pipeline_that_is_opened_follows_too() -> None:
    """`safedata.open` takes the context as `load` does."""
    import tensorflow as tf

    context = tf.distribute.InputContext(num_input_pipelines=3, input_pipeline_id=2)
    with safedata.open(TEXT, input_context=context) as pipeline:
        assert sorted(values(pipeline.dataset)) == [2, 5, 8]


def test_a_strategy_reads_a_spec() -> None:
    """`distribute_datasets_from_function` of a strategy hands its context on, and gets every element."""
    import tensorflow as tf

    strategy = tf.distribute.MirroredStrategy(["/CPU:0"])
    batches = []

    def load(context: Any) -> Any:
        size = context.get_per_replica_batch_size(4)
        batches.append(size)
        return safedata.load(TEXT.replace("batch: 2", f"batch: {size}"), input_context=context)

    dealt = strategy.distribute_datasets_from_function(load)
    seen = [int(value) for batch in dealt for value in strategy.experimental_local_results(batch["value"])[0]]
    assert (batches, sorted(seen)) == ([4], list(range(10)))


def test_without_a_context_it_is_all_and_says_so() -> None:
    """A check has no context: the plan gives all elements, and explains why."""
    verdict = safedata.check(TEXT)
    assert verdict.fits
    assert verdict.plan is not None
    assert str(verdict.plan.result.cardinality) == "exactly 5"
    assert any("`shard: auto` is all of the elements" in note for note in verdict.plan.rewrites)


class Context:
    """An input context, as far as it is asked for."""

    num_input_pipelines = 2
    input_pipeline_id = 1


def test_a_context_that_nothing_follows_is_refused() -> None:
    """A spec without `shard: auto` would give all data to each pipeline."""
    with pytest.raises(SpecError, match=r"SD556.*one of 2, and no step follows it"):
        safedata.load(TEXT.replace("shard: auto", "take: 4"), input_context=Context())


def test_a_cache_on_disk_stands_before_it(tmp_path: Path) -> None:
    """A cache on disk behind `shard: auto` would keep another part for each pipeline under one key."""
    text = TEXT.replace("  - map", "  - cache: {path: kept}\n  - map")
    with pytest.raises(SpecError, match=r"SD556.*`cache` on disk stands behind `shard: auto`"):
        safedata.load(text, input_context=Context(), folder=tmp_path)


def test_what_is_no_context_is_refused() -> None:
    """`input_context` has the two numbers of an input pipeline."""
    with pytest.raises(TypeError, match=r"`input_context` is a tf\.distribute\.InputContext, not 3"):
        safedata.load(TEXT, input_context=3)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("shard: {count: auto, index: 1}", "`auto` has the index of the trainer's input pipeline"),
        ("shard: 4", "a shard has an `index`"),
    ],
)
def test_an_index_belongs_to_a_count(step: str, message: str) -> None:
    """A number of parts needs an index, and `auto` has its own."""
    verdict = safedata.check(TEXT.replace("shard: auto", step))
    assert [one.code for one in verdict.problems] == ["SD105"]
    assert message in verdict.problems[0].message


def test_it_is_no_step_of_an_input() -> None:
    """A part of an input is not a part of what a combinator makes of it."""
    text = """\
safedata: 1
source:
  concatenate:
    inputs:
      one: {source: {range: 4}, steps: [{shard: auto}]}
      two: {source: {range: 4}}
"""
    verdict = safedata.check(text)
    assert [(one.code, one.message) for one in verdict.problems] == [
        (
            "SD207",
            "`shard: auto` is a step of an input, and the part of an input pipeline is one of all elements",
        )
    ]
