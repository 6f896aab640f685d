"""Shuffles in a place, or of a size, where they do not do what they are for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mistakes.specs import ROOT, codes, found, images

FLIP = "map: {image: [random_flip_left_right]}"
END = ("batch: 10", "prefetch: 2")
PHOTOS = "image_folder: {path: data/photos, labels: directory}"
DECODE = "map: {image: [decode_image, {resize: [32, 32]}, random_flip_left_right]}"


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        (("shuffle: all", "take: 20"), "warning"),
        (("shuffle: all", "skip: 20"), "error"),
        (("shuffle: all", "batch: 10", "skip: 2"), "error"),
        (("shuffle: all", "batch: 10", "take: 2"), "warning"),
        (("shuffle: all", "map: {image: [{cast: float32}]}", "skip: 20"), "error"),
        (("shuffle: all", "split: {part: a, parts: {a: 0.5, b: 0.5}}"), "error"),
        (("shuffle: all", "enumerate: n", "filter: n >= 20"), "error"),
        (("shuffle: all", "enumerate: n", "rename: {n: m}", "repeat: 2", "filter: m % 5 != 0"), "error"),
        (("shuffle: all", "enumerate: n", "filter: n < 20"), "warning"),
        (("shuffle: all", "enumerate: n", "filter: n % 4 == 0"), "warning"),
        (("shuffle: all", "enumerate: n", "map: {fold: = n % 5}", "filter: fold != 0"), "error"),
    ],
)
def test_what_a_changing_order_leaves_out_changes(steps: tuple[str, ...], wanted: str) -> None:
    """`take` and `skip` behind a shuffle that reshuffles are SD606; `take` may mean a sample, and is a warning."""
    [problem] = found(*steps)
    assert (problem.code, problem.severity) == ("SD606", wanted)


@pytest.mark.parametrize(
    "steps",
    [
        ("shuffle: {buffer: all, reshuffle: false}", "take: 20"),
        ("skip: 20", "shuffle: all"),
        ("shuffle: all", "take: 100"),
        ("shuffle: all", "skip: 0"),
        ("shuffle: 1", "take: 20"),
        ("shuffle: all", "repeat", "take: 200"),
        ("shuffle: {buffer: all, reshuffle: false}", "skip: 20", "shuffle: all"),
        ("enumerate: n", "shuffle: all", "filter: n >= 20"),
        ("shuffle: all", "enumerate: n", "filter: label >= 20"),
        ("shuffle: {buffer: all, reshuffle: false}", "enumerate: n", "filter: n >= 20"),
    ],
)
def test_a_settled_order_can_be_split(steps: tuple[str, ...]) -> None:
    """An order that stays, a whole set, and steps counted behind `repeat` are no split that shifts."""
    assert not codes(*steps)


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        (("cache: memory", "map: {text: [lower]}"), ["SD602"]),
        (("cache: memory", "shuffle: all"), []),
        (("shuffle: all", "cache: memory", "shuffle: all"), []),
        (("cache: memory", "cache: memory"), ["SD602"]),
        (("batch: 2", "cache: memory"), []),
        (("skip: 2",), ["SD606"]),
        (("take: 2",), ["SD606"]),
        (("repeat: 2", "take: 2"), []),
        (("filter: bernoulli(0.5)",), ["SD610"]),
    ],
)
def test_files_in_another_order_are_an_order_that_changes(
    steps: tuple[str, ...], wanted: list[str], tmp_path: Path
) -> None:
    """`shuffle: true` of `interleave` is seen as a shuffle is: SD602 and SD606; records stay in order, SD610."""
    for number in range(3):
        (tmp_path / f"{number}.txt").write_text("a\nb\nc\n")
    source = "text: {path: '*.txt', interleave: {cycle: 2, shuffle: true}}"
    more = () if "repeat: 2" not in steps else ("shuffle: 2",)
    ended = (*steps, *more, "prefetch: 2")
    assert (
        codes(*ended, source=source, folder=tmp_path, top="runtime: {accept: [SD608, SD609, SD617]}")
        == wanted
    )
    still = source.replace("true", "false")
    kept = codes(*ended, source=still, folder=tmp_path, top="runtime: {accept: [SD608, SD609, SD610, SD617]}")
    assert not {"SD602", "SD606"} & set(kept)


def test_an_order_that_a_cache_froze_is_split_the_same_way_in_each_epoch() -> None:
    """Behind a cache the order no longer changes: it is frozen (SD602), and cut off (SD604)."""
    assert codes("shuffle: all", "cache: memory", "take: 20") == ["SD602", "SD604"]


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        (("batch: 10", "shuffle: all", "prefetch: 2"), ["SD607"]),
        (("shuffle: all", "batch: 10", "shuffle: all", "prefetch: 2"), []),
        (("batch: 1", "shuffle: all", "prefetch: 2"), []),
        (("batch: 10", "unbatch", "shuffle: all", *END), ["SD617"]),
        (("padded_batch: 10", "shuffle: all", "prefetch: 2"), ["SD607"]),
    ],
)
def test_batches_are_shuffled_only_behind_shuffled_elements(
    steps: tuple[str, ...], wanted: list[str]
) -> None:
    """A shuffle of batches is SD607 where no single elements were shuffled before."""
    assert codes(*steps) == wanted


def test_the_way_out_of_shuffled_batches_mixes_as_many_elements() -> None:
    """The help counts elements, and its bytes are those of that shuffle in that place."""
    [problem] = found("batch: 32", "shuffle: 20", "prefetch: 2", source=images(10_000))
    assert problem.help is not None
    assert problem.help.startswith("put `shuffle: 640` before `batch`, which holds ")
    verdict_bytes = problem.help.rsplit(" ", 2)[1:]
    assert verdict_bytes[1] == "MiB"
    assert float(verdict_bytes[0]) >= 640 * 224 * 224 * 3 / 2**20


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        (("repeat", "shuffle: 50", *END), ["SD608"]),
        (("repeat: 2", "shuffle: all", *END), ["SD608"]),
        (("repeat: 1", "shuffle: 50", *END), []),
        (("shuffle: 50", "repeat", *END), []),
        (("repeat", "batch: 10", "shuffle: 5", "prefetch: 2"), ["SD607"]),
    ],
)
def test_a_shuffle_behind_a_repeat_mixes_epochs(steps: tuple[str, ...], wanted: list[str]) -> None:
    """SD608 comes for single elements; of batches SD607 says enough."""
    assert codes(*steps) == wanted


def test_mixed_epochs_are_counted() -> None:
    """The label says over how many epochs the buffer reaches."""
    [problem] = found("repeat", "shuffle: 250", *END)
    assert problem.label == "an epoch has no end here: its 250 slots reach over 2.5 epochs"
    [problem] = found("repeat", "shuffle: 123_456", *END)
    assert problem.label == "an epoch has no end here: its 123456 slots reach over 1,235 epochs"


@pytest.mark.parametrize(
    ("buffer", "count", "wanted"),
    [
        ("99", 10_000, ["SD609"]),
        ("100", 10_000, []),
        ("5", 500, []),
        ("1999", 1_000_000, ["SD609"]),
        ("2000", 1_000_000, []),
        ("all", 1_000_000, []),
    ],
)
def test_a_buffer_is_tiny_below_one_percent_and_two_thousand(
    buffer: str, count: int, wanted: list[str]
) -> None:
    """SD609 needs both: few of the elements, and few elements."""
    assert codes(f"shuffle: {buffer}", *END, source=images(count, 4)) == wanted


def test_a_wider_shuffle_elsewhere_is_enough() -> None:
    """The widest of several shuffles counts."""
    assert not codes("shuffle: 5000", "shuffle: 10", *END, source=images(100_000, 4))


@pytest.mark.parametrize(
    ("size", "wanted"),
    [(4, "write `shuffle: all`, which holds "), (224, "write `shuffle: 2000`, which holds ")],
)
def test_the_buffer_in_the_help_is_as_large_as_is_cheap(size: int, wanted: str) -> None:
    """All elements where they take less than 64 MiB, else as many as mix well."""
    [problem] = found("shuffle: 10", *END, source=images(20_000, size))
    assert problem.help is not None
    assert problem.help.startswith(wanted)


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        ((DECODE, *END), ["SD610"]),
        (("map: {image: [decode_image, {resize: [32, 32]}]}", "repeat: 3", *END), ["SD610"]),
        (("map: {image: [decode_image, {resize: [32, 32]}]}", *END), []),
        (("shuffle: all", DECODE, *END), []),
    ],
)
def test_training_wants_a_shuffle(steps: tuple[str, ...], wanted: list[str]) -> None:
    """SD610 comes for a stored order in a spec that draws or repeats; one that does neither may evaluate."""
    assert codes(*steps, source=PHOTOS, folder=ROOT / "specs") == wanted


def test_made_up_elements_need_no_shuffle() -> None:
    """Elements that are made have no stored order."""
    assert not codes(FLIP, *END)


def test_an_input_that_shuffles_is_enough() -> None:
    """Of sources that are combined one has to shuffle, for SD610 to stay away; none of them says nothing."""
    photos = "{source: {files: 'data/photos/*/*.jpg'}, steps: [%s{rename: {data: %s}}, {drop: path}]}"
    flip = "map: {one: [decode_image, {resize: [32, 32]}, random_flip_left_right]}"
    for order, wanted in (("{shuffle: 80}, ", []), ("", ["SD610"])):
        both = f"zip: {{a: {photos % (order, 'one')}, b: {photos % ('', 'two')}}}"
        assert codes(flip, "drop: two", *END, source=both, folder=ROOT / "specs") == wanted


def test_a_folder_of_classes_is_the_worst_order() -> None:
    """The note says that batches have one class each, and the help where to shuffle and for how much."""
    [problem] = found(DECODE, *END, source=PHOTOS, folder=ROOT / "specs")
    assert problem.notes == (
        "the files of one subfolder follow one another, so nearly every batch is of one class",
    )
    assert problem.help is not None
    assert problem.help.startswith("put `shuffle: all` first, which holds ")
