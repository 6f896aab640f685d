"""Caches on disk: what is read is what was made, in whatever order and batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import safedata
from safedata.lowering import INDEX
from safedata.phases import phases
from tests.caching import COUNTED, Write, column, entries, spec


@pytest.mark.tf
def test_what_is_read_is_what_was_made(write: Write, tmp_path: Path) -> None:
    """Elements come back in the order in which they were made, in this run, the next epoch, and another run."""
    made = safedata.load(write(spec().replace("  - cache: {path: store}\n", ""), "without.yaml"))
    [first] = {tuple(column(made, "value"))}
    for _ in range(2):
        dataset = safedata.load(write(spec()))
        assert dataset.element_spec == made.element_spec
        for _ in range(2):
            assert tuple(column(dataset, "value")) == first
            assert column(dataset, "y") == [2.5 * value for value in first]
            assert column(dataset, "m") == [value % 2 == 0 for value in first]
    assert len(entries(tmp_path / "store")) == 1


@pytest.mark.tf
@pytest.mark.parametrize(
    "behind",
    [
        [],
        ["batch: 64"],
        ["batch: {size: 64, drop_remainder: true}"],
        ["shuffle: all"],
        ["shuffle: all", "batch: 64"],
        ["shuffle: all", "batch: {size: 64, drop_remainder: true}", "prefetch: 2"],
        ["shuffle: {buffer: 1000, seed: 5}", "map: {y: = y + 1.0}", "batch: 64"],
        ["shuffle: 20", "batch: 64"],
        ["take: 20", "shuffle: all"],
        ["batch: 64", "unbatch:"],
    ],
)
def test_every_element_once(write: Write, behind: list[str]) -> None:
    """Whatever stands behind, each epoch has every element once that it should have."""
    dataset = safedata.load(write(spec(*behind)))
    plan = safedata.check(write(spec(*behind))).plan
    assert plan is not None
    for _ in range(2):
        values = column(dataset, "value")
        rows = len(set(values))
        assert rows == len(values) == (20 if "take: 20" in behind else 960 if "drop" in str(behind) else 1000)
        count = plan.result.cardinality
        assert sum(1 for _ in dataset) == count.most or count.kind != "exactly"


@pytest.mark.tf
@pytest.mark.parametrize(
    ("size", "steps"), [(1, []), (10, ["batch: 10"]), (30, ["batch: {size: 30, drop_remainder: true}"])]
)
def test_rows_of_many_chunks(
    write: Write, monkeypatch: pytest.MonkeyPatch, size: int, steps: list[str]
) -> None:
    """However many reads it takes, elements come in their order, with batches of the size that was asked for."""
    monkeypatch.setattr("safedata.sources._stored._CHUNK_BYTES", 1024)
    monkeypatch.setattr("safedata.stages._shelve.CHUNK_ROWS", 64)
    whole = column(safedata.load(write(spec())), "value")
    dataset = safedata.load(write(spec(*steps)))
    sizes = [np.size(element["value"].numpy()) for element in dataset]
    assert column(dataset, "value") == whole[: sum(sizes)]
    assert sizes == [size] * (1000 // size)


@pytest.mark.tf
def test_a_perfect_shuffle(write: Write) -> None:
    """The order is another one in each epoch, the same in each run, and follows from the seed."""
    text = spec("shuffle: all", "batch: 64")
    dataset = safedata.load(write(text))
    epochs = [column(dataset, "value") for _ in range(3)]
    assert len({tuple(one) for one in epochs}) == 3
    assert abs(np.corrcoef(epochs[0], epochs[1])[0, 1]) < 0.15
    assert [column(again, "value") for again in [safedata.load(write(text))] for _ in range(3)] == epochs
    seeded = [safedata.load(write(spec(f"shuffle: {{buffer: all, seed: {seed}}}"))) for seed in (1, 1, 2)]
    one, two, three = (column(dataset, "value") for dataset in seeded)
    assert one == two != three
    fixed = safedata.load(write(spec("shuffle: {buffer: all, reshuffle: false}")))
    assert column(fixed, "value") == column(fixed, "value")


@pytest.mark.tf
def test_draws_behind_are_new_in_each_epoch(write: Write) -> None:
    """Random operations behind draw by epoch and element, the same whether in batches or not."""
    text = (
        "safedata: 1\nsource: {synthetic: {components: {image: 'uint8[4, 4, 3]'}, count: 20}}\nsteps:\n"
        "  - cache: {path: store}\nBEHIND"
    )
    flip = "map: {image: [{random_flip_left_right: {p: 0.5}}]}"
    alone = safedata.load(write(spec(flip, text=text)))
    batched = safedata.load(write(spec("batch: 8", flip, text=text)))
    first, second = column(alone, "image"), column(alone, "image")
    assert first != second
    assert column(batched, "image") == np.reshape(first, (20, 4, 4, 3)).tolist()


@pytest.mark.tf
def test_batches_can_be_kept(write: Write) -> None:
    """Whole batches are rows as well, and their elements are counted through."""
    text = COUNTED.replace("  - cache", "  - batch: {size: 10, drop_remainder: true}\n  - cache")
    dataset = safedata.load(write(spec("unbatch:", "shuffle: all", text=text)))
    assert sorted(column(dataset, "value")) == list(range(1000))


@pytest.mark.tf
def test_two_caches(write: Write, tmp_path: Path) -> None:
    """The second is made of the first, and once it is there the first is not read."""
    text = spec("map: {z: = value + 1}", "cache: {path: other}", "batch: 10")
    dataset = safedata.load(write(text))
    assert column(dataset, "z") == [value + 1 for value in column(dataset, "value")]
    [first], [_] = entries(tmp_path / "store"), entries(tmp_path / "other")
    for file in first.iterdir():
        file.unlink()
    first.rmdir()
    assert column(safedata.load(write(text)), "z") == column(dataset, "z")
    assert entries(tmp_path / "store") == []


@pytest.mark.tf
def test_nothing_is_left_out_of_an_empty_cache(write: Write) -> None:
    """A cache of no elements is a cache."""
    text = COUNTED.replace("range: 1000", "range: 10").replace(
        "  - cache", "  - filter: value > 100\n  - cache"
    )
    assert list(safedata.load(write(spec("shuffle: all", "batch: 2", text=text)))) == []


@pytest.mark.tf
def test_the_programs_seed_changes_nothing(write: Write, tf: Any) -> None:
    """What is kept does not depend on `tf.random.set_seed`, which stays as the program has set it."""
    first = column(safedata.load(write(spec().replace("store", "one"))), "value")
    tf.random.set_seed(7)
    try:
        assert column(safedata.load(write(spec().replace("store", "two"))), "value") == first
        assert tf.compat.v1.get_seed(0)[0] == 7
    finally:
        tf.random.set_seed(87654321)


@pytest.mark.parametrize(
    ("steps", "counted"),
    [
        (["batch: 64", "prefetch: 2"], False),
        (["shuffle: all", "batch: 64"], False),
        (
            ["map: {t: [{from: value}, as_string, {vocab_lookup: {vocab: ['1'], num_oov_indices: 0}}]}"],
            True,
        ),
    ],
)
def test_elements_are_counted_for_those_who_ask(write: Write, steps: list[str], counted: bool) -> None:
    """An element has its number beside it only where a later step wants it: dropping it costs a call each."""
    plan = safedata.check(write(spec(*steps))).plan
    assert plan is not None
    assert (INDEX in phases(plan)[-1].plan.steps[0].after.element) is counted
