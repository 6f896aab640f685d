"""Checks in the graph, seldom-taken ways, and parallel maps whose calls stay on one thread."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from safedata.cardinality import exactly
from safedata.insist import Check, Where, either, insist
from safedata.lowering import Lowering, Values, mapped
from safedata.types import SCALAR_INT64, Stream

pytestmark = pytest.mark.tf


def checked(tf: Any, *limits: int) -> Any:
    """Return a function that lets a number pass that is under all limits."""

    def function(number: Any) -> Any:
        checks = [Check(number < limit, f"SD501: under {limit}; got", number) for limit in limits]
        return insist(tf, number, checks, Where(tf, origin=tf.strings.as_string, index=number + 100))

    return tf.function(function)


def test_what_is_fine_passes(tf: Any) -> None:
    """A value whose checks hold comes through as it is, and so does one without checks."""
    assert checked(tf, 5, 9)(tf.constant(3)) == 3
    assert checked(tf)(tf.constant(3)) == 3


@pytest.mark.parametrize(("number", "limit"), [(7, 5), (12, 5)])
def test_what_is_wrong_is_named(tf: Any, number: int, limit: int) -> None:
    """The error says which check failed, what was found, and where the element came from."""
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=rf"SD501: under {limit}; got.*{number}.*{number + 100}"
    ):
        checked(tf, 5, 9)(tf.constant(number))


def test_a_batch_is_named_by_its_first(tf: Any) -> None:
    """A batch is named by where its first element came from."""
    index = tf.constant([[4, 5], [6, 7]])
    assert (
        Where(tf, origin=tf.strings.as_string, index=index, batch_dims=2).text
        == b"a batch that starts with 4"
    )


def test_either(tf: Any) -> None:
    """One of the two ways is taken, as the condition says, in a graph and inside a dataset."""

    def function(text: Any) -> Any:
        return either(
            tf, tf.strings.length(text) > 3, text, tf.strings.length, lambda short: -tf.strings.length(short)
        )

    words = tf.data.Dataset.from_tensor_slices(["ab", "abcd", "", "abcde"])
    assert [int(size) for size in words.map(function, num_parallel_calls=2)] == [-2, 4, 0, 5]
    assert tf.function(function)(tf.constant("ab")) == -2


def lowering(tf: Any, parallel: int) -> Lowering:
    """Return the surroundings of a map over numbers on two CPUs."""
    stream = Stream({"x": SCALAR_INT64}, exactly(50))
    return Lowering(tf, stream, stream, 0, parallel=parallel, cpus=2)


def numbers(tf: Any) -> Any:
    return tf.data.Dataset.range(50).map(lambda x: {"x": x})


@pytest.mark.parametrize("parallel", [1, 2, 8])
def test_a_parallel_map_keeps_values_and_order(tf: Any, parallel: int) -> None:
    """A map gives what `Dataset.map` gives, in its order, with its type, however many calls run at once."""

    def function(values: Values) -> Values:
        return {"y": values["x"] * 2, "x": tf.strings.as_string(values["x"])}

    made, plain = mapped(numbers(tf), function, lowering(tf, parallel)), numbers(tf).map(function)
    assert made.element_spec == plain.element_spec
    assert made.cardinality() == 50
    assert [(int(e["y"]), e["x"].numpy()) for e in made] == [(int(e["y"]), e["x"].numpy()) for e in plain]


def test_a_map_with_control_flow_runs(tf: Any) -> None:
    """A function that one thread cannot carry out alone runs all the same: a branch, a loop, a table, Python."""
    keys = tf.lookup.KeyValueTensorInitializer(tf.range(50, dtype=tf.int64), tf.range(50, dtype=tf.int64) + 1)
    table = tf.lookup.StaticHashTable(keys, -1)

    def branch(values: Values) -> Values:
        return {"x": tf.cond(values["x"] > 5, lambda: values["x"], lambda: -values["x"])}

    def loop(values: Values) -> Values:
        return {"x": tf.while_loop(lambda n: n < 60, lambda n: (n + 7,), (values["x"],))[0]}

    def look_up(values: Values) -> Values:
        return {"x": table.lookup(values["x"])}

    def python(values: Values) -> Values:
        return {"x": tf.ensure_shape(tf.numpy_function(lambda x: x + 1, [values["x"]], tf.int64), [])}

    for function in (branch, loop, look_up, python):
        made = mapped(numbers(tf), function, lowering(tf, 2))
        gc.collect()  # the dataset alone must keep alive what its graph calls
        expected = [int(e["x"]) for e in numbers(tf).map(function)]
        assert [int(e["x"]) for e in made] == expected
