"""Runs a pipeline on a GPU and prints what was seen as JSON; a process of its own, for the GPU's settings."""

from __future__ import annotations

import json
import sys
from typing import Any

import safedata
from safedata.compile import tensorflow
from tests.gpu import specs

GROWTH = "runtime: {memory_growth: true}\n"


def main() -> None:
    """Go through two epochs on the GPU, and two on the host; compare places, values and bytes."""
    verdict = safedata.check(specs.IMAGES + GROWTH)
    there: Any = safedata.load(specs.IMAGES + GROWTH)
    tf: Any = tensorflow()
    host: Any = _on_host(specs.IMAGES)
    places, worst = set[str](), 0.0
    tf.config.experimental.reset_memory_stats("GPU:0")
    for _ in range(2):
        for one, two in zip(there, host, strict=True):
            for left, right in zip(tf.nest.flatten(one), tf.nest.flatten(two), strict=True):
                places.add(left.device.rpartition("/")[2])
                with tf.device("/CPU:0"):
                    gap = tf.cast(tf.identity(left), tf.float64) - tf.cast(right, tf.float64)
                    worst = max(worst, float(tf.reduce_max(tf.abs(gap))))
    peak = tf.config.experimental.get_memory_info("GPU:0")["peak"]
    bound = verdict.places["gpu:0"].bytes
    seen = {"places": sorted(places), "worst": worst, "peak": peak, "bound": bound}
    sys.stdout.write(json.dumps(seen) + "\n")


def _on_host(text: str) -> Any:
    """Return the dataset that runs all on the host, as where there is no GPU."""
    from safedata.compile import compile_plan

    plan = safedata.check(text + specs.FALLBACK, gpu=[]).plan
    assert plan is not None
    return compile_plan(plan).dataset


if __name__ == "__main__":
    main()
