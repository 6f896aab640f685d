"""Runs one case in a process of its own and prints what was estimated and what was measured, as JSON.

The process does what a user's does: it checks and loads the specs, and goes through the data.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

import safedata
from safedata.budget import Verdict
from safedata.compile import compile_plan, tensorflow
from safedata.machine import resident
from safedata.memory import HOST
from safedata.request import raise_for
from tests.memory import jostle
from tests.memory.given import ALLOW

ENDED: Any = object()
KINDS = {"Shuffle": "shuffle", "Prefetch": "prefetch", "MemoryCacheImpl": "cache", "ParallelMapV2": "map"}
"""What the steps are called that TensorFlow's nodes stand for."""
SLOW = (0, 3, 4, 5)
"""The consumer takes its time with these elements unless a case names others, so that every buffer before it fills. At
the first one too: where an epoch has few batches nothing is left to fill them later."""
EPOCHS = 3
"""Times through the data unless a case says otherwise: threads of later epochs take up what earlier ones left."""
UNEVEN = (0, 0, 0, 0.02, 0.1, 0.4)
"""Seconds that an uneven consumer takes for an element."""
BROKEN = 0.6
"""Part of the epochs that a consumer breaks off, where it does."""
STRETCH = 12
"""Elements, at most, for which one that is uneven in stretches keeps its pace."""
PAUSE = 0.4
"""Seconds between two looks at resident memory."""
LOOKS = 2
"""So many of them without growth, one after the other."""
SETTLED = 1 << 18
"""Bytes: buffers are full once resident memory grows by less than this in a pause."""


def main(case: dict[str, Any]) -> dict[str, Any]:
    """Run a case and return its figures."""
    given = case.get("given", {})
    if case.get("stages"):
        return {"stages": stages(checked(case["specs"][0], os.getcwd(), given), case)}
    if case.get("jostled"):
        jostle.start(random.Random(os.getpid()))
    if case.get("measured"):
        for text in case["specs"]:
            safedata.isolated(safedata.measure, text, folder=os.getcwd())
    verdicts, datasets = [], []
    for text in case["specs"]:  # one after the other, as `safedata.load` does
        verdicts.append(checked(text, os.getcwd(), given))
        assert verdicts[-1].plan is not None
        datasets.append(compile_plan(verdicts[-1].plan).dataset)
    beside = 0
    if case.get("fit"):
        beside = fit(datasets, case)
    else:
        consume(datasets, case)
    peak = resident().peak
    assert peak is not None
    return {
        "estimates": [host_bytes(verdict) for verdict in verdicts],
        "tensorflow": tensorflow_bytes(verdicts[0]),
        "measured": peak,
        "beside": beside,
    }


def host_bytes(verdict: Verdict) -> int:
    """Return the estimate of a process's peak, the sum of all holds of the host."""
    return sum(line.hold.bytes or 0 for line in verdict.lines if line.hold.place == HOST)


def tensorflow_bytes(verdict: Verdict) -> int:
    """Return what an estimate takes for TensorFlow itself, the first of the host's holds."""
    return next(line.hold.bytes or 0 for line in verdict.lines if line.hold.place == HOST)


def checked(text: str, folder: str, given: Mapping[str, Any]) -> Verdict:
    """Return the verdict on a spec in a folder, with these values for its parameters.

    Raises:
        SafeDataError: the spec is not sound.
    """
    verdict = safedata.check(text, host="1TiB", disk="1TiB", allow=ALLOW, folder=folder, **given)
    raise_for(verdict)
    return verdict


def consume(datasets: list[Any], case: dict[str, Any]) -> None:
    """Go through the data: all datasets alive at once, `epochs` times, `take` elements of each at most.

    At the elements that `slow` names it waits until all buffers are full. With `uneven` some elements take the consumer
    longer than others, another time others: what the pool has to take anew depends on when each block is let go of.
    With `lasting` it goes on for so many seconds, uneven in stretches; with `broken` as fast as it can, and more often
    than not it breaks off somewhere, as `steps_per_epoch` does, and still has that element when the next epoch begins.
    """
    ends, waits = time.monotonic() + case.get("lasting", 0), paces(case)
    pace, rounds, longest = random.Random(os.getpid()), 0, length(datasets, case)
    while rounds < case.get("epochs", EPOCHS) or time.monotonic() < ends:
        rounds += 1
        cut = pace.randint(1, longest) if case.get("broken") and pace.random() < BROKEN else case.get("take")
        for number, element in enumerate(together(datasets)):
            if number in case.get("slow", SLOW) and case.get("pause", True):
                settle()
            longest = max(longest, number + 1)
            late = case.get("lasting") and time.monotonic() > ends
            if number + 1 == cut or late:
                break
            del element
            time.sleep(next(waits))
        if case.get("broken"):
            case = {**case, "pause": False}  # once is enough: buffers were full


def length(datasets: list[Any], case: dict[str, Any]) -> int:
    """Return how many elements an epoch has, as far as that is known."""
    known = [int(data.cardinality()) for data in datasets]
    return case.get("take") or max(1, *known, sum(known) if min(known) > 0 else 1)


def paces(case: dict[str, Any]) -> Iterator[float]:
    """Yield the seconds that the consumer takes for each element."""
    pace = random.Random(os.getpid())
    while True:
        if case.get("lasting") and not case.get("broken"):
            most = pace.choice(UNEVEN)
            yield from (most * pace.random() for _ in range(pace.randint(1, STRETCH)))
        else:
            yield pace.choice(UNEVEN) if case.get("uneven") and not case.get("broken") else 0


def together(datasets: list[Any]) -> Iterator[Any]:
    """Yield the elements of all datasets in turn, every iterator alive until the last has ended."""
    alive = [iter(data) for data in datasets]
    open_ = list(alive)
    while open_:
        for one in list(open_):
            element = next(one, ENDED)
            if element is ENDED:
                open_.remove(one)
            else:
                yield element


def fit(datasets: list[Any], case: dict[str, Any]) -> int:
    """Train a small Keras model, and return what training takes beside the pipeline: from a run on one batch."""
    tf = tensorflow()
    inputs, targets = tf.nest.map_structure(_one_row, datasets[0].element_spec)
    model = tf.keras.Sequential([tf.keras.layers.Flatten(), tf.keras.layers.Dense(1)])
    model.compile(loss="mse")
    model.fit(tf.data.Dataset.from_tensors((inputs, targets)), verbose=0)
    before = resident().peak or 0
    model.fit(
        datasets[0],
        validation_data=datasets[1] if len(datasets) > 1 else None,
        epochs=case.get("epochs", 1),
        verbose=0,
    )
    return before


def _one_row(spec: Any) -> Any:
    return tensorflow().zeros([1, *spec.shape[1:]], spec.dtype)


def settle() -> None:
    """Wait until the buffers are full, that is until resident memory has stopped growing.

    A pause in which the process itself stood still, or had hardly a CPU, says nothing: it is taken again.
    """
    before, quiet = 0, 0
    while quiet < LOOKS:
        start = time.monotonic()
        time.sleep(PAUSE)
        late = time.monotonic() - start > 1.5 * PAUSE
        now = resident().now or 0
        quiet = 0 if late or now >= before + SETTLED else quiet + 1
        before = now


def stages(verdict: Verdict, case: dict[str, Any]) -> dict[str, list[int]]:
    """Return for each kind of buffer what the plan holds in it, and the most that TensorFlow says was in it.

    TensorFlow counts each block as large as the allocator made it, so the allocator's share is on the plan's side.
    """
    plan = verdict.plan
    assert plan is not None
    data = compile_plan(plan).dataset
    tf = tensorflow()
    options = tf.data.Options()
    options.autotune.enabled = True  # it keeps the books; the graph has no number that it could change
    options.autotune.ram_budget = 1
    iterator = iter(data.with_options(options))
    seen: dict[str, int] = {}
    for number, element in enumerate(iterator):
        if number in SLOW:
            settle()
        look(tf, iterator, seen)
        if number + 1 == case.get("take"):
            break
        del element
    beside = next(line.hold.bytes or 0 for line in verdict.lines if "the allocator" in line.hold.why)
    held: dict[str, int] = {}
    for step in plan.steps:
        kind = "map" if step.calls > 1 else step.title
        own = sum(hold.bytes or 0 for hold in step.holds if hold.place == HOST)
        held[kind] = held.get(kind, beside) + own
        if step.before is not None and step.before.shared:  # TensorFlow counts the cache's elements again
            seen.pop(kind, None)
    return {kind: [held.get(kind, 0), bytes_] for kind, bytes_ in seen.items()}


def look(tf: Any, iterator: Any, seen: dict[str, int]) -> None:
    """Note what the nodes of each kind have buffered now, where it is more than ever before."""
    now: dict[str, int] = {}
    for node in tf.data.experimental.get_model_proto(iterator).nodes.values():
        kind = KINDS.get(node.name)
        if kind:
            now[kind] = now.get(kind, 0) + node.buffered_bytes
    for kind, bytes_ in now.items():
        seen[kind] = max(seen.get(kind, 0), bytes_)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(json.loads(sys.stdin.read()))) + "\n")
    sys.stdout.flush()
    os._exit(0)
