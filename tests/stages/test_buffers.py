"""`cache`, `prefetch` and `unbatch`."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import safedata
from safedata.cardinality import UNKNOWN, exactly
from safedata.lowering import INDEX
from safedata.problem import Fault, Problem
from safedata.types import Dim, Stream, Tensor
from safedata.typetext import parse_type

STREAM = Stream({"x": parse_type("uint8[1000]")}, exactly(100))


def test_cache_shares_until_copied(infer: Any) -> None:
    """Elements share the cache's tensors as long as nothing makes new ones."""
    assert infer("cache: memory", "shuffle: 3", "take: 2", "rename: {value: x}").shared == "memory cache"
    assert infer("select: value", "cache: memory", "batch: 2").shared is None


def test_cache_holds_an_epoch(read: Any, scope: Any) -> None:
    """A cache holds every element and the list of them; without their number there is no bound."""
    stage = read("cache: memory")
    [hold] = stage.holds(STREAM, STREAM, scope)
    assert hold.bytes == 100 * (1000 + 16 + 212 - 76) + 128 * 36
    [hold] = stage.holds(replace(STREAM, cardinality=UNKNOWN), STREAM, scope)
    assert hold.bytes is None


LIMITED = """\
safedata: 1
source: {{synthetic: {{count: 1000, components: {{x: "float32[1000]", t: "string[<=40B]"}}}}}}
steps: [{steps}cache: {{{cache}}}}}]
"""


@pytest.mark.parametrize("place", ["where: memory", "path: kept"])
def test_a_cache_stays_within_its_own_limit(place: str, tmp_path: Path) -> None:
    """What may keep more is refused with the size and the number of elements that do fit, to the element."""

    def check(size: str, steps: str = "") -> list[Problem]:
        text = LIMITED.format(steps=steps + "{", cache=f"{place}, max_bytes: {size}")
        found = safedata.check(text, folder=tmp_path).problems
        return [one for one in found if one.severity == "error"]

    [problem] = check("1MiB")
    assert problem.code == "SD540"
    said = re.fullmatch(r"write `max_bytes: (\d+)MiB`, or put `take: (\d+)` before it", problem.help or "")
    assert said, problem.help
    assert "over its `max_bytes` of 1.00 MiB" in problem.message
    assert not check(f"{said[1]}MiB")
    assert check(f"{int(said[1]) - 1}MiB")
    assert not check("1MiB", f"{{take: {said[2]}}}, ")
    assert check("1MiB", f"{{take: {int(said[2]) + 1}}}, ")


def test_a_limit_needs_a_bound(read: Any, scope: Any, faults: Any) -> None:
    """Where the number of elements is unknown no limit can be promised; of an endless stream that alone is said."""
    stage = read("cache: {max_bytes: 1MiB}")
    with pytest.raises(
        Fault, match=r"nothing bounds what `cache` keeps, so its `max_bytes` of 1\.00 MiB"
    ) as caught:
        stage.infer(replace(STREAM, cardinality=UNKNOWN), scope)
    assert (caught.value.code, caught.value.help) == (
        "SD304",
        "bound the number of elements before it, with `take`",
    )
    with pytest.raises(Fault, match="nothing bounds what `cache` keeps") as caught:
        stage.infer(STREAM.with_element({"x": Tensor("uint8", (Dim.at_most(None),))}), scope)
    assert (caught.value.help or "").startswith("bound `x` before it")
    [fault] = faults("repeat:", "cache: {max_bytes: 1MiB}")
    assert fault.code == "SD209"


def test_cache_needs_an_end(faults: Any) -> None:
    """An endless stream cannot be kept."""
    [fault] = faults("repeat:", "cache: memory")
    assert (fault.code, fault.help) == ("SD209", "move `repeat` behind `cache`, or put `take` before it")


def test_cache_on_disk_counts_anew(infer: Any) -> None:
    """What comes from disk shares no tensors, and has an index of its own; nothing that was internal is kept."""
    after = infer("select: value", "cache: {path: .cache}")
    assert after.shared is None
    assert list(after.element) == ["value", INDEX]


def test_cache_on_disk_needs_an_end(faults: Any) -> None:
    """An endless stream cannot be written."""
    [fault] = faults("repeat:", "cache: {path: .cache}")
    assert (fault.code, fault.help) == ("SD209", "move `repeat` behind `cache`, or put `take` before it")


@pytest.mark.tf
def test_cache_makes_elements_once(run: Any) -> None:
    """The second epoch gives the elements of the first, random order included."""
    epochs = run("shuffle: all", "cache: memory", "repeat: 2").values
    assert epochs[:10] == epochs[10:]


@pytest.mark.parametrize(("buffer", "slots"), [("3", 3), ("auto", 2), ("10kB", 6), ("1B", 1)])
def test_prefetch_slots(buffer: str, slots: int, read: Any) -> None:
    """`auto` is two; a size holds as many elements as fit with their overhead."""
    assert read(f"prefetch: {buffer}").slots(STREAM) == slots


def test_prefetch_needs_a_bound(read: Any, scope: Any) -> None:
    """A size cannot be divided by elements without bound."""
    unbounded = Stream({"x": Tensor("int8", (Dim.at_most(None),))}, exactly(3))
    with pytest.raises(Fault, match=r"`prefetch: 1024B` needs a bound, and x: int8.* has none"):
        read("prefetch: 1KiB").infer(unbounded, scope)


def test_unbatch_undoes_batch(infer: Any, given: Any) -> None:
    """Taking batches apart gives the elements back, at most as many as the batches have room for."""
    after = infer("padded_batch: 4", "unbatch:")
    assert str(after.cardinality) == "at most 12"
    assert after.batch_dims == 0
    assert {n: t.shape for n, t in after.element.items()} == {
        n: t.shape for n, t in given.stream.element.items()
    }
    exact = infer("select: value", "batch: {size: 4, drop_remainder: true}", "unbatch:")
    assert str(exact.cardinality) == "exactly 8"


def test_unbatch_endless(infer: Any) -> None:
    """An endless stream of batches is an endless stream of elements."""
    assert infer("padded_batch: 4", "repeat:", "unbatch:").cardinality.kind == "infinite"


def test_nothing_to_unbatch(faults: Any) -> None:
    """Only batches can be taken apart."""
    [fault] = faults("unbatch:")
    assert (fault.code, fault.message) == (
        "SD207",
        "`unbatch` takes batches apart, and nothing is batched here",
    )
