"""Caches that keep what should change, or too much of it, or nothing."""

from __future__ import annotations

import re

import pytest

import safedata
from tests.mistakes.specs import codes, found, images, spec

FLIP = "map: {image: [random_flip_left_right]}"
END = ("batch: 10", "prefetch: 2")


@pytest.mark.parametrize(
    "steps",
    [
        (FLIP, "cache: memory", "shuffle: all", *END),
        ("shuffle: all", "map: {image: [{random_crop: [4, 4]}]}", "cache: memory", "shuffle: all", *END),
        ("shuffle: all", "cache: memory", "shuffle: all", FLIP, "cache: memory", "shuffle: all", *END),
    ],
)
def test_a_draw_before_a_cache_is_an_error(steps: tuple[str, ...]) -> None:
    """A cache with a random operation between it and the cache before it is SD601, an error."""
    [problem] = found(*steps)
    assert (problem.code, problem.severity) == ("SD601", "error")
    assert "into a `map` behind `cache`" in (problem.help or "")


def test_a_stage_that_draws_moves_as_a_whole() -> None:
    """What `filter` and `rejection_resample` draw is frozen too, and the way out names the step."""
    for step, name in (
        ("filter: bernoulli(0.5)", "filter"),
        ("rejection_resample: {label: label, target_dist: [1, 2]}", "rejection_resample"),
    ):
        [problem] = found(step, "cache: memory", "shuffle: all", *END)
        assert (problem.code, problem.help) == ("SD601", f"move `{name}` behind `cache`")


@pytest.mark.parametrize("seeded", [True, False])
@pytest.mark.parametrize("cache", ["cache: memory", "shuffle: 50\n  - cache: memory"])
def test_a_source_that_draws(seeded: bool, cache: str) -> None:
    """What a seeded source drew is frozen by the first cache behind it, a step's draws too; its order is not fixed."""
    fields = 'function: "mine.feeds:dice", returns: {x: "int64[]"}, workspace: 0 B, cardinality: 900'
    source = f"call: {{{fields}, seed: {str(seeded).lower()}}}"
    step = (
        'call: {function: "mine.feeds:twice", from: x, returns: {x: "int64[]"}, workspace: 0 B, seed: true}'
    )

    def told(*steps: str) -> list[tuple[str, str]]:
        verdict = safedata.check(spec(*steps, source=source), host="64GiB", allow=["mine"])
        return [(one.code, one.help or "") for one in verdict.problems]

    frozen = [
        one for one in told(cache, "shuffle: all", "cache: memory", "shuffle: all", *END) if one[0] == "SD601"
    ]
    way_out = "take `cache` out, or `seed: true` out of the source, and draw in steps behind `cache`"
    assert frozen == ([("SD601", way_out)] if seeded else [])
    [(code, _)] = [one for one in told(step, "cache: memory", "shuffle: all", *END) if one[0] == "SD601"]
    assert code == "SD601"
    assert ("SD610" in [code for code, _ in told("repeat: 2", *END)]) is not seeded


@pytest.mark.parametrize(
    "steps",
    [
        ("cache: memory", "shuffle: all", FLIP, *END),
        ("map: {image: [{cast: float32}]}", "cache: memory", "shuffle: all", *END),
    ],
)
def test_draws_behind_the_cache_are_fine(steps: tuple[str, ...]) -> None:
    """What is drawn behind a cache is drawn anew."""
    assert not codes(*steps)


def test_frozen_draws_name_the_operations() -> None:
    """Every operation that is frozen is named, each once, with the way out."""
    steps = ("map: {image: [random_flip_left_right, {random_crop: [4, 4]}]}", "cache: memory", "shuffle: all")
    [problem] = found(*steps, *END)
    what = "`random_flip_left_right` and `random_crop`"
    assert (
        problem.message
        == f"`cache` keeps what {what} drew in the first epoch, and every later one gets the same"
    )
    assert problem.help == f"move {what} into a `map` behind `cache`"


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        (("shuffle: all", "cache: memory", *END), ["SD602"]),
        (("shuffle: all", "map: {image: [{cast: float32}]}", "cache: memory", *END), ["SD602"]),
        (("shuffle: {buffer: all, reshuffle: false}", "cache: memory", *END), []),
        (("shuffle: all", "cache: memory", "shuffle: all", *END), []),
        (("shuffle: 1", "cache: memory", "prefetch: 2"), []),
        (("cache: memory", "shuffle: all", *END), []),
    ],
)
def test_an_order_is_frozen_by_a_cache_that_no_shuffle_follows(
    steps: tuple[str, ...], wanted: list[str]
) -> None:
    """SD602 comes where the cache's order was shuffled, is meant to change, and is not shuffled again."""
    assert codes(*steps) == wanted


@pytest.mark.parametrize(
    ("kind", "steps", "wanted"),
    [
        ("", ("cache: memory", *END), ["SD602"]),
        ("weights: [0.3, 0.7]", ("map: {value: = value + 1}", "cache: memory", *END), ["SD602"]),
        ("pattern: [a, b]", ("cache: memory", *END), []),
        ("", ("cache: memory", "shuffle: all", *END), []),
        ("", ("batch: 10", "cache: memory", "prefetch: 2"), []),
        ("", END, []),
    ],
)
def test_what_a_mix_draws_is_an_order_that_a_cache_freezes(
    kind: str, steps: tuple[str, ...], wanted: list[str]
) -> None:
    """A `mix` draws the next input anew in each epoch, before a cache once; a pattern is the same every time."""
    more = kind and f", {kind}"
    source = f"mix: {{inputs: {{a: {{range: 50}}, b: {{range: 50}}}}{more}}}"
    assert codes(*steps, source=source) == wanted


def test_a_cache_in_an_input_keeps_what_that_input_has() -> None:
    """A cache before the `mix` keeps nothing that the mix draws."""
    source = "mix: {a: {source: {range: 50}, steps: [{cache: memory}]}, b: {range: 50}}"
    assert not codes(*END, source=source)


def test_the_way_out_of_a_frozen_order_has_both_sizes() -> None:
    """The help says what the shuffle holds behind the cache and here."""
    [problem] = found("shuffle: 1000", "cache: memory", *END, source=images(1000))
    assert problem.help is not None
    assert problem.help.startswith("move `shuffle: 1000` behind `cache`: there it holds ")
    there, here = problem.help.split("holds ")[1].split(", here ")
    assert "KiB" in there
    assert "MiB" in here


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        (("shuffle: all", "batch: 10", "cache: memory", "prefetch: 2"), ["SD603"]),
        (("shuffle: all", "batch: 10", "cache: memory", "shuffle: all", "prefetch: 2"), ["SD603"]),
        (("batch: 10", "cache: memory", "prefetch: 2"), []),
        (("shuffle: {buffer: all, reshuffle: false}", "batch: 10", "cache: memory", "prefetch: 2"), []),
    ],
)
def test_batches_are_frozen_by_a_cache_whatever_follows(steps: tuple[str, ...], wanted: list[str]) -> None:
    """A cache of shuffled batches is SD603, and only that, even with a shuffle behind it."""
    assert codes(*steps) == wanted


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        (("cache: memory", "take: 99"), ["SD604"]),
        (("cache: memory", "take: 100"), []),
        (("take: 50", "cache: memory"), []),
        (("cache: memory", "batch: 10", "take: 9"), ["SD604"]),
        (("cache: memory", "batch: 10", "take: 10"), []),
        (
            ("cache: memory", "shuffle: 30", "batch: 10", "prefetch: 2", "repeat", "take: 4"),
            ["SD604", "SD614"],
        ),
        (("cache: memory", "skip: 10", "take: 90"), []),
        (("cache: memory", "skip: 10", "take: 80"), ["SD604"]),
        (("cache: memory", "prefetch: 20", "take: 90"), []),
        (("cache: memory", "filter: label > 3", "take: 5"), ["SD604"]),
        (("cache: memory", "filter: label > 3", "take: 51"), []),
        (("filter: label > 3", "cache: memory", "take: 50"), ["SD604"]),
        (("filter: label > 3", "cache: memory", "take: 51"), []),
        (("cache: memory", "enumerate: n", "assert: n >= 0", "take: 99"), ["SD604"]),
        (("cache: memory", "split: {part: a, parts: {a: 0.5, b: 0.5}}", "take: 20"), ["SD604"]),
        (("cache: memory", "split: {part: a, parts: {a: 0.5, b: 0.5}}"), []),
    ],
)
def test_a_take_that_ends_before_the_cache_throws_it_away(steps: tuple[str, ...], wanted: list[str]) -> None:
    """SD604 comes where fewer elements are read, those read ahead included, than the cache keeps."""
    assert codes(*steps) == wanted


@pytest.mark.parametrize(
    ("steps", "severity", "way_out"),
    [
        (
            ("cache: memory", "filter: label > 3", "take: 5"),
            "warning",
            "put `filter` and `take: 5` before `cache`",
        ),
        (("filter: label > 3", "cache: memory", "take: 5"), "warning", "put `take: 5` before `cache`"),
        (("cache: memory", "enumerate: n", "take: 5"), "error", "put `take: 5` before `cache`"),
    ],
)
def test_what_a_filter_leaves_is_not_known(steps: tuple[str, ...], severity: str, way_out: str) -> None:
    """With a filter on either side of the cache SD604 is a warning."""
    [problem] = found(*steps)
    assert (problem.severity, problem.help) == (severity, way_out)


def test_a_shuffle_of_all_reads_the_cache_to_its_end() -> None:
    """A shuffle whose buffer has a slot for every element completes the cache before it."""
    still = "shuffle: {buffer: all, reshuffle: false}"
    assert codes("cache: memory", still, "take: 5") == []
    assert codes("cache: memory", "shuffle: {buffer: 20, reshuffle: false}", "take: 5") == ["SD604"]


def test_the_way_out_of_an_unfinished_cache_counts_elements() -> None:
    """The help gives the `take` in elements, also where batches are taken."""
    [problem] = found("cache: memory", "batch: 10", "take: 3")
    assert problem.severity == "error"
    assert problem.label == "reads 30 of 100 elements"
    assert problem.help == "put `take: 30` before `cache`"


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        (("repeat: 3", "cache: memory", *END), ["SD605"]),
        (("repeat: 1", "cache: memory", *END), []),
        (("cache: memory", "repeat: 3", *END), []),
        (("repeat: 3", "map: {image: [random_flip_left_right]}", "cache: memory", *END), ["SD601"]),
    ],
)
def test_a_cache_behind_a_repeat_keeps_copies(steps: tuple[str, ...], wanted: list[str]) -> None:
    """SD605 comes where the copies are the same; drawn ones differ, and are frozen."""
    assert codes(*steps) == wanted


def test_a_repeated_cache_says_how_much_less_once_is() -> None:
    """What is held behind `repeat: 3` is three times what is held before it, but for the cache's own list."""
    [problem] = found("repeat: 3", "cache: memory", *END, source=images(1000))
    assert problem.message == "`cache` behind `repeat: 3` keeps every element 3 times"
    assert problem.help is not None
    once, held = (float(number) for number in re.findall(r"([\d.]+) MiB", problem.help))
    assert once >= 1000 * 224 * 224 * 3 / 2**20
    assert held == pytest.approx(3 * once, rel=1e-3)
