"""Caches on disk of components whose shape varies: ragged ones, and those with dimensions of at most so many."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import safedata
from safedata.memory import DISK, MIB
from tests.caching import ROOT, Write, entries, spec
from tests.phases.test_cache_bytes import peaks

WORDS = """
safedata: 1
source: {range: 60}
steps:
  - map: {t: [{from: value}, as_string, {split_string: {by: characters}}]}
CACHE
BEHIND
"""
RAGGED = WORDS.replace("CACHE", "  - ragged_batch: {size: 4, drop_remainder: true}\nCACHE")
PHOTOS = f"""
safedata: 1
source: {{image_folder: '{ROOT / "specs/data/photos"}'}}
steps:
  - map: {{image: [decode_image]}}
CACHE
BEHIND
"""
CACHE = "  - cache: {path: store}"


def both(write: Write, text: str, *behind: str) -> tuple[Any, Any]:
    """Return the dataset with a cache, and the one without."""
    with_cache, without = (
        safedata.load(write(spec(*behind, text=text.replace("CACHE", one)), f"{len(one)}.yaml"))
        for one in (CACHE, "")
    )
    return with_cache, without


def rows(dataset: Any) -> list[Any]:
    """Return all elements as lists of numbers and texts, images as their shape and bytes."""

    def plain(value: Any) -> Any:
        if hasattr(value, "to_list"):
            return value.to_list()
        made = np.asarray(value.numpy())
        return made.tolist() if made.size < 1000 else (made.shape, made.tobytes())

    return [{name: plain(value) for name, value in one.items()} for one in dataset]


@pytest.mark.tf
@pytest.mark.parametrize("text", [WORDS, RAGGED, PHOTOS], ids=["words", "ragged", "photos"])
def test_what_is_read_is_what_was_made(write: Write, text: str) -> None:
    """Elements come back as they were, of the same type, in every epoch."""
    kept, plain = both(write, text)
    assert kept.element_spec == plain.element_spec
    for _ in range(2):
        assert rows(kept) == rows(plain)


@pytest.mark.tf
@pytest.mark.parametrize("text", [WORDS, RAGGED], ids=["words", "ragged"])
def test_in_any_order(write: Write, text: str) -> None:
    """A perfect shuffle gives each element once, its parts together, in another order in each epoch."""
    shuffled, _ = both(write, text, "shuffle: all")
    _, plain = both(write, text)
    first, second = rows(shuffled), rows(shuffled)
    assert sorted(first, key=str) == sorted(second, key=str) == sorted(rows(plain), key=str)
    assert first != second


@pytest.mark.tf
@pytest.mark.parametrize("order", [[], ["shuffle: all"]])
def test_elements_of_ragged_batches_are_counted_through(write: Write, order: list[str]) -> None:
    """What wants the numbers of a batch's elements gets one for each, also where a ragged component comes first."""
    text = RAGGED.replace("CACHE", "  - select: [t, value]\nCACHE")
    words = str([str(one) for one in range(60)])
    lookup = (
        f"map: {{w: [{{from: value}}, as_string, {{vocab_lookup: {{vocab: {words}, num_oov_indices: 0}}}}]}}"
    )
    kept, plain = both(write, text, *order, lookup)
    assert sorted(rows(kept), key=str) == sorted(rows(plain), key=str)


@pytest.mark.tf
def test_batches_behind(write: Write) -> None:
    """What makes one batch of different shapes does so behind a cache as well."""
    kept, plain = both(write, WORDS, "padded_batch: 8")
    assert rows(kept) == rows(plain)


@pytest.mark.tf
@pytest.mark.parametrize("text", [WORDS, RAGGED, PHOTOS], ids=["words", "ragged", "photos"])
def test_the_disk_is_not_used_above_the_bound(write: Write, tmp_path: Path, text: str) -> None:
    """The files take no more than the check says."""
    path = write(spec(text=text.replace("CACHE", CACHE)))
    bound = safedata.check(path).places[DISK].bytes
    safedata.load(path)
    [entry] = entries(tmp_path / "store")
    assert bound is not None
    assert 0 < sum(file.stat().st_size for file in entry.iterdir()) <= bound


@pytest.mark.tf
@pytest.mark.slow
@pytest.mark.parametrize("behind", [[], ["shuffle: all"]])
def test_reading_stays_below_the_bound(write: Write, behind: list[str]) -> None:
    """Neither writing nor reading large elements of varying shape peaks above the bound."""
    text = (
        "safedata: 1\nsource: {synthetic: {count: 400, components: {x: 'uint8[<=1000, <=1000, 3]'}, vary: true}}\n"
        "steps:\nCACHE\nBEHIND"
    ).replace("CACHE", CACHE)
    for _ in range(2):
        bound, written, read = peaks(write(spec(*behind, text=text)))
        assert max(written, read) <= bound
    assert bound < read + 400 * MIB


def test_numbers_beside_stay_rows(write: Write) -> None:
    """Only what varies is kept as texts: the bound says how large they are at most."""
    verdict = safedata.check(write(spec(text=WORDS.replace("CACHE", CACHE))))
    [hold, _] = (line.hold for line in verdict.lines if line.hold.place == DISK)
    assert "60 elements of at most" in hold.why
    assert np.dtype("int64").itemsize * 60 < (hold.bytes or 0)
