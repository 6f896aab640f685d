"""Runs one pipeline in a process of its own and prints what it was said to hold and what it held, in bytes.

The peak is the growth of resident memory over a TensorFlow that has run the same pipeline once, on a few
elements.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from safedata import registry
from safedata.compile import tensorflow
from safedata.lowering import Lowering, Values
from safedata.memory import Hold, add
from safedata.scope import Scope
from safedata.sources.range import RangeRoot
from safedata.stages.base import ElementNode
from safedata.types import Dim, Stream, Tensor

SCOPE = Scope("", cpus=2)


@dataclass(frozen=True)
class Make(ElementNode):
    """Make a component of some bytes from the number that comes in."""

    kind: str
    size: int
    parallel: int

    def title(self) -> str:
        return "make"

    def calls(self, scope: Scope) -> int:
        return self.parallel

    def infer(self, before: Stream, scope: Scope) -> Stream:
        types = {
            "scalar": Tensor("int64"),
            "bytes": Tensor("uint8", (Dim.exactly(self.size),)),
            "string": Tensor("string", (), Dim.exactly(self.size)),
            "ragged": Tensor("int64", (Dim.exactly(2), Dim.at_most(self.size)), ragged_rank=1),
        }
        return before.with_element({"x": types[self.kind]})

    def call_bytes(self, before: Stream, after: Stream, scope: Scope) -> int | None:
        return add(before.bytes, after.bytes)

    def apply(self, values: Values, low: Lowering) -> Values:
        tf, value = low.tf, values["value"]
        if self.kind == "scalar":
            return {"x": value}
        if self.kind == "ragged":
            return {"x": tf.ragged.range(tf.fill([2], value), tf.fill([2], value + self.size))}
        if self.kind == "string":
            return {"x": tf.strings.join([tf.strings.as_string(value, width=self.size, fill="0")])}
        return {"x": tf.fill([self.size], tf.cast(value % 256, tf.uint8))}


def build(tf: Any, case: dict[str, Any], count: int) -> tuple[Any, int | None]:
    """Return the dataset of a case over `count` elements, and the bound on all it holds."""
    root = RangeRoot(count)
    stream = root.infer(SCOPE)
    data = root.lower(Lowering(tf, stream, stream, 7))
    held: list[Hold] = list(root.holds(stream, SCOPE))
    for node in nodes(case):
        after = node.infer(stream, SCOPE)
        data = node.lower(data, Lowering(tf, stream, after, 7, node.calls(SCOPE)))
        held += node.holds(stream, after, SCOPE)
        stream = after
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    return data.with_options(options), add(stream.bytes, *(hold.bytes for hold in held))


def nodes(case: dict[str, Any]) -> Iterator[Any]:
    yield Make(case["kind"], case.get("size", 1), case.get("parallel", 1))
    for name, fields in case["steps"]:
        yield registry.stage(name).model_validate(fields)


def resident(key: str) -> int:
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(key))


def settle() -> int:
    """Wait until the buffers are full, that is until resident memory has stopped growing; return it."""
    before, now = -1, resident("VmRSS")
    while now > before + (1 << 18):
        time.sleep(1.5)
        before, now = now, resident("VmRSS")
    return now


def consume(tf: Any, data: Any, paused: bool) -> None:
    if not paused:
        data.reduce(tf.constant(0, tf.int64), lambda count, _: count + 1)
        return
    iterator = iter(data)
    for _ in range(3):
        next(iterator, None)
    settle()
    del iterator


def main(case: dict[str, Any]) -> None:
    tf = tensorflow()
    with tf.device("/CPU:0"):
        consume(tf, build(tf, case, 64)[0].take(4), case.get("paused", False))
        gc.collect()
        data, bound = build(tf, case, case["count"])
        with open("/proc/self/clear_refs", "w", encoding="ascii") as peak:
            peak.write("5")
        base = resident("VmRSS")
        consume(tf, data, case.get("paused", False))
    sys.stdout.write(json.dumps({"bound": bound, "measured": resident("VmHWM") - base}) + "\n")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
