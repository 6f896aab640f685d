"""What the mistakes do, seen in the elements that TensorFlow gives."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

import safedata
from tests.mistakes.specs import accepted, spec

pytestmark = pytest.mark.tf

NUMBERS = "range: 100"
PAIR = 'synthetic: {components: {image: "uint8[8, 8, 3]", target: "uint8[8, 8, 3]"}, count: 40}'


def epochs(*steps: str, source: str = NUMBERS, code: str = "SD602", count: int = 2) -> list[list[Any]]:
    """Return the component `value` of every element, epoch by epoch, with one mistake accepted."""
    data = safedata.load(spec(*steps, source=source, top=accepted(code)))
    return [[one["value"].tolist() for one in data.as_numpy_iterator()] for _ in range(count)]


def test_a_draw_before_a_cache_is_drawn_once() -> None:
    """SD601: two epochs have the same images; with the draw behind the cache they differ."""
    flip = "map: {image: [random_flip_left_right]}"

    def seen(*steps: str) -> list[bytes]:
        data = safedata.load(spec(*steps, top=accepted("SD601")))
        return [b"".join(one["image"].tobytes() for one in data.as_numpy_iterator()) for _ in range(2)]

    first, second = seen(flip, "cache: memory")
    assert first == second
    first, second = seen("cache: memory", flip)
    assert first != second


def test_a_cache_keeps_the_order() -> None:
    """SD602: a second epoch has the order of the first; with the shuffle behind the cache it has its own."""
    first, second = epochs("shuffle: all", "cache: memory")
    assert first == second != sorted(first)
    first, second = epochs("cache: memory", "shuffle: all")
    assert first != second


def test_a_cache_keeps_what_a_mix_drew() -> None:
    """SD602: behind a `mix` a cache gives the order of the first epoch; without it each epoch has its own."""
    source = "mix: {a: {range: 50}, b: {range: 50}}"
    first, second = epochs("cache: memory", source=source)
    assert first == second
    first, second = epochs("take: 100", source=source, code="SD606")
    assert first != second


def test_batches_keep_their_elements_behind_an_order_that_stays() -> None:
    """SD607: shuffled once and for all before the batch, the same elements are together in each epoch."""
    still = "shuffle: {buffer: all, seed: 3, reshuffle: false}"
    first, second = epochs(still, "batch: 10", "shuffle: all", code="SD607")
    assert first != second
    assert sorted(map(sorted, first)) == sorted(map(sorted, second))


def test_a_cache_of_batches_keeps_who_is_together() -> None:
    """SD603: the batches of two epochs are the same sets, in another order."""
    first, second = epochs("shuffle: all", "batch: 10", "cache: memory", "shuffle: all", code="SD603")
    assert first != second
    assert sorted(map(sorted, first)) == sorted(map(sorted, second))


@pytest.mark.parametrize(("count", "calls"), [(10, 20), (100, 100)])
def test_a_cache_that_is_not_read_to_its_end_is_thrown_away(tf: Any, count: int, calls: int) -> None:
    """SD604: `take` behind a cache makes each element anew in each epoch, unless it takes all of them."""
    made: list[int] = []

    def remember(value: Any) -> Any:
        made.append(int(value))
        return value

    data = (
        tf.data.Dataset.range(100).map(lambda x: tf.py_function(remember, [x], tf.int64)).cache().take(count)
    )
    for _ in range(2):
        list(data)
    assert len(made) == calls


def test_a_split_of_a_changing_order_leaks() -> None:
    """SD606: what one spec takes in the first epoch the other one, which skips as many, has in the second."""
    shuffle = "shuffle: {buffer: all, seed: 3}"
    test, _ = epochs(shuffle, "take: 20", code="SD606")
    train = epochs(shuffle, "skip: 20", code="SD606")
    assert not set(test) & set(train[0])
    assert set(test) & set(train[1])
    still = "shuffle: {buffer: all, seed: 3, reshuffle: false}"
    test, _ = epochs(still, "take: 20")
    assert not any(set(test) & set(epoch) for epoch in epochs(still, "skip: 20"))
    numbered = epochs(shuffle, "enumerate: number", "filter: number >= 20", code="SD606")
    assert [set(one) for one in numbered] == [set(one) for one in train]


def test_shuffled_batches_stay_together() -> None:
    """SD607: the batches of both epochs are those of the source's order."""
    for epoch in epochs("batch: 10", "shuffle: all", code="SD607"):
        assert sorted(epoch) == [list(range(at, at + 10)) for at in range(0, 100, 10)]
    first, _ = epochs("shuffle: all", "batch: 10")
    assert sorted(first) != [list(range(at, at + 10)) for at in range(0, 100, 10)]


def test_epochs_mix_behind_a_repeat() -> None:
    """SD608: among the first hundred of a hundred elements some come twice; before `repeat` each comes once."""
    [seen] = epochs("repeat: 2", "shuffle: 80", code="SD608", count=1)
    assert max(Counter(seen[:100]).values()) == 2
    [seen] = epochs("shuffle: 80", "repeat: 2", count=1)
    assert max(Counter(seen[:100]).values()) == 1


def test_a_tiny_buffer_keeps_elements_about_where_they_were() -> None:
    """SD609: no element comes earlier than the buffer's slots before its place."""
    source = "range: 2000"
    [seen] = epochs("shuffle: 10", source=source, code="SD609", count=1)
    assert all(value - place < 10 for place, value in enumerate(seen))


def test_a_moved_shuffle_changes_no_element() -> None:
    """SD612: before the map the shuffle gives the same elements, draws included, in the same order."""
    shuffle, flip = (
        "shuffle: {buffer: 30, seed: 3}",
        "map: {image: [{cast: float32}, random_flip_left_right]}",
    )

    def seen(*steps: str) -> list[bytes]:
        data = safedata.load(spec(*steps))
        return [one["image"].tobytes() for _ in range(2) for one in data.as_numpy_iterator()]

    assert seen(flip, shuffle) == seen(shuffle, flip)


@pytest.mark.parametrize(
    "between", ["take: 70", "enumerate: number", "filter: label > 0", "filter: mean(image) > 120"]
)
def test_a_moved_map_changes_no_element(between: str) -> None:
    """SD612: with something between them the map moves behind the shuffle, or the shuffle before both."""
    shuffle, flip = (
        "shuffle: {buffer: all, seed: 3}",
        "map: {image: [{cast: float32}, random_flip_left_right]}",
    )

    def seen(*steps: str) -> list[bytes]:
        data = safedata.load(spec(*steps))
        return [one["image"].tobytes() for _ in range(2) for one in data.as_numpy_iterator()]

    if "image" in between:
        assert sorted(seen(flip, between, shuffle)) == sorted(seen(shuffle, flip, between))
    else:
        assert seen(flip, between, shuffle) == seen(between, shuffle, flip)


@pytest.mark.parametrize(
    "wide",
    ["map: {image: [{cast: float32}, {rescale: [0, 1]}]}", "map: {image: = image / 255 - mean(image)}"],
)
def test_a_cast_behind_the_cache_changes_no_element(wide: str) -> None:
    """SD613: casts, rescaling and expressions give the same values on either side of the cache."""

    def seen(*steps: str) -> list[bytes]:
        data = safedata.load(spec(*steps))
        return [one["image"].tobytes() for _ in range(2) for one in data.as_numpy_iterator()]

    assert seen(wide, "cache: memory") == seen("cache: memory", wide)


def test_two_draws_move_two_components_apart(tf: Any) -> None:
    """SD618: with a draw each, some pairs are out of step; joined before the draw, none is."""
    apart = "map: {image: [random_flip_left_right], target: [random_flip_left_right]}"
    joined = (
        "map: {both: '= concat(image, target, axis=2)'}",
        "map: {both: [random_flip_left_right]}",
        "map: {image: '= both[:, :, :3]', target: '= both[:, :, 3:]'}",
    )

    def flipped(*steps: str) -> list[tuple[bool, bool]]:
        plain = safedata.load(spec(source=PAIR).replace("steps:\n", "")).as_numpy_iterator()
        moved = safedata.load(spec(*steps, source=PAIR, top=accepted("SD618"))).as_numpy_iterator()
        return [
            ((one["image"] != two["image"]).any(), (one["target"] != two["target"]).any())
            for one, two in zip(plain, moved, strict=True)
        ]

    assert any(image != target for image, target in flipped(apart))
    together = flipped(*joined)
    assert all(image == target for image, target in together)
    assert len(set(together)) == 2
