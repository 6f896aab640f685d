"""What keeps TensorFlow to the plan: nothing autotuned, pools of the plan's size, buffers with numbers."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import safedata
from safedata.compile import compile_plan, ram_budget
from safedata.graphs import bodies
from safedata.machine import read
from safedata.machine.limits import Cpus
from safedata.memory import HOST

pytestmark = pytest.mark.tf

SHIPPED = sorted(path.stem for path in (Path(__file__).parent.parent.parent / "specs").glob("*.yaml"))
COUNTS = ("RepeatDataset", "TakeDataset", "SkipDataset")
"""Here -1 means all, and no tuning."""
COUNTING = "safedata: 1\nsource: {range: 100}\nsteps: [{shuffle: 20}, {batch: 4}, {prefetch: 2}]\n"


def compiled(spec: Any) -> tuple[Any, Any]:
    """Return the plan and the dataset of a spec."""
    plan = safedata.check(spec).plan
    assert plan is not None
    return plan, compile_plan(plan).dataset


def autotuned(tf: ModuleType, dataset: Any) -> list[str]:
    """Return the nodes of a dataset's graph that have AUTOTUNE among their numbers."""
    text = tf.raw_ops.DatasetToGraphV2(input_dataset=dataset._variant_tensor)
    graph = tf.compat.v1.GraphDef.FromString(text.numpy())
    found: list[str] = []
    for nodes in bodies(graph):
        numbers = {
            node.name: tf.make_ndarray(node.attr["value"].tensor)
            for node in nodes
            if node.op == "Const" and node.attr["dtype"].type == tf.int64.as_datatype_enum
        }
        for node in nodes:
            names = [one.removeprefix("^").split(":")[0] for one in node.input]
            values = [numbers[one] for one in names if one in numbers]
            tuned = any(value.ndim == 0 and value == tf.data.AUTOTUNE for value in values)
            if node.op.partition("V")[0] not in COUNTS and "Dataset" in node.op and tuned:
                found.append(node.name)
    return found


@pytest.mark.parametrize("name", SHIPPED)
def test_no_number_of_a_shipped_spec_is_left_to_autotune(tf: ModuleType, specs: Path, name: str) -> None:
    """Every buffer and every parallelism in the graph is a number."""
    _, dataset = compiled(specs / f"{name}.yaml")
    assert autotuned(tf, dataset) == []


def test_autotune_is_seen_where_it_is(tf: ModuleType) -> None:
    """The look at the graph finds AUTOTUNE in a hand-written one, so that its absence says something."""
    data = tf.data.Dataset.range(9).map(lambda x: x + 1, num_parallel_calls=tf.data.AUTOTUNE)
    assert len(autotuned(tf, data.prefetch(tf.data.AUTOTUNE).repeat())) == 2


def test_options_come_from_the_plan() -> None:
    """Autotuning and rewrites are off; the budget of RAM is what the steps hold; the pool is the plan's."""
    plan, dataset = compiled(COUNTING)
    options = dataset.options()
    held = sum(hold.bytes for step in plan.steps for hold in step.holds if hold.place == HOST)
    assert options.autotune.enabled is False
    assert options.autotune.ram_budget == ram_budget(plan) == held
    assert options.experimental_optimization.apply_default_optimizations is False
    assert options.threading.private_threadpool_size == plan.scope.cpus
    assert options.threading.max_intra_op_parallelism == 1


def test_threads_follow_the_quota_of_the_cgroup(monkeypatch: pytest.MonkeyPatch) -> None:
    """With 64 CPUs to run on and a quota of 3, the pipeline has 3 threads and `parallel: auto` is 3."""
    monkeypatch.setattr(read, "cpus", lambda _root: Cpus(3, 64))
    text = COUNTING.replace("{batch: 4}", "{map: {value: [{cast: float32}]}}")
    plan, dataset = compiled(text)
    assert dataset.options().threading.private_threadpool_size == 3
    assert {step.calls for step in plan.steps} == {1, 3}
