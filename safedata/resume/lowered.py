"""The graph of a pipeline that goes on in the middle of a pass."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from safedata.compile import Compiled, Lower, allowing, verify
from safedata.internal.epochs import giving_back
from safedata.resume.route import Anew, Laziness, Passes, Past, Piece, Rounds, Route

Changing = tuple[tuple[bool, ...], ...]
"""For each step its sequences of orders and draws, one of each for every pass: whether each can be put anywhere."""


def changing(compiled: Compiled) -> Changing:
    """Return which steps have orders or draws that change from pass to pass."""
    return tuple(tuple(one is not None for one in renewed) for renewed in compiled.lower.renewed)


def unknown(way: Route, steps: Changing) -> list[int]:
    """Return the steps whose sequences cannot be put where they were on a route."""
    found: list[int] = []
    for number, sequences in enumerate(steps):
        passes = [way.passes[number], *(one.passes for one in way.anew if one.step == number)]
        begun = [None if one is None else one.begun for one in passes]
        if sequences and (None in begun or (any(begun) and not all(sequences))):
            found.append(number)
    return found


@lru_cache(maxsize=1)
def laziness(tf: Any) -> Laziness:
    """Return when TensorFlow makes iterators, as it does here: it is looked at, and not assumed.

    With TensorFlow 2.21 `repeat` begins one round more than it gives, and `shuffle` begins its input when it is asked.
    """

    def numbers() -> Any:
        return tf.data.Dataset.random(1, rerandomize_each_iteration=True).take(1)

    counted = numbers()
    firsts = [int(next(iter(counted))) for _ in range(8)]
    begun = [
        _begun_in_two(numbers().repeat(2), firsts),
        _begun_in_two(numbers().shuffle(1).repeat(2), firsts),
    ]
    return Laziness(begun[0] - 2, begun[1] < begun[0])


def _begun_in_two(repeated: Any, firsts: list[int]) -> int:
    """Return how many rounds one pass over two rounds has begun."""
    given = [int(number) for number in repeated]
    following = int(next(iter(repeated)))
    if given != firsts[:2] or following not in firsts[2:]:
        raise AssertionError(f"`repeat` gave {given} and {following}, of {firsts}")
    return firsts.index(following)


class Rest(NamedTuple):
    """What is left of a pass."""

    dataset: Any
    begun: tuple[Any, ...] = ()
    """Datasets that have an iterator at its end, which is asked for nothing: `repeat` would have made it."""


def resumed(tf: Any, way: Route, compiled: Compiled) -> Rest:
    """Return what is left of a pass, and put the sequences of the whole one behind it.

    Nobody may have gone through the whole dataset before, and `unknown` must have nothing to say.

    Args:
        tf: the TensorFlow module.
        way: how the pass goes on.
        compiled: the whole dataset, with what made it.
    """
    lower = compiled.lower
    for renewed, passes in zip(lower.renewed, way.passes, strict=True):
        _advance(renewed, passes)
    if not way.moved:
        return Rest(compiled.dataset)
    with allowing(lower.plan), tf.device("/CPU:0"):
        pieces = _Pieces(tf, lower)
        dataset = pieces.dataset(way.piece).with_options(lower.options)
    verify(tf, lower.plan, dataset)
    return Rest(giving_back(tf, dataset), tuple(pieces.begun))


class _Pieces:
    """Makes the dataset of what is left, over the datasets of the whole where it can be."""

    def __init__(self, tf: Any, lower: Lower) -> None:
        self.tf = tf
        self.lower = lower
        self.begun: list[Any] = []

    def dataset(self, piece: Piece) -> Any:
        """Return the dataset of one piece."""
        if isinstance(piece, Anew):
            return self._anew(piece)
        if isinstance(piece, Rounds):
            return self._rounds(piece)
        whole = self.lower.behind[piece.step]
        if isinstance(piece, Past):
            return whole.build().take(0) if hasattr(whole, "build") else whole.take(0)  # it may be on a GPU
        return whole.skip(piece.count) if piece.count else whole

    def _anew(self, piece: Anew) -> Any:
        inputs = [self.dataset(one) for one in piece.inputs]
        renewed: list[Any] = []
        made = self.lower.goes_on(self.lower.plan.steps[piece.step], inputs, piece.first, renewed)
        _advance(renewed, piece.passes)
        return made.skip(piece.count) if piece.count else made

    def _rounds(self, piece: Rounds) -> Any:
        whole, rest = self.lower.behind[piece.of], self.dataset(piece.rest)
        if piece.more != 0:
            return rest.concatenate(whole.repeat(piece.more))
        self.begun += [whole] * laziness(self.tf).spare
        return rest


def _advance(datasets: Sequence[Any], passes: Passes) -> None:
    """Take the numbers of so many passes from each dataset's sequence: every iterator takes those of one."""
    for dataset in datasets:
        for _ in range(passes.begun if passes is not None else 0):
            iter(dataset)
