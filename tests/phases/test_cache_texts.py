"""Caches on disk of texts and encoded images: what is read is what was made, and the bounds hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import safedata
from safedata.cardinality import exactly
from safedata.memory import DISK, MIB
from safedata.scope import Scope
from safedata.stages._shelve import Shelve
from safedata.stages.cache import Cache
from safedata.types import Stream, Tensor
from tests.caching import ROOT, Write, column, spec, written
from tests.phases.test_cache_bytes import peaks

TEXTS = """
safedata: 1
source: {range: 1000}
steps:
  - map: {t: [{from: value}, as_string]}
  - cache: {path: store}
BEHIND
"""


@pytest.mark.tf
@pytest.mark.parametrize(
    "behind",
    [
        [],
        ["batch: 64"],
        ["batch: {size: 7, drop_remainder: true}"],
        ["shuffle: all"],
        ["shuffle: all", "batch: 64"],
        ["shuffle: all", "batch: 64", "map: {t: [{regex_replace: {pattern: '^', rewrite: ''}}]}"],
    ],
)
def test_texts_stay_with_their_numbers(write: Write, behind: list[str]) -> None:
    """Each element has its own text, in every epoch, whatever the order and however many come at a time."""
    dataset = safedata.load(write(spec(*behind, text=TEXTS)))
    for _ in range(2):
        found = [
            pair
            for element in dataset
            for pair in zip(
                np.ravel(element["value"].numpy()).tolist(),
                np.ravel(element["t"].numpy()).tolist(),
                strict=True,
            )
        ]
        assert all(text == str(value).encode() for value, text in found)
        assert len({value for value, _ in found}) == (994 if "drop" in str(behind) else 1000)


@pytest.mark.tf
def test_batches_of_texts_can_be_kept(write: Write) -> None:
    """A row may have several texts."""
    text = TEXTS.replace("  - cache", "  - batch: {size: 10, drop_remainder: true}\n  - cache")
    dataset = safedata.load(write(spec("shuffle: all", text=text)))
    assert sorted(column(dataset, "t")) == sorted(str(one).encode() for one in range(1000))


@pytest.mark.tf
def test_images_can_be_kept_as_they_are(write: Write) -> None:
    """Encoded images are kept as their files' bytes, and decoded behind the cache."""
    steps = "  - cache: {path: store}\n"
    text = (
        f"safedata: 1\nsource: {{image_folder: '{ROOT / 'specs/data/photos'}'}}\nsteps:\nCACHE"
        "  - map: {image: [decode_image, {resize: [8, 8]}]}\n"
    )
    kept, plain = (
        safedata.load(write(text.replace("CACHE", one), f"{len(one)}.yaml")) for one in (steps, "")
    )
    for one, two in zip(kept, plain, strict=True):
        np.testing.assert_array_equal(one["image"], two["image"])
        assert one["path"] == two["path"]


@pytest.mark.tf
def test_the_disk_is_not_used_above_the_bound(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts take no more than their longest each, and the manifest no more than its bound, with many small blocks."""
    made = written(write(spec(text=TEXTS)), tmp_path / "store", monkeypatch)
    assert made.manifest_used < made.manifest
    assert made.rows_used == 2 * 8000 + 2890 <= made.rows


def test_texts_without_a_bound() -> None:
    """Texts of which nobody knows the length take an unknown number of bytes on the disk, not none."""
    stream = Stream({"t": Tensor("string")}, exactly(9))
    scope = Scope(".", 1, 0, "fail", 0)
    shelve = Shelve(Cache(path="store"), "store", frozenset({"t"}))
    rows, manifest = shelve.holds(stream, shelve.infer(stream, scope), scope)
    assert (rows.place, rows.bytes, manifest.bytes) == (DISK, None, None)


LONG = """
safedata: 1
source: {range: COUNT}
steps:
  - map: {t: [{from: value}, as_string, {regex_replace: {pattern: '$', rewrite: 'TEXT'}}]}
  - cache: {path: store}
BEHIND
"""


def long(count: int, size: int) -> str:
    return LONG.replace("COUNT", str(count)).replace("TEXT", "x" * size)


@pytest.mark.tf
@pytest.mark.slow
@pytest.mark.parametrize("behind", [["batch: 64"], ["shuffle: all", "batch: 64"], ["shuffle: all"], []])
@pytest.mark.parametrize(("count", "size"), [(300_000, 10), (20_000, 3_000)])
def test_reading_texts_stays_below_the_bound(write: Write, count: int, size: int, behind: list[str]) -> None:
    """Short texts or long ones, in order and shuffled: neither writing nor reading them peaks above the bound."""
    for _ in range(2):  # written, and found
        bound, written, read = peaks(write(spec(*behind, text=long(count, size))))
        assert max(written, read) <= bound
    assert bound < read + 200 * MIB
