"""`cross`."""

from __future__ import annotations

from typing import Any

import pytest

from safedata.types import Dim, Tensor
from tests.ops import joint

WORD = Tensor("string", length=Dim.at_most(9))
NUMBER = Tensor("int32")


@pytest.mark.tf
@pytest.mark.parametrize("bins", [1, 5, 1000])
def test_equals_keras(tf: Any, bins: int) -> None:
    """Combinations of texts and numbers get the buckets of `keras.layers.HashedCrossing`, alone and in a batch."""
    import numpy as np
    from keras.layers import HashedCrossing

    words, counts, more = [b"a", b"", b"\xffxyz", b"a", b"a"], [1, -5, 2**31 - 1, 1, 2], [7, 7, 7, 7, 2**40]
    xs = [WORD, NUMBER, Tensor("int64")]
    values = [np.array(words, object), np.array(counts), np.array(more)]
    wanted = HashedCrossing(bins)(
        (tf.constant(words), tf.constant(counts, tf.int32), tf.constant(more, tf.int64))
    )
    [made] = joint.run_batch(tf, f"{{cross: {bins}}}", xs, values)
    np.testing.assert_array_equal(made, wanted)
    for number in range(5):
        [alone] = joint.run(tf, f"{{cross: {bins}}}", xs, [value[number] for value in values])
        assert alone == made[number]
    assert joint.run_batch(tf, "cross: 3", xs, [value[:0] for value in values])[0].shape == (0,)


@pytest.mark.parametrize(
    ("x", "code", "message", "way_out"),
    [
        (Tensor("float32"), "SD202", "this component is float32[]", "bucketize"),
        (Tensor("int64", (Dim.exactly(1),)), "SD203", "one value of each feature", "squeeze"),
    ],
)
def test_refused(x: Tensor, code: str, message: str, way_out: str) -> None:
    """Fractions and vectors are errors with a way out."""
    found = joint.fault("cross: 3", WORD, x)
    assert (found.code, message in found.message, way_out in (found.help or "")) == (code, True, True)


def test_type() -> None:
    """The result is a number of a bucket."""
    [y] = joint.read("cross: 30").infer_all((WORD, NUMBER))
    assert (str(y), str(y.range)) == ("int64[]", "0..29")
