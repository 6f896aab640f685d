"""Which shuffle makes up for another one, and which does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.mistakes.specs import codes, found, images

END = ("batch: 8", "prefetch: 2")
STILL = "shuffle: {buffer: all, reshuffle: false}"


@pytest.mark.parametrize(
    ("behind", "wanted"),
    [
        (("batch: 8", "shuffle: 20", "prefetch: 2"), ["SD602"]),
        (("shuffle: 2", *END), ["SD602"]),
        ((STILL, *END), ["SD602"]),
        (("shuffle: 100", *END), []),
        (("batch: 8", "shuffle: all", "unbatch", *END), ["SD617"]),
    ],
)
def test_a_frozen_order_is_mended_by_a_shuffle_that_mixes_elements(
    behind: tuple[str, ...], wanted: list[str]
) -> None:
    """Behind a cache a shuffle of batches, a tiny one, and one that never changes leave the order frozen."""
    assert codes("shuffle: all", "cache: memory", *behind, source="range: 800") == wanted


@pytest.mark.parametrize(
    ("before", "wanted"),
    [
        (("shuffle: 2",), ["SD607"]),
        ((STILL,), ["SD607"]),
        (("shuffle: 8",), []),
        (("shuffle: all", "cache: memory"), ["SD602"]),
    ],
)
def test_batches_are_mixed_by_a_shuffle_as_wide_as_a_batch(
    before: tuple[str, ...], wanted: list[str]
) -> None:
    """Before `batch` a shuffle counts that has a batch's elements in its buffer and draws anew in each epoch."""
    assert codes(*before, "batch: 8", "shuffle: 50", "prefetch: 2", source="range: 100") == wanted


def test_the_shuffle_that_does_not_make_up_is_shown() -> None:
    """SD607 says of a shuffle before the batch why it is none."""
    for before, wanted in (
        ("shuffle: 2", "fewer slots than a batch has elements"),
        (STILL, "the same in each epoch"),
    ):
        [problem] = found(before, "batch: 8", "shuffle: 50", "prefetch: 2", source="range: 100")
        assert [one.text for one in problem.labels][1:] == [wanted]


def test_all_elements_are_enough_where_there_are_fewer_than_in_a_batch() -> None:
    """`shuffle: all` of 5 elements mixes what a batch of 8 could hold."""
    assert not codes("shuffle: all", "batch: 8", "repeat: 9", "shuffle: 5", "prefetch: 2", source="range: 5")


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        (("shuffle: 20", "batch: 10", "shuffle: 500", "prefetch: 2"), ["SD609"]),
        (("batch: 100", "shuffle: all", "unbatch", "shuffle: 500", *END), ["SD617"]),
    ],
)
def test_a_wider_shuffle_of_batches_mixes_no_elements(steps: tuple[str, ...], wanted: list[str]) -> None:
    """SD609 counts batches only where a later step takes them apart again."""
    assert codes(*steps, source=images(100_000, 4)) == wanted


@pytest.mark.parametrize(
    ("buffer", "wanted"), [("2", ["SD607", "SD610"]), ("400", ["SD607"]), ("2\n  - unbatch", ["SD610"])]
)
def test_a_few_batches_at_a_time_are_no_shuffle_for_training(
    buffer: str, wanted: list[str], tmp_path: Path
) -> None:
    """SD610 comes beside a tiny shuffle of batches; of a wide one SD607 says enough, of elements SD609."""
    np.save(tmp_path / "rows.npy", np.zeros((4000, 2), np.uint8))
    steps = ("batch: 8", f"shuffle: {buffer}", "repeat: 3")
    top = "runtime: {accept: [SD615]}"
    assert codes(*steps, source="numpy: {path: rows.npy}", folder=tmp_path, top=top) == wanted
