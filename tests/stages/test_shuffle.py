"""`shuffle`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import safedata
from safedata.cardinality import UNKNOWN, exactly
from safedata.problem import Fault
from safedata.stages.shuffle import Shuffle
from safedata.types import UNBOUNDED, Stream, Tensor
from safedata.typetext import parse_type

STREAM = Stream({"x": parse_type("uint8[1000]")}, exactly(100))


@pytest.mark.parametrize(
    ("buffer", "slots"),
    [("10", 10), ("1000", 100), ("all", 100), ("10kB", 7), ("1B", 1), ("1GiB", 100)],
)
def test_slots(buffer: str, slots: int, read: Any) -> None:
    """The buffer has a slot for each element at most; a size holds as many as fit with their overhead."""
    assert read(f"shuffle: {buffer}").slots(STREAM) == slots


def test_at_least_one_slot(read: Any) -> None:
    """TensorFlow refuses a buffer without a slot, so an empty stream gets one."""
    assert read("shuffle: all").slots(replace(STREAM, cardinality=exactly(0))) == 1


def test_holds(read: Any, scope: Any) -> None:
    """Each slot has an element with its overhead, or only a reference where a cache holds it."""
    stage: Shuffle = read("shuffle: 50")
    [buffer] = stage.holds(STREAM, STREAM, scope)
    assert buffer.bytes == 50 * (24 + 1000 + 16 + 212) + 50 * 800
    [shared] = stage.holds(replace(STREAM, shared="memory cache"), STREAM, scope)
    assert shared.bytes == 50 * (24 + 16 + 64)
    assert shared.why == "a buffer of 50 elements, shared with the memory cache"
    [batches] = stage.holds(replace(STREAM, batch_dims=1), STREAM, scope)
    assert batches.why.startswith("a buffer of 50 batches")


def test_a_buffer_of_all_is_filled_once(read: Any, scope: Any) -> None:
    """Where every element finds a place, none is laid down in the room of one that left: less slack, fewer holes."""
    for step in ("shuffle: all", "shuffle: 100"):
        [buffer] = read(step).holds(STREAM, STREAM, scope)
        assert buffer.bytes == 100 * (24 + 1000 + 16 + 160)
    [most] = read("shuffle: 80").holds(STREAM, STREAM, scope)
    assert most.bytes == 80 * (24 + 1000 + 16 + 212) + 20 * 800


@pytest.mark.parametrize(("count", "beside"), [(1, 212), (2, 212), (3, 160), (4, 152)])
def test_small_components_alone_take_more_beside_them(count: int, beside: int, read: Any, scope: Any) -> None:
    """An element of one or two numbers has no others whose slack it could share."""
    numbers = Stream({str(one): Tensor("int64") for one in range(count)}, exactly(100))
    [buffer] = read("shuffle: all").holds(numbers, numbers, scope)
    assert buffer.bytes == 100 * (24 + 16 + count * (8 + beside))


def test_holes_add_up_over_several_times_the_buffer(read: Any, scope: Any) -> None:
    """Where many elements come after the first ones there may be more of holes than of elements, up to 1.5 times."""
    for step in ("shuffle: 5", "shuffle: 10"):
        [buffer] = read(step).holds(STREAM, STREAM, scope)
        slots = int(step.split()[1])
        assert buffer.bytes == slots * (24 + 1000 + 16 + 212) + slots * 15 // 8 * 800


def test_the_pool_leaves_no_holes(read: Any, scope: Any) -> None:
    """Where tensors come from TensorFlow's pool, a new one takes the place of one that left."""
    stage: Shuffle = read("shuffle: 50")
    [buffer] = stage.holds(STREAM, STREAM, replace(scope, pooled=True))
    assert buffer.bytes == 50 * (24 + 1024 + 16 + 192)


@pytest.mark.parametrize(
    ("step", "stream", "message"),
    [
        ("shuffle: all", replace(STREAM, cardinality=UNKNOWN), "the number of elements is not known"),
        ("shuffle: 1GiB", Stream({"x": Tensor("int8", (UNBOUNDED,))}, exactly(3)), "x: int8.* has no bound"),
    ],
)
def test_no_bound(step: str, stream: Stream, message: str, read: Any, scope: Any) -> None:
    """A buffer that cannot be counted is refused."""
    with pytest.raises(Fault, match=message) as caught:
        read(step).infer(stream, scope)
    assert caught.value.code == "SD204"


@pytest.mark.parametrize("step", ["shuffle: 0", "shuffle: some", "shuffle: 5 apples", "shuffle: 1.5"])
def test_buffer_is_a_number_or_size(step: str, read: Any) -> None:
    """Anything else than a count, a size or `all` is refused."""
    with pytest.raises(ValueError, match="buffer"):
        read(step)


@pytest.mark.tf
def test_order(run: Any) -> None:
    """A seed gives the same orders in a new pipeline, another one each epoch unless told otherwise."""
    data = run("shuffle: {buffer: all, seed: 3}", "repeat: 2").values
    assert data == run("shuffle: {buffer: all, seed: 3}", "repeat: 2").values
    assert sorted(data[:10]) == sorted(data[10:]) == list(range(10))
    assert data[:10] != data[10:]
    fixed = run("shuffle: {buffer: all, seed: 3, reshuffle: false}", "repeat: 2").values
    assert fixed[:10] == fixed[10:]


@pytest.mark.parametrize("buffer", ["-5", "0", "3.5", "some", "true", "[5]"])
def test_what_is_no_buffer(buffer: str) -> None:
    """What is neither a number of elements nor a size is refused with both forms to write."""
    verdict = safedata.check(f"safedata: 1\nsource: {{range: 3}}\nsteps: [{{shuffle: {buffer}}}]\n")
    [problem] = verdict.problems
    assert (problem.code, problem.span and problem.span.line) == ("SD105", 3)
    assert problem.message.endswith("is neither a number of elements nor a size")
    assert problem.help == "write a whole number above 0, or a size such as `64MiB`"
