"""Draws in expressions: they follow from the element and the epoch, and from nothing else."""

from __future__ import annotations

from typing import Any

import pytest

import safedata
from safedata.expr import parse
from safedata.insist import Where
from safedata.lowering import EPOCH, INDEX
from safedata.problem import Fault
from safedata.types import Dim, Tensor, ValueRange

pytestmark = pytest.mark.tf
X = {
    "x": Tensor("float32", (Dim.at_most(8),)),
    "n": Tensor("int64", range=ValueRange(0, 5)),
    "y": Tensor("float32", (Dim.exactly(3),)),
}


@pytest.mark.parametrize(
    ("text", "shown", "known"),
    [
        ("uniform(0, 1)", "float32[]", ValueRange(0, 1)),
        ("uniform(-1, n, shape=[2, 3])", "float32[2, 3]", ValueRange(-1, 5)),
        ("normal(n, 2)", "float32[]", None),
        ("bernoulli(0.25, shape=[7])", "bool[7]", None),
        ("beta(n, 0.5, shape=[2])", "float32[2]", ValueRange(0, 1)),
        ("randint(0, n + 4, shape=[2])", "int64[2]", ValueRange(0, 8)),
        ("y[randint(0, len(y))]", "float32[]", None),
        ("x[int64(uniform(0, 3)):]", "float32[<=8]", None),
        ("x[int64(uniform(0, 3)):int64(uniform(0, 3)) + 2]", "float32[<=5]", None),
    ],
)
def test_types(text: str, shown: str, known: ValueRange | None) -> None:
    """A draw has a dtype, a shape and, between known ends, a range; two draws are never taken for one."""
    found = parse(text).infer(X)
    assert str(found) == shown
    assert found.range == known
    assert parse(text).random


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("uniform(0, 1, shape=[20000])", "SD107", "16384 values at most"),
        ("normal(x, 1)", "SD208", "takes one value, not `float32"),
        ("bernoulli('a')", "SD208", "takes numbers"),
        ("uniform(0)", "SD107", "needs `high`"),
        ("beta(1, -0.2)", "SD208", "`beta` of `beta` is above 0"),
        ("beta(x, 1)", "SD208", "takes one value, not `float32"),
        ("randint(3, 3)", "SD208", "there is no whole number from `low` on"),
        ("randint(0, 2.5)", "SD208", "takes whole numbers"),
        (
            "randint(n, 2 ** 41)",
            "SD208",
            "whole numbers at most, and here are 2199023255547",
        ),
    ],
)
def test_what_is_refused(text: str, code: str, message: str) -> None:
    """Draws without ends, of text or without number are errors."""
    with pytest.raises(Fault, match=message) as caught:
        parse(text).infer(X)
    assert caught.value.code == code


def drawn(tf: Any, text: str, first: int, count: int, epoch: int = 0, seed: int = 3) -> Any:
    """Return the results for a batch of elements."""
    index = tf.range(first, first + count, dtype=tf.int64)
    return parse(text).lower(
        tf, {INDEX: index, EPOCH: tf.fill([count], tf.constant(epoch, tf.int64))}, 1, seed
    )


@pytest.mark.parametrize(
    "text",
    [
        "uniform(2, 4)",
        "normal(0, 1, shape=[2])",
        "bernoulli(0.5, shape=[5])",
        "beta(0.3, 2, shape=[2])",
        "randint(0, 99)",
    ],
)
def test_a_draw_is_the_element_s(text: str, tf: Any) -> None:
    """An element draws the same alone and in any batch, and something else in another epoch or with another seed."""

    def same(one: Any, two: Any) -> bool:  # logarithms of several numbers at once differ in the last bits
        return bool(tf.reduce_all(tf.abs(tf.cast(one, tf.float32) - tf.cast(two, tf.float32)) < 1e-5))

    whole = drawn(tf, text, 0, 50)
    assert same(drawn(tf, text, 20, 10), whole[20:30])
    one = {INDEX: tf.constant(7, tf.int64), EPOCH: tf.constant(0, tf.int64)}
    assert same(parse(text).lower(tf, one, 0, 3), whole[7])
    for other in (drawn(tf, text, 0, 50, epoch=1), drawn(tf, text, 0, 50, seed=4)):
        assert not same(other, whole)


def test_the_distributions(tf: Any) -> None:
    """Means and deviations are those that the names promise, and two calls draw apart."""
    import numpy as np

    even = drawn(tf, "uniform(2, 4)", 0, 20_000).numpy()
    assert even.min() >= 2
    assert even.max() <= 4
    np.testing.assert_allclose([even.mean(), even.std()], [3, 2 / 12**0.5], atol=0.02)
    bell = drawn(tf, "normal(1, 3)", 0, 20_000).numpy()
    np.testing.assert_allclose([bell.mean(), bell.std()], [1, 3], atol=0.1)
    assert abs(((bell - 1) / 3 < 1).mean() - 0.8413) < 0.01
    assert abs(drawn(tf, "bernoulli(0.2)", 0, 20_000).numpy().mean() - 0.2) < 0.01
    two = drawn(tf, "stack(uniform(0, 1), uniform(0, 1))", 0, 20_000).numpy()
    assert abs(np.corrcoef(two.T)[0, 1]) < 0.03


def test_whole_numbers_are_even_and_below_the_end(tf: Any) -> None:
    """All whole numbers come equally often, none is the end, and far apart ones are as many as there are."""
    import numpy as np

    dice = drawn(tf, "randint(-2, 4)", 0, 30_000).numpy()
    assert dice.dtype == np.int64
    assert np.unique(dice).tolist() == [-2, -1, 0, 1, 2, 3]
    np.testing.assert_allclose(np.unique(dice, return_counts=True)[1], 5000, rtol=0.06)
    assert set(drawn(tf, "randint(1_000_000, 1_000_001)", 0, 5_000).numpy()) == {1_000_000}
    far = drawn(tf, "randint(0, 2 ** 40)", 0, 5_000).numpy()
    assert (far % 2).mean() == pytest.approx(0.5, abs=0.03)
    np.testing.assert_allclose(far.mean() / 2**40, 0.5, atol=0.02)
    values = {"n": tf.constant([1, 5]), INDEX: tf.range(2, dtype=tf.int64), EPOCH: tf.zeros(2, tf.int64)}
    found = parse("randint(0, n, shape=[200])").lower(tf, values, 1, 3).numpy()
    assert (found.min(1).tolist(), found.max(1).tolist()) == ([0, 0], [0, 4])
    held = parse("randint(1, n)")
    guards = held.guards({"n": Tensor("int64")}, Where(tf, "a.csv row 3"))
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"to draw from must be 1 to 2\*\*40; got.*0.*row 3"
    ):
        held.lower(tf, values, 1, 3, guards)


@pytest.mark.parametrize(("alpha", "beta"), [(0.2, 0.2), (1.0, 1.0), (2.0, 5.0), (40.0, 0.7)])
def test_beta_is_the_distribution_s_inverse(tf: Any, alpha: float, beta: float) -> None:
    """A number drawn from a beta distribution has the share below it that an even draw of the same key has."""
    import numpy as np

    found = drawn(tf, f"beta({alpha}, {beta})", 0, 5_000)
    assert found.dtype == tf.float32
    even = drawn(tf, "uniform(0, 1)", 0, 5_000).numpy()
    share = tf.math.betainc(*(tf.fill(found.shape, one) for one in (alpha, beta)), found).numpy()
    inside = (found.numpy() > 1e-4) & (found.numpy() < 0.999)  # nearer to 1, floats are too far apart
    assert inside.sum() > 1_000
    np.testing.assert_allclose(share[inside], even[inside], atol=2e-3)
    np.testing.assert_allclose(found.numpy().mean(), alpha / (alpha + beta), atol=0.02)


def test_beta_of_components_is_each_element_s(tf: Any) -> None:
    """Each element of a batch has its own parameters; what is 0 or less gives no number."""
    values = {
        "a": tf.constant([-1.0, 0.0, 1.0, 900.0]),
        INDEX: tf.range(4, dtype=tf.int64),
        EPOCH: tf.zeros(4, tf.int64),
    }
    found = parse("beta(a, 1, shape=[50])").lower(tf, values, 1, 3).numpy()
    assert found.shape == (4, 50)
    assert (found != found).all(axis=1).tolist() == [True, True, False, False]
    assert found[2].min() < 0.3
    assert found[3].min() > 0.98


SPEC = """\
safedata: 1
source: {range: 400}
steps:
  - filter: bernoulli(0.25)
  - map: {noise: "= uniform(0, value)"}
"""


def test_in_a_pipeline() -> None:
    """A filter and a map draw by element and epoch, whatever the order and the batch."""
    dataset = safedata.load(SPEC, host="8GiB")
    first, second = ({int(one["value"]): float(one["noise"]) for one in dataset} for _ in range(2))
    assert 60 < len(first) < 140
    assert set(first) != set(second)
    assert all(0 <= noise <= value for value, noise in first.items())
    shuffled = safedata.load(SPEC.replace("steps:", "steps:\n  - shuffle: 100"), host="8GiB")
    assert {int(one["value"]) for one in shuffled} == set(first)
    batched = safedata.load(SPEC.replace("  - map", "  - batch: 7\n  - map"), host="8GiB")
    pairs = [zip(one["value"].numpy(), one["noise"].numpy(), strict=True) for one in batched]
    assert {int(value): float(noise) for batch in pairs for value, noise in batch} == first
