"""What a plan's steps hold while all of them run, which is less than each of them may hold by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from safedata.held.few import no_more_than_come
from safedata.memory import HOST, Hold, add
from safedata.sources.base import Root
from safedata.walk import PlannedStep

Holds = tuple[Hold, ...]


def at_peak(steps: Sequence[PlannedStep]) -> list[Holds]:
    """Return each step's holds at the peak of all.

    A batch in the making that has its place in a buffer already counts once; of inputs that run one after the other
    only one has full buffers; and what is there only while a table is built has made room for what comes after it.
    """
    return _after_building(no_more_than_come(steps, list(_placed_once(steps))))


def busy_beside(steps: Sequence[PlannedStep]) -> int:
    """Return how many threads run beside those of the pool: one for each step with parallel calls or a `prefetch`."""
    calling = sum(1 for step in steps if step.calls > 1)
    return calling + sum(1 for step in steps if getattr(step.node, "ahead", False))


def _placed_once(steps: Sequence[PlannedStep]) -> Iterator[Holds]:
    filling: PlannedStep | None = None
    for step, holds in zip(steps, _in_turn(steps), strict=True):
        node = step.node
        if isinstance(node, Root):
            filling = None
            yield holds
            continue
        taking = node.takes and holds is step.holds  # and not empty while another input runs
        if taking and filling is not None and holds and step.after.place == HOST:
            yield (_less_one(holds[0], filling), *holds[1:])
        else:
            yield holds
        if node.fills:
            filling = step
        elif holds:
            filling = None


def _in_turn(steps: Sequence[PlannedStep]) -> Sequence[Holds]:
    holds = [step.holds for step in steps]
    if not any(isinstance(step.node, Root) and step.node.in_turn for step in steps):
        return holds
    from safedata.held.turns import one_at_a_time  # few specs have such inputs

    return one_at_a_time(steps, holds)


def _less_one(kept: Hold, filling: PlannedStep) -> Hold:
    """Return a buffer's hold without the one place that the batch in the making is counted for already."""
    made = filling.holds[-1].bytes
    if kept.bytes is None or made is None:
        return kept
    why = f"{kept.why}, one of them the batch in work"
    slots = tuple((count - (not number), size) for number, (count, size) in enumerate(kept.slots))
    return kept._replace(bytes=max(0, kept.bytes - made), why=why, slots=slots)


def _after_building(found: list[Holds]) -> list[Holds]:
    """Return the holds with those that are early cut to what they have more than the others, which come after them.

    What the same step keeps, and any other that is built, is there by then.
    """
    built = {number for number, holds in enumerate(found) if any(hold.early for hold in holds)}
    others = (holds for number, holds in enumerate(found) if number not in built)
    later = add(*(hold.bytes for holds in others for hold in holds if hold.place == HOST))
    if later is None or not built:
        return found
    for number in sorted(built):
        cut = list[Hold]()
        for hold in found[number]:
            if hold.early and hold.bytes is not None:
                cut.append(hold._replace(bytes=max(0, hold.bytes - later)))
                later = max(0, later - hold.bytes)
            else:
                cut.append(hold)
        found[number] = tuple(cut)
    return found
