"""What operations declare of GPUs against TensorFlow's own registry of kernels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from safedata import draws
from safedata.ops.base import Op
from safedata.problem import Fault
from safedata.types import DTYPE_BYTES, Dim, Tensor
from tests.gpu.kernels import missing
from tests.ops import conformance
from tests.ops.test_every_op import EXAMPLES, MORE

pytestmark = pytest.mark.tf

BOX = Tensor("float32", (Dim.exactly(50), Dim.exactly(61), Dim.exactly(3)))
SHAPES = (conformance.FLOAT, conformance.EXACT, conformance.SIGNED, conformance.LABELS, conformance.LABEL)
OPS = [conformance.parse(text) for text in EXAMPLES]
MORE_OPS = [conformance.parse(text) for text in MORE]


def types(op: Op) -> list[Tensor]:
    """Return a type of every numeric dtype that an operation says it can run on a GPU for, where it takes one."""
    found: dict[str, Tensor] = {}
    for x in SHAPES:
        for dtype in dict.fromkeys([x.dtype, *DTYPE_BYTES]):
            kind = x if dtype == x.dtype else replace(x, dtype=dtype, range=None, kind=None, color=None)
            if op.on_gpu(kind) and taken(op, kind):
                found.setdefault(dtype, kind)
    return list(found.values())


def taken(op: Op, x: Tensor) -> bool:
    try:
        op.infer(x)
    except Fault:
        return False
    return True


def without(tf: Any, op: Op) -> dict[str, list[str]]:
    """Return what an operation's graphs have no GPU kernel for, by the type of what comes in."""
    found = {str(x): missing(conformance.traced(tf, op, x, (None,))) for x in types(op)}
    return {x: names for x, names in found.items() if names}


@pytest.mark.parametrize("op", [op for op in OPS if op.gpu_dtypes], ids=repr)
def test_an_operation_declared_for_a_gpu_has_kernels(op: Op, tf: Any) -> None:
    """Whatever an operation says it can run on a GPU is a graph of operations that have kernels there."""
    assert not without(tf, op)


@pytest.mark.slow
@pytest.mark.parametrize("op", [op for op in MORE_OPS if op.gpu_dtypes], ids=repr)
def test_so_have_its_other_forms(op: Op, tf: Any) -> None:
    """The same holds for fields other than those of the example."""
    assert not without(tf, op)


def test_some_operations_run_on_a_gpu() -> None:
    """The test above has something to look at: casts, rescaling, normalizing, flips, and resizing of floats."""
    assert {op.key() for op in OPS if op.on_gpu(BOX)} >= {
        "cast",
        "normalize",
        "random_brightness",
        "random_flip_left_right",
        "rescale",
        "resize",
    }


def test_the_registry_knows_what_a_gpu_lacks(tf: Any) -> None:
    """An operation without a GPU kernel is found, so that the tests here can fail."""
    graph = tf.function(lambda x: tf.io.decode_jpeg(x[0]), input_signature=[tf.TensorSpec([1], tf.string)])
    assert "DecodeJpeg[]" in missing(graph.get_concrete_function())


def test_draws_are_made_on_the_gpu_itself(tf: Any) -> None:
    """The integer operations of a draw have kernels on a GPU: the same numbers, no copies from the host."""
    key = tf.TensorSpec([None], tf.int64)
    drawn = tf.function(lambda epoch, index: draws.uniform(tf, 7, epoch, index, 3), autograph=False)
    assert missing(drawn.get_concrete_function(key, key)) == []


@pytest.mark.parametrize(
    "name",
    ["GeneratorDataset", "PrefetchDataset", "OptionsDataset", "FinalizeDataset", "IteratorV2", "RemoteCall"],
)
def test_the_datasets_behind_a_transfer_live_on_a_gpu(name: str, tf: Any) -> None:
    """Every dataset and iterator that a crossing is made of has a kernel for GPUs."""
    from tensorflow.python.framework import kernels

    found = kernels.get_registered_kernels_for_op(name).kernel
    assert {one.device_type for one in found} & {"GPU", "DEFAULT"}
