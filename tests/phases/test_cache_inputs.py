"""Caches on disk in the inputs of a combinator: written by their input alone, read in its place."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import safedata
from safedata.phases import phases
from tests.caching import Write, entries

DRAW = "{map: {x: [{from: value}, {cast: float32}, {reshape: [1, 1, 1]}, {random_brightness: 3}]}}"
TEXT = "{map: {t: [{from: value}, as_string]}}"
BAD = "{map: {y: [{from: value}, as_string, {vocab_lookup: {vocab: [%s], num_oov_indices: 0}}]}}"
PLUS = "{map: {value: = value + 100}}"
SPECS = {
    "both inputs of a mix": (
        f"mix: {{a: {{source: {{range: 20}}, steps: [{TEXT}, KEPT, {{shuffle: all}}]}}, "
        f"b: {{source: {{range: 30}}, steps: [{PLUS}, {TEXT}, KEPT]}}}}",
        "",
    ),
    "one of a zip": (
        f"zip: {{a: {{source: {{range: 9}}, steps: [{PLUS}, KEPT, {DRAW}]}}, "
        "b: {source: {range: 9}, steps: [{rename: {value: w}}]}}",
        "{map: {z: = value * 2 + w}}",
    ),
    "an input that is a combinator": (
        f"concatenate: {{a: {{source: {{mix: {{c: {{source: {{range: 7}}, steps: [KEPT]}}, d: {{range: 5}}}}}}, "
        f"steps: [{PLUS}, KEPT]}}, b: {{range: 4}}}}",
        "{batch: 4}",
    ),
    "inputs, and behind them": (
        f"concatenate: {{a: {{source: {{range: 7}}, steps: [KEPT, {{batch: {{size: 7, drop_remainder: true}}}}, "
        f"{{unbatch: }}, {PLUS}]}}, b: {{source: {{range: 4}}, steps: [KEPT, {{repeat: 2}}]}}}}",
        "KEPT, {shuffle: all}, {batch: 5}",
    ),
}


def spec(source: str, behind: str, kept: str) -> str:
    return f"safedata: 1\nsource: {{{source}}}\nsteps: [{behind}]\n".replace("KEPT", kept)


def epochs(path: Path, count: int = 2) -> list[list[Any]]:
    dataset = safedata.load(path)
    return [
        [{name: np.asarray(one).tolist() for name, one in row.items()} for row in dataset]
        for _ in range(count)
    ]


@pytest.mark.tf
@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("kept", ["{cache: {path: store}}", "{snapshot: store}"])
def test_elements_are_those_of_a_cache_in_memory(write: Write, tmp_path: Path, name: str, kept: str) -> None:
    """In each epoch they are the ones, in the order, that a memory cache there gives; so they are when they are read.

    But for a shuffle of all, which is another permutation on disk: then in every epoch once.
    """
    source, behind = SPECS[name]
    memory = epochs(write(spec(source, behind, "{cache: memory}"), "memory.yaml"))
    path = write(spec(source, behind, kept))
    for _ in range(2):
        found = epochs(path)
        if "shuffle" in source + behind:
            assert [_sorted(one) for one in found] == [_sorted(one) for one in memory]
        else:
            assert found == memory
    count = len([one for one in phases(_plan(path), here=False) if one.writes])
    assert len(entries(tmp_path / "store")) == count == (source + behind).count("KEPT")


def _sorted(epoch: list[Any]) -> list[str]:
    return sorted(str(one) for row in epoch for one in _rows(row))


def _rows(row: dict[str, Any]) -> list[Any]:
    batched = isinstance(row["value"], list)
    return list(zip(*row.values(), strict=True)) if batched else [tuple(row.values())]


def _plan(path: Path) -> Any:
    verdict = safedata.check(path)
    assert verdict.fits, verdict.problems
    return verdict.plan


def test_a_phase_has_one_input_in_it(write: Write) -> None:
    """What writes the cache of an input runs nothing of the others."""
    source, behind = SPECS["inputs, and behind them"]
    found = phases(_plan(write(spec(source, behind, "{cache: {path: store}}"))), here=False)
    assert [[step.title for step in one.plan.steps] for one in found[:-1]] == [
        ["range", "cache"],
        ["range", "cache"],
        ["a: cache", "a: unbatch", "a: map", "b: cache", "b: repeat", "concatenate", "cache"],
    ]
    assert [len(one.reads) for one in found] == [0, 0, 2, 1]


@pytest.mark.tf
def test_only_what_changed_is_written_again(write: Write, tmp_path: Path) -> None:
    """A change in one input leaves the entry of the other, whatever its place in the spec."""
    source, behind = SPECS["both inputs of a mix"]
    text = spec(source, behind, "{cache: {path: store}}")
    safedata.load(write(text))
    before = {one.name for one in entries(tmp_path / "store")}
    safedata.load(write(text.replace("range: 30", "range: 31")))
    assert len(before & {one.name for one in entries(tmp_path / "store")}) == 2
    assert len(entries(tmp_path / "store")) == 3


def test_an_inputs_name_is_part_of_its_key(write: Write) -> None:
    """Orders and draws that have no seed of their own differ between inputs, and so must their entries."""
    source, behind = SPECS["both inputs of a mix"]
    text = spec(source, behind, "{cache: {path: store}}")
    keys = [
        {one.writes.key for one in phases(_plan(write(one)), here=False) if one.writes}
        for one in (text, text.replace("a: {source", "other: {source"))
    ]
    assert len(keys[0] & keys[1]) == 1


@pytest.mark.tf
def test_bad_elements_behind_a_cache_keep_their_partners(write: Write) -> None:
    """In a `zip` what fails behind the cache is left out with its partner; before the cache it is refused."""
    behind = f"{{source: {{range: 5}}, steps: [KEPT, {BAD % repr('3')}]}}"
    other = "{source: {range: 5}, steps: [{rename: {value: w}}]}"
    skip = "runtime: {on_error: skip}\n"
    path = write(spec(f"zip: {{a: {behind}, b: {other}}}", "", "{cache: {path: store}}") + skip)
    assert [(row["value"], row["w"]) for row in epochs(path)[1]] == [(3, 3)]
    before = f"{{source: {{range: 5}}, steps: [{BAD % repr('3')}, KEPT]}}"
    text = spec(f"zip: {{a: {before}, b: {other}}}", "", "{cache: {path: store}}") + skip
    [problem] = safedata.check(write(text)).problems
    assert problem.code == "SD224"
    assert problem.message.startswith("`cache` is a step of `a`, of which `map` may leave out elements")


@pytest.mark.tf
def test_where_an_element_is_from(write: Write) -> None:
    """What fails behind the cache of an input is named by the input and the cache's element."""
    bad = f"{{source: {{range: 5}}, steps: [{{skip: 2}}, KEPT, {BAD % repr('3')}]}}"
    path = write(spec(f"concatenate: {{b: {bad}}}", "", "{cache: {path: store}}"))
    with safedata.open(write(path.read_text() + "runtime: {on_error: skip}\n")) as pipeline:
        assert [int(row["value"]) for row in pipeline.dataset] == [3]
        assert pipeline.skipped() == ["b: cache element 0", "b: cache element 2"]


@pytest.mark.tf
def test_an_iteration_goes_on_in_the_middle(write: Write) -> None:
    """A pass over cached inputs goes on where its state says, with the elements that would have come."""
    for name in ("one of a zip", "an input that is a combinator"):
        source, behind = SPECS[name]
        path = write(spec(source, behind, "{cache: {path: store}}"))
        with safedata.open(path) as pipeline:
            run = pipeline.iterate()
            rows = iter(run)
            for _ in range(2):
                next(rows)
            state = run.state()
            rest = [str(row) for row in rows]
        with safedata.open(path) as pipeline:
            assert [str(row) for row in pipeline.iterate(state)] == rest


@pytest.mark.tf
def test_a_copy_of_an_inputs_data_finds_its_entry(write: Write, tmp_path: Path) -> None:
    """`verify: content` in an input goes by the bytes of that input's files, and by no other's."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text("x\n1\n2\n", encoding="utf-8")
    steps = "steps: [{cache: {path: store, verify: content}}]"
    text = f"safedata: 1\nsource: {{concatenate: {{a: {{source: {{csv: a.csv}}, {steps}}}, b: {{csv: b.csv}}}}}}\n"
    path = write(text)
    keys = []
    for time in (1_600_000_000, 1_600_000_001):
        for name in ("a", "b"):
            os.utime(tmp_path / f"{name}.csv", (time, time))
        keys.append(next(one.writes.key for one in phases(_plan(path), here=False) if one.writes))
    (tmp_path / "b.csv").write_text("x\n1\n3\n", encoding="utf-8")
    keys.append(next(one.writes.key for one in phases(_plan(path), here=False) if one.writes))
    assert len(set(keys)) == 1


PAIR = """
safedata: 1
source:
  mix:
    inputs:
      a:
        source: {range: 30}
        steps: [{shuffle: 10}, {map: {value: = value * 2}}, {cache: {path: store}}, {shuffle: 5}]
      b:
        source: {range: 40}
        steps: [{map: {value: = value + 100}}, {snapshot: store}]
    weights: {a: 0.3, b: 0.7}
steps:
  - map: {y: = value + 1}
runtime: {seed: 3}
"""
EDITS = {
    "a step of one": ("value * 2", "value * 3", "a"),
    "the source of one": ("range: 40", "range: 41", "b"),
    "a shuffle before": ("{shuffle: 10}, ", "", "a"),
    "a shuffle behind": (", {shuffle: 5}", "", ""),
    "the seed": ("seed: 3", "seed: 4", "ab"),
    "weights": ("a: 0.3, b: 0.7", "a: 0.5, b: 0.5", ""),
    "a step behind all": ("  - map: {y: = value + 1}\n", "  - take: 9\n", ""),
    "a cache for a snapshot": ("{snapshot: store}", "{cache: {path: store}}", ""),
    "a prefetch": ("{range: 40}\n        steps: [", "{range: 40}\n        steps: [{prefetch: 2}, ", ""),
    "another combinator": ("  mix:", "  concatenate:", ""),
    "a filter": ("{map: {value: = value + 100}}", "{filter: value > 3}", "b"),
}
"""For each what is replaced, by what, and the inputs whose elements are others then."""


def edited(name: str) -> str:
    old, new, _ = EDITS[name]
    assert PAIR.count(old) == 1
    text = PAIR.replace(old, new)
    return text.replace("    weights: {a: 0.3, b: 0.7}\n", "") if name == "another combinator" else text


def keys_of(path: Path) -> dict[str, str]:
    """Return the key of each input's entry, by the input."""
    found: dict[str, str] = {}
    for one in phases(_plan(path), here=False):
        if one.writes is not None:
            found[_plan(path).steps[one.writes.number].input[0]] = one.writes.key
    return found


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_changes_the_keys_of_what_it_changes(write: Write, name: str) -> None:
    """The key of an input's entry changes exactly where the elements in it may be others."""
    before, after = keys_of(write(PAIR)), keys_of(write(edited(name)))
    assert before.keys() == after.keys() == {"a", "b"}
    assert {one for one in before if before[one] != after[one]} == set(EDITS[name][2])


@pytest.mark.tf
@pytest.mark.parametrize(
    "names",
    [
        pytest.param(["a step of one", "the seed"], id="some"),
        pytest.param(list(EDITS), id="all", marks=pytest.mark.slow),
    ],
)
def test_equal_keys_mean_equal_entries(write: Write, tmp_path: Path, names: list[str]) -> None:
    """Whichever spec writes an entry of a key, its rows are the same bytes; other keys have other ones but seldom."""
    rows: dict[str, list[bytes]] = {}
    for name in ["", *names]:
        safedata.load(write(edited(name) if name else PAIR))
        for entry in entries(tmp_path / "store"):
            made = [one.read_bytes() for one in sorted(entry.glob("column-*"))]
            assert rows.setdefault(entry.name, made) == made
            shutil.rmtree(entry)
    assert len({str(one) for one in rows.values()}) > 0.7 * len(rows)
