"""How early in the chain elements are left out, without TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import safedata
from safedata.resume.lowered import unknown
from safedata.resume.route import Anew, Kept, Laziness, Past, Piece, Place, Rounds, Route, Times, route

LAZINESS = Laziness(1, True)


def way(text: str, epoch: int, elements: int) -> tuple[Route, list[str]]:
    """Return a route in a spec, and the titles of its plan's steps."""
    verdict = safedata.check("safedata: 1\nruntime: {accept: [SD604, SD606, SD608]}\n" + text, host="64GiB")
    assert verdict.plan is not None, verdict.problems
    return route(verdict.plan, Place(epoch, elements), LAZINESS), [one.title for one in verdict.plan.steps]


def line(piece: Piece) -> Iterator[Piece]:
    """Yield the pieces of one line of steps, from its end to its source."""
    yield piece
    if isinstance(piece, Rounds):
        yield from line(piece.rest)
    elif isinstance(piece, Anew) and piece.inputs:
        yield from line(piece.inputs[0])


def innermost(piece: Piece) -> Any:
    return list(line(piece))[-1]


def test_maps_and_batches_are_not_run_again() -> None:
    """Behind steps that make one element of one, or of so many, the source starts where it was."""
    found, titles = way(
        "source: {range: 100}\nsteps: [{map: {y: = value * 2}}, {batch: 8}, {prefetch: 2}]\n", 0, 5
    )
    source = innermost(found.piece)
    assert (titles[source.step], source.first) == ("range", 40)


def test_a_shuffle_is_made_again_and_what_stands_behind_it_is_not() -> None:
    """Elements are left out directly behind a shuffle, by the count of single ones."""
    text = "source: {range: 100}\nsteps: [{shuffle: 9}, {map: {y: = value * 2}}, {batch: 8}]\n"
    found, titles = way(text, 2, 5)
    kept = innermost(found.piece)
    assert kept == Kept(titles.index("shuffle"), 40)
    assert found.passes[kept.step] == Times(2, 2)


def test_rounds_that_are_over_are_not_made() -> None:
    """In a `repeat` only the round is made that the state is in; earlier ones are counted."""
    text = "source: {range: 10}\nsteps: [{shuffle: 10}, {repeat: 4}, {batch: 2}]\n"
    found, titles = way(text, 0, 13)
    kept = innermost(found.piece)
    assert kept == Kept(titles.index("shuffle"), 6)
    assert found.passes[kept.step] == Times(2, 2)
    assert [piece.more for piece in line(found.piece) if isinstance(piece, Rounds)] == [1]


def test_a_pass_that_is_over_makes_nothing() -> None:
    """Behind the last element nothing is made, and the next pass is counted on from this one."""
    found, _ = way("source: {range: 10}\nsteps: [{shuffle: 10}]\n", 1, 10)
    assert isinstance(found.piece, Past)
    assert found.passes[-1] == Times(2, 2)


def test_a_repeat_begins_a_round_more_than_it_gives() -> None:
    """Passes through `repeat: 3` have begun four rounds each, and have read three."""
    found, titles = way("source: {range: 10}\nsteps: [{shuffle: 10}, {shuffle: 5}, {repeat: 3}]\n", 2, 0)
    one, two = (number for number, title in enumerate(titles) if title == "shuffle")
    assert (found.passes[one], found.passes[two]) == (Times(6, 6), Times(8, 6))


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ("[{shuffle: 9}, {repeat: 3}, {take: 15}]", False),
        ("[{shuffle: 9}, {take: 5}]", True),
        ("[{shuffle: 9}, {take: 5}, {repeat: 3}]", True),
        ("[{cache: memory}, {shuffle: 5}, {take: 3}]", True),
    ],
)
def test_a_pass_that_is_cut_short_is_unknown_behind_a_repeat(steps: str, told: bool) -> None:
    """Only where threads that work ahead may begin another round is it not known what the next epoch starts with."""
    found, titles = way(f"source: {{range: 10}}\nsteps: {steps}\n", 1, 2)
    changing = tuple((True,) if title == "shuffle" else () for title in titles)
    assert (not unknown(found, changing)) == told
    assert unknown(way(f"source: {{range: 10}}\nsteps: {steps}\n", 0, 2)[0], changing) == []
