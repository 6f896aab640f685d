"""Where a pass goes on: how early in the chain elements can be left out, and how often each step was gone through.

A step tells, by `Node.skips`, how many elements left out before it are the first ones behind it. So leaving out moves
from the end of the chain towards its source, up to a step that does not know: a shuffle, a filter, a memory cache that
has to be filled. There elements are made again and left out behind it.

Where an order or a draw changes from epoch to epoch, it is a sequence that starts with the graph; each iterator over
the step takes one number of it. So it is counted as well how many iterators each step has had.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from safedata.plan import Plan, PlannedStep, leaves_out
from safedata.records import record
from safedata.sources.base import Root
from safedata.sources.combined.concatenate import Concatenated
from safedata.sources.combined.mix import Mixed
from safedata.sources.combined.zip import Zipped
from safedata.stages.repeat import Repeat
from safedata.stages.shuffle import Shuffle
from safedata.stages.take import Take


class Place(NamedTuple):
    """How far an iteration has come."""

    epoch: int = 0
    """Passes that were gone through to their end."""
    elements: int = 0
    """Elements of this pass that were handed on."""


class Times(NamedTuple):
    """How often a step was gone through."""

    begun: int
    """Iterators over it: `repeat` begins rounds that it does not give, `Laziness.spare`."""
    read: int
    """Those that were asked for an element, and then for all."""

    def plus(self, count: int) -> Times:
        """Return so many times more."""
        return Times(self.begun + count, self.read + count)


NEVER: Final = Times(0, 0)
Passes = Times | None
"""None where it is not known how often, and may be at least once."""


class Laziness(NamedTuple):
    """When TensorFlow makes the iterators of a step's inputs."""

    spare: int
    """How many rounds `repeat` begins in each pass beside those that it gives."""
    shuffle: bool
    """Whether `shuffle` makes the iterator of its input when it is asked for the first element."""


@record(frozen=True, slots=True)
class Kept:
    """The dataset behind a step as it is, without its first `count` elements; all of them are made."""

    step: int
    count: int = 0


@record(frozen=True, slots=True)
class Past:
    """A step whose elements were all handed on: nothing is left, and nothing is made."""

    step: int


@record(frozen=True, slots=True)
class Anew:
    """A step once more, over inputs without their first elements."""

    step: int
    inputs: tuple[Piece, ...]
    first: int
    """How many elements do not come in; for a source, how many of its own it leaves out."""
    count: int
    """How many more are left out behind it."""
    passes: Passes
    """How often it was gone through before."""


@record(frozen=True, slots=True)
class Rounds:
    """What is left of a round of `repeat`, and the rounds behind it."""

    step: int
    rest: Piece
    of: int
    """The step that is repeated."""
    more: int | None
    """How many rounds come behind this one; None for no end."""


Piece = Kept | Past | Anew | Rounds


@record(frozen=True, slots=True)
class Route:
    """How a pass goes on at a place in it."""

    piece: Piece
    passes: tuple[Passes, ...]
    """For each step how often its dataset, as it is, was gone through before: also where another one is made of it."""

    @property
    def anew(self) -> tuple[Anew, ...]:
        """The steps that are made once more."""
        return tuple(_anew(self.piece))

    @property
    def moved(self) -> bool:
        """Whether anything is left out at all."""
        return not isinstance(self.piece, Kept) or self.piece.count > 0


def _anew(piece: Piece) -> list[Anew]:
    if isinstance(piece, Anew):
        return [piece, *(found for one in piece.inputs for found in _anew(one))]
    return _anew(piece.rest) if isinstance(piece, Rounds) else []


def route(plan: Plan, place: Place, laziness: Laziness) -> Route:
    """Return how a pass goes on at a place in it.

    Args:
        plan: a plan without a cache on disk to write; one that is read is its source.
        place: where.
        laziness: as `lowered.laziness` finds it.
    """
    finder = _Finder(plan, laziness)
    passes = Times(place.epoch, place.epoch)
    piece = finder.find(len(plan.steps) - 1, passes, place.elements, False)
    return Route(piece, tuple(finder.passes))


class _Finder:
    """Goes from the end of a plan to its sources.

    `cut` says that a pass may end before the step's elements do: then how far the steps before it came is unknown.
    """

    def __init__(self, plan: Plan, laziness: Laziness) -> None:
        self.plan = plan
        self.laziness = laziness
        self.flow = plan.flow
        self.passes: list[Passes] = [NEVER] * len(plan.steps)
        self._repeated = False
        """Whether what is left of a round was found behind this step; of a round in it all is made again."""
        self._mixes_batches = any(isinstance(one.node, Mixed) and one.after.batch_dims for one in plan.steps)
        """Then TensorFlow loses the shapes where datasets are put in a row."""

    def find(self, number: int, passes: Passes, count: int, cut: bool) -> Piece:
        """Return what is left of a step's elements without the first `count`, and note what was gone through."""
        step = self.plan.steps[number]
        cardinality = step.after.cardinality
        if count and cardinality.kind == "exactly" and count >= (cardinality.count or 0):
            self.settle(number, _next(passes), cut)
            return Past(number)
        if count and isinstance(step.node, Repeat):
            found = self._in_round(number, step.node, passes, count, cut)
        elif count and isinstance(step.node, Root):
            found = self._in_root(number, step.node, passes, count, cut)
        else:
            found = self._through(number, step, passes, count, cut) if count else None
        if found is None:
            self.settle(number, passes, cut)
            return Kept(number, count)
        return found

    def settle(self, number: int, passes: Passes, cut: bool) -> None:
        """Note how often a step, and so those before it, were gone through."""
        step, node = self.plan.steps[number], self.plan.steps[number].node
        self.passes[number] = passes
        if isinstance(node, Root):
            for place, one in enumerate(self.flow[number]):
                self.settle(one, *self._before_joint(node, number, place, passes, cut))
            return
        if isinstance(node, Repeat):
            passes = self._rounds(node, passes, cut)
        elif isinstance(node, Shuffle) and self.laziness.shuffle:
            passes = None if passes is None else Times(passes.read, passes.read)
        elif node.freezes:  # filled in one pass, and to be filled once more
            passes = None if cut and passes != NEVER else NEVER
        self.settle(self.flow[number][0], passes, cut or _cuts(step))

    def _through(self, number: int, step: PlannedStep, passes: Passes, count: int, cut: bool) -> Piece | None:
        """Return the step over elements that are left out before it; None where it does not know how many."""
        node, before = step.node, step.before
        if isinstance(node, Root) or before is None or self._loses(step):
            return None
        found = node.skips(count, before)
        if found is None or not found[0]:
            return None
        self.passes[number] = _next(passes)
        rest = self.find(self.flow[number][0], passes, found[0], cut or _cuts(step))
        return Anew(number, (rest,), *found, passes)

    def _loses(self, step: PlannedStep) -> bool:
        """Return whether it leaves out elements that cannot be made."""
        node = step.node
        return not isinstance(node, Root) and node.fallible and leaves_out(self.plan, node)

    def _in_round(self, number: int, node: Repeat, passes: Passes, count: int, cut: bool) -> Piece | None:
        """Return what is left of the round that it is in, where all rounds have the same number of elements."""
        [before] = self.flow[number]
        cardinality = self.plan.steps[before].after.cardinality
        if cardinality.kind != "exactly" or not cardinality.count or self._repeated or self._mixes_batches:
            return None
        self._repeated = True
        gone, inside = divmod(count, cardinality.count)
        earlier = self._rounds(node, passes, cut)
        self.passes[number] = _next(passes)
        more = None if node.count is None else node.count - gone - 1
        rest = self.find(
            before, None if earlier is None else earlier.plus(gone), inside, cut and passes != NEVER
        )
        return Rounds(number, rest, before, more)

    def _rounds(self, node: Repeat, passes: Passes, cut: bool) -> Passes:
        """Return how often what is repeated was gone through in so many passes."""
        if passes is None or (passes.read and (cut or node.count is None)):
            return None
        rounds, unread = node.count or 0, passes.begun - passes.read
        return Times(passes.read * (rounds + self.laziness.spare) + unread, passes.read * rounds)

    def _in_root(self, number: int, node: Root, passes: Passes, count: int, cut: bool) -> Piece | None:
        """Return a source that starts further on; None for one that has to be read from its start."""
        if isinstance(node, Zipped) and not (node.marked and not node.hands_on):
            firsts = [count] * len(node.parts())
        elif isinstance(node, Concatenated):
            firsts = self._shares(number, count)
        elif node.seeks:
            firsts = []
        else:
            return None
        if len(firsts) < len(node.parts()):
            return None
        self.passes[number] = _next(passes)
        inputs: list[Piece] = []
        for place, (one, first) in enumerate(zip(self.flow[number], firsts, strict=True)):
            before = self._before_joint(node, number, place, passes, cut)
            inputs.append(self.find(one, before[0], first, before[1]))
        return Anew(number, tuple(inputs), count, 0, passes)

    def _shares(self, number: int, count: int) -> list[int]:
        """Return how many of the first `count` elements come from each of the inputs that run one after the other.

        It ends with the first input of which the number of elements is not known, where that matters.
        """
        found: list[int] = []
        for one in self.flow[number]:
            cardinality = self.plan.steps[one].after.cardinality
            if cardinality.kind not in ("exactly", "infinite") and count:
                last = len(found) == len(self.flow[number]) - 1
                return [*found, count] if last else found
            share = count if cardinality.count is None else min(count, cardinality.count)
            found.append(share)
            count -= share
        return found

    def _before_joint(
        self, node: Root, number: int, place: int, passes: Passes, cut: bool
    ) -> tuple[Passes, bool]:
        """Return how often an input of a combinator was gone through, and whether a pass may end before it does."""
        if isinstance(node, Zipped):
            counts = [self.plan.steps[one].after.cardinality for one in self.flow[number]]
            even = all(one.kind == "exactly" and one == counts[0] for one in counts)
            return passes, cut or not even
        ends = cut or (isinstance(node, Mixed) and node.stop_on_empty)
        if isinstance(node, Concatenated):
            if place == 0 or passes is None:
                return passes, cut
            passes = Times(passes.read, passes.read)  # begun when those before it have ended
        # a pass that ends early may not have come to it
        return (None if ends and passes != NEVER else passes), ends


def _next(passes: Passes) -> Passes:
    return None if passes is None else passes.plus(1)


def _cuts(step: PlannedStep) -> bool:
    """Return whether a pass may end at a step before the elements that enter it do."""
    if not isinstance(step.node, Take) or step.before is None:
        return False
    most = step.before.cardinality.most
    return most is None or step.node.count <= most
