"""Runs pipelines with a second device of the CPU in a GPU's place, and prints what was seen as JSON.

TensorFlow takes the division of the CPU only before it starts, so this is a process of its own.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import tensorflow as tf

import safedata
from safedata.compile import compile_plan
from safedata.internal.crossing import Crossing
from safedata.problem import SafedataError
from safedata.run import one_pass
from tests.gpu import specs

SECOND = {"gpu:0": "/CPU:1"}


def crossed(text: str = specs.IMAGES) -> Any:
    """Return the dataset of a spec with its steps for the GPU on the second device."""
    plan = safedata.check(text, gpu=specs.ONE_GPU).plan
    assert plan is not None
    return compile_plan(plan, SECOND).dataset


def devices() -> dict[str, Any]:
    """Every component's device, of each element of an epoch, and the dataset's own."""
    data = crossed()
    found = {part.device for element in data for part in tf.nest.flatten(element)}
    return {"components": sorted(found), "dataset": tf.data.experimental.to_variant(data).device}


def equal() -> dict[str, Any]:
    """Two epochs on the second device beside two on the host."""
    there, host = crossed(), safedata.load(specs.IMAGES + specs.FALLBACK)
    pairs = [pair for _ in range(2) for pair in zip(there, host, strict=True)]
    same = [
        bool(tf.reduce_all(one == two))
        for pair in pairs
        for one, two in zip(*map(tf.nest.flatten, pair), strict=True)
    ]
    return {"batches": len(pairs), "same": all(same), "spec": there.element_spec == host.element_spec}


def drawn() -> dict[str, int]:
    """How many elements the host has made once one was taken, and time was left to make more."""
    found: dict[str, int] = {}
    for name, ahead in (("none", 0), ("two", 2)):
        made: list[int] = []

        def seen(x: Any, made: list[int] = made) -> Any:
            made.append(1)
            return x

        def counted(x: Any, seen: Callable[[Any], Any] = seen) -> Any:
            return {"x": tf.ensure_shape(tf.numpy_function(seen, [x], tf.int64), [])}

        options = tf.data.Options()
        options.autotune.enabled = False
        options.experimental_optimization.apply_default_optimizations = False
        data = tf.data.Dataset.range(50).map(counted).with_options(options)
        crossing = Crossing(tf, data, frozenset({"x"}), "/CPU:1")
        behind = crossing.prefetch(ahead) if ahead else crossing.build()
        iterator = iter(behind.with_options(options))
        next(iterator)
        time.sleep(0.3)
        found[name] = len(made)
    return found


def errors() -> dict[str, str]:
    """What is raised where TensorFlow has no GPU, says nothing of it, or a strategy is active."""
    plan = safedata.check(specs.IMAGES, gpu=specs.ONE_GPU).plan
    assert plan is not None
    found: dict[str, str] = {}
    strategy = tf.distribute.MirroredStrategy(["/CPU:0", "/CPU:1"])
    with strategy.scope():
        found["strategy"] = _raised(lambda: compile_plan(plan, SECOND))
    found["missing"] = _raised(lambda: compile_plan(plan))
    found["elsewhere"] = _raised(lambda: compile_plan(plan, {"gpu:0": "/GPU:0"}))
    found["unknown"] = _raised(lambda: compile_plan(plan, {"gpu:0": "/CPU:7"}))
    return found


def _raised(work: Callable[[], object]) -> str:
    try:
        work()
    except SafedataError as error:
        return str(error)
    return ""


def bad_data() -> str:
    """What a pass says of a file that cannot be decoded, in the folder that the process is given."""
    folder = sys.argv[2]
    plan = safedata.check(
        f"""
safedata: 1
source: {{image_folder: {{path: {folder}}}}}
steps:
  - map: {{image: [{{decode_image: {{max_size: [60, 60]}}}}, {{resize: [8, 8]}}]}}
  - batch: 2
  - map: {{image: [{{rescale: [0, 1]}}]}}
    device: gpu
output: [image, label]
""",
        gpu=specs.ONE_GPU,
    ).plan
    assert plan is not None
    return _raised(lambda: one_pass(compile_plan(plan, SECOND).dataset, plan))


def in_functions() -> float:
    """The sum of the labels, from a loop inside a graph over the dataset and from one over its iterator."""

    def summed(data: Any) -> Any:
        total = 0.0
        for element in data:
            total += tf.reduce_sum(element["y"])
        return total

    def first(iterator: Any) -> Any:
        return tf.reduce_sum(next(iterator)["y"])

    data = crossed()
    each = iter(data)
    whole, one = tf.function(summed), tf.function(first)
    return abs(float(whole(data)) - sum(float(one(each)) for _ in range(7)))


def unplaced() -> list[str]:
    """The devices that the operations of the function on the device are pinned to, the host's own aside."""
    data = crossed()
    while not hasattr(data, "safedata_keeps"):
        (data,) = data._inputs()
    step = data.safedata_keeps[2]
    return sorted({one.device for one in step.graph.get_operations()})


def mirrored() -> dict[str, int]:
    """How many batches a strategy has drawn once it was asked for one, for two and for three replicas."""
    found: dict[str, int] = {}
    for replicas in (2, 3):
        made: list[int] = []

        def seen(x: Any, made: list[int] = made) -> Any:
            made.append(1)
            return x

        def counted(x: Any, seen: Callable[[Any], Any] = seen) -> Any:
            return tf.ensure_shape(tf.numpy_function(seen, [x], tf.int64), [6])

        host = safedata.load("safedata: 1\nsource: {range: 6}\n")
        data = (
            tf.data.Dataset.range(600).batch(6, drop_remainder=True).map(counted).with_options(host.options())
        )
        strategy = tf.distribute.MirroredStrategy([f"/CPU:{number}" for number in range(replicas)])
        next(iter(strategy.experimental_distribute_dataset(data)))
        time.sleep(0.3)
        found[str(replicas)] = len(made)
    return found


def fit() -> list[float]:
    """The losses of a model that is fitted to the dataset as it is."""
    import keras

    text = specs.IMAGES.replace("output: {x: image, z: twice, y: label, n: n}", "output: [image, label]")
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1, kernel_initializer="zeros")])
    model.compile("adam", "mae")
    losses: list[float] = model.fit(crossed(text), epochs=2, verbose=0, shuffle=False).history["loss"]
    return losses


if __name__ == "__main__":
    [cpu] = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 3)
    names = sys.argv[1].split(",")
    sys.stdout.write(json.dumps({name: globals()[name]() for name in names}) + "\n")
