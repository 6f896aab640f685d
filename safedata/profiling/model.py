"""TensorFlow's model of a running iterator, read into figures by step and by thread.

The model (`tf.data.experimental.get_model_proto`) has a node for each dataset that runs: elements made, time spent
in it and not in those before it, and what its buffer holds. TensorFlow keeps it only with autotuning enabled, which
changes nothing where no number is left to AUTOTUNE: a test holds the numbers in the model against the plan's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from safedata.plan import Plan
from safedata.profiling.marks import MARK, PLACE
from safedata.profiling.rounds import Rounds

CONSUMER: Final = "consumer"
"""The lane of the thread that asks the iterator for its next element."""
_ASYNC: Final = (2, 4, 6)
"""`NodeClass` of TensorFlow's model.proto: ASYNC_INTERLEAVE_MANY, ASYNC_KNOWN_RATIO, ASYNC_UNKNOWN_RATIO."""
_INTERLEAVE: Final = 2


class Lane(NamedTuple):
    """Threads that do the same work: the consumer's own, that of a buffer, or the calls of a parallel step."""

    name: str
    width: int
    """How many threads there are at most."""


class Reading(NamedTuple):
    """What one node of the model says."""

    step: int
    """The step of the plan that it belongs to."""
    lane: Lane
    """The threads that its own time is spent on."""
    mark: bool
    """Whether it is the mark behind its step: its elements are the step's."""
    elements: int
    busy: float
    """Seconds spent in it, those before it not counted; of parallel calls, the sum."""
    buffered: int
    """Elements in its buffer now."""
    bytes: int
    """Their payload."""
    calls: bool
    """Whether its time is that of calls, which has been spent on the elements in its buffer too."""


def readings(proto: Any, flow: Sequence[tuple[int, ...]]) -> dict[int, Reading]:
    """Return what a model's nodes say, by TensorFlow's number of the node.

    Args:
        proto: a `tensorflow.data.model.ModelProto`.
        flow: the plan's: for each step, each with a mark behind it, those that it takes its elements from.
    """
    steps = len(flow)
    walk = _Walk(proto, (*flow, (steps - 1,)))
    return dict(walk.nodes(proto.output, _Below(steps), Lane(CONSUMER, 1), CONSUMER))


class _Below(NamedTuple):
    """Where in the plan a node is: in a step, before whose nodes the marks of other steps stand."""

    step: int
    place: int = 0
    """Which of the step's inputs it is in, if it stands before the mark of one: the places that were met."""


class _Walk(NamedTuple):
    """Goes through a model from its end to its sources."""

    proto: Any
    flow: Sequence[tuple[int, ...]]

    def nodes(self, number: int, at: _Below, lane: Lane, path: str) -> Iterator[tuple[int, Reading]]:
        """Yield a node and all that stand before it."""
        node = self.proto.nodes[number]
        path = f"{path}/{node.name}"
        mark = node.name == MARK
        if mark:
            inputs = self.flow[at.step]
            at = _Below(inputs[at.place])
            path = f"{path} {at.step}" if len(inputs) > 1 else path
        elif node.name == PLACE:
            at = at._replace(place=at.place + 1)
        own, inner = _lanes(node, lane, path)
        yield (
            number,
            Reading(
                at.step,
                own,
                mark,
                int(node.num_elements),
                0.0 if mark else node.processing_time / 1e9,
                int(node.buffered_elements),
                int(node.buffered_bytes),
                own != lane,
            ),
        )
        for before in node.inputs:
            if before in self.proto.nodes:
                yield from self.nodes(before, at, inner, path)


def _lanes(node: Any, lane: Lane, path: str) -> tuple[Lane, Lane]:
    """Return the threads that a node's own time is spent on, and those that its inputs run on."""
    if node.node_class not in _ASYNC:
        return lane, lane
    calls = next((max(1, int(one.value)) for one in node.parameters if one.name == "parallelism"), None)
    if calls is None:  # a buffer: one thread fills it, and its own time is that of handing on
        return lane, Lane(f"{path} ahead", 1)
    running = Lane(f"{path} calls", calls)
    return running, running if node.node_class == _INTERLEAVE else Lane(f"{path} ahead", 1)


def parameters(proto: Any) -> list[tuple[str, str, int, bool]]:
    """Return node, name, value and whether autotuning may change it, of every number in a model."""
    return [
        (node.name, one.name, int(one.value), bool(one.tunable))
        for node in proto.nodes.values()
        for one in node.parameters
    ]


@dataclass(slots=True)
class Totals:
    """Sums over a stretch of time."""

    elements: dict[int, int] = field(default_factory=dict[int, int])
    """By step: elements that left it."""
    lanes: dict[Lane, dict[int, float]] = field(default_factory=dict[Lane, dict[int, float]])
    """By threads: seconds of work of each step that runs on them."""
    ahead: dict[Lane, dict[int, int]] = field(default_factory=dict[Lane, dict[int, int]])
    """By threads that make calls, and by step: elements that they have worked on and that had not left it yet."""


class Recorder:
    """Adds up what models say, over many looks at many iterators, and keeps the fullest buffers."""

    def __init__(self, plan: Plan) -> None:
        """Begin; the plan's steps have a mark behind them each."""
        self.totals = Totals()
        """What was seen; `rounds` knows what steps made beside it."""
        self.rounds = Rounds(plan)
        self.buffered: dict[int, int] = {}
        """By step: the most elements that its buffers held at any look."""
        self.bytes: dict[int, int] = {}
        """By step: the most bytes of payload that its buffers held at any look."""
        self._flow = plan.flow
        self._last: dict[int, Reading] = {}

    def look(self, proto: Any) -> bool:
        """Take what a model says now; return whether a step ended, or began anew, since the last look."""
        found = readings(proto, self._flow)
        for number, now in found.items():
            self._add(now, self._last.get(number))
        self._last = found
        self._keep_peaks(found)
        counts: dict[int, int] = {}
        for one in found.values():
            if one.mark:
                counts[one.step] = counts.get(one.step, 0) + one.elements
        return self.rounds.look(counts)

    def begin(self) -> None:
        """Forget the sums up to the last look; the fullest buffers stay."""
        self.totals = Totals()
        self.rounds.begin()

    def next_iterator(self) -> None:
        """Expect the model of a new iterator, which counts from zero."""
        self._last = {}
        self.rounds.next_iterator()

    def _add(self, now: Reading, last: Reading | None) -> None:
        totals = self.totals
        busy = now.busy - (last.busy if last else 0.0)
        lane = totals.lanes.setdefault(now.lane, {})
        lane[now.step] = lane.get(now.step, 0.0) + busy
        if now.calls:
            ahead = totals.ahead.setdefault(now.lane, {})
            ahead[now.step] = ahead.get(now.step, 0) + now.buffered - (last.buffered if last else 0)
        if now.mark:
            made = now.elements - (last.elements if last else 0)
            totals.elements[now.step] = totals.elements.get(now.step, 0) + made

    def _keep_peaks(self, found: dict[int, Reading]) -> None:
        for peaks, kind in ((self.buffered, "buffered"), (self.bytes, "bytes")):
            sums: dict[int, int] = {}
            for one in found.values():
                sums[one.step] = sums.get(one.step, 0) + int(getattr(one, kind))
            for step, amount in sums.items():
                peaks[step] = max(peaks.get(step, 0), amount)
