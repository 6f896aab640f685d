"""The key of a cache on disk: other elements have another key, and what changes no element changes no key."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import safedata
from safedata import registry
from safedata.expr import FUNCTIONS
from safedata.phases import phases
from safedata.records import replace

TABLE = """
safedata: 1
name: keys
params: {factor: 3}
artifacts: {words: {path: words.txt}}
source: {csv: {path: "data/*.csv", columns: {x: int64, w: "string[<=8B]"}}}
steps:
  - shuffle: {buffer: 8, seed: 4}
  - map:
      y: "= x * ${factor}"
      v: [{from: w}, {vocab_lookup: {artifact: words}}]
  - take: 15
  - cache: {path: store}
  - shuffle: all
  - batch: 4
runtime: {seed: 1}
output: [x, y, v]
"""
IMAGES = """
safedata: 1
source: {synthetic: {count: 12, components: {image: "uint8[6, 6, 3]", mask: "uint8[6, 6, 1]"}}}
steps:
  - map:
      image: [{cast: float32}, {center_crop: [4, 4]}, {clip: [0, 100]}]
  - cache: {path: store}
  - map: {image: [random_flip_left_right]}
  - batch: 4
output: [image]
"""
MIX = """
safedata: 1
source:
  mix:
    inputs:
      few: {source: {range: 10}, steps: [{shuffle: all}]}
      many: {range: 100}
    weights: {few: 0.5, many: 0.5}
steps:
  - take: 30
  - cache: {path: store}
"""
BASES = {"table": TABLE, "images": IMAGES, "mix": MIX}


def change(*edits: tuple[str, str], base: str = TABLE) -> str:
    """Return a base spec with pieces replaced that it has once each."""
    for old, new in edits:
        assert base.count(old) == 1, old
        base = base.replace(old, new)
    return base


SAME = {
    "comments": change(("steps:", "# first\nsteps:  # then")),
    "a parameter's name": TABLE.replace("factor", "times"),
    "order of fields": change(("{buffer: 8, seed: 4}", "{seed: 4, buffer: 8}")),
    "order of sections": change(("name: keys\n", "")) + "name: keys\n",
    "order of the source's fields": change(
        (
            'path: "data/*.csv", columns: {x: int64, w: "string[<=8B]"}',
            'columns: {x: int64, w: "string[<=8B]"}, path: "data/*.csv"',
        )
    ),
    "order of chains": change(
        ('      y: "= x * ${factor}"\n', ""),
        ("{artifact: words}}]\n", '{artifact: words}}]\n      y: "= x * ${factor}"\n'),
    ),
    "a larger batch behind": change(("batch: 4", "batch: 8")),
    "more behind": change(("  - batch: 4", "  - map: {y: = y + 1}\n  - batch: 4\n  - prefetch: 2")),
    "another shuffle behind": change(("shuffle: all", "shuffle: {buffer: 3, seed: 8}")),
    "names of steps": change(("  - take: 15", "  - {name: some, take: 15}")),
    "threads": change(("{seed: 1}", "{seed: 1, threads: 1}")),
    "calls at once": change(("  - map:\n", "  - parallel: 2\n    map:\n")),
    "calls in any order": change(("{seed: 1}", "{seed: 1, deterministic: false}")),
    "a prefetch before": change(("  - take: 15", "  - prefetch: 2\n  - take: 15")),
    "order of what leaves": change(("[x, y, v]", "[v, y, x]")),
    "another name": change(("name: keys", "name: others")),
    "a folder": change(("{path: store}", "{path: elsewhere}")),
    "a snapshot": change(("cache: {path: store}", "snapshot: store")),
    "a limit": change(("{path: store}", "{path: store, max_bytes: 1GiB}")),
    "a budget": TABLE + "budget: {host: 50%}\n",
}
OTHER = {
    "a factor": change(("factor: 3", "factor: 4")),
    "the seed": change(("{seed: 1}", "{seed: 2}")),
    "the shuffle's seed": change(("seed: 4", "seed: 5")),
    "the shuffle's own seed": change((", seed: 4", "")),
    "the shuffle's buffer": change(("buffer: 8", "buffer: 5")),
    "no shuffle": change(("  - shuffle: {buffer: 8, seed: 4}\n", "")),
    "fewer": change(("take: 15", "take: 14")),
    "others": change(("steps:\n", "steps:\n  - skip: 5\n")),
    "a part": change(("take: 15", "shard: {count: 2, index: 0}")),
    "a filter": change(("take: 15", "filter: x % 2 == 0")),
    "more than once": change(("take: 15", "repeat: 2")),
    "one more step": change(("  - take: 15", "  - take: 15\n  - map: {x: = x + 1}")),
    "another order": change(("  - take: 15\n", ""), ("steps:\n", "steps:\n  - take: 15\n")),
    "another expression": change(("= x * ${factor}", "= x + ${factor}")),
    "another operation": change(("{vocab_lookup: {artifact: words}}", "string_length")),
    "another field": change(("{artifact: words}", "{artifact: words, num_oov_indices: 2}")),
    "another dtype": change(("x: int64", "x: int32")),
    "fewer components": change(("[x, y, v]", "[x, y]")),
    "other files": change(("data/*.csv", "data/0.csv")),
    "batches": change(("  - take: 15", "  - select: [x, y, v]\n  - batch: {size: 5, drop_remainder: true}")),
    "images": IMAGES,
    "another crop": change(("[4, 4]", "[5, 5]"), base=IMAGES),
    "no clip": change((", {clip: [0, 100]}", ""), base=IMAGES),
    "another clip": change(("clip: [0, 100]", "clip: [0, 50]"), base=IMAGES),
    "another seed of draws": IMAGES + "runtime: {seed: 9}\n",
    "another count": change(("count: 12", "count: 13"), base=IMAGES),
    "another order of components": change(
        (
            'image: "uint8[6, 6, 3]", mask: "uint8[6, 6, 1]"',
            'mask: "uint8[6, 6, 1]", image: "uint8[6, 6, 3]"',
        ),
        base=IMAGES,
    ),
    "a mix": MIX,
    "other weights": change(("few: 0.5, many: 0.5", "few: 0.9, many: 0.1"), base=MIX),
    "an input's steps": change(("{shuffle: all}", "{shuffle: 3}"), base=MIX),
    "another order of inputs": change(
        ("      few: {source: {range: 10}, steps: [{shuffle: all}]}\n", ""),
        (
            "      many: {range: 100}\n",
            "      many: {range: 100}\n      few: {source: {range: 10}, steps: [{shuffle: all}]}\n",
        ),
        base=MIX,
    ),
}


@pytest.fixture
def moved(tmp_path: Path) -> Path:
    """Where `folder` may be moved to."""
    return tmp_path / "moved"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two tables and a list of words."""
    tmp_path = tmp_path / "here"
    (tmp_path / "data").mkdir(parents=True)
    for part in range(2):
        rows = "".join(f"{10 * part + row},{'abcd'[row % 4]}\n" for row in range(10))
        written(tmp_path / "data" / f"{part}.csv", "x,w\n" + rows)
    written(tmp_path / "words.txt", "a\nb\nc\n")
    return tmp_path


def written(path: Path, text: str, time: int = 1_700_000_000) -> str:
    """Write a file as of a time; return its path."""
    path.write_text(text, encoding="utf-8")
    os.utime(path, (time, time))
    return str(path)


def key(folder: Path, text: str = TABLE, **params: Any) -> str:
    """Return the key of a spec's cache."""
    verdict = safedata.check(written(folder / "spec.yaml", text), **params)
    assert verdict.plan is not None, verdict.problems
    found = phases(verdict.plan, here=False)[0].writes
    assert found is not None
    return found.key


def elements(folder: Path, text: str, store: Path) -> Mapping[str, Any]:
    """Return the rows that a spec's cache keeps, by component, from a store of its own."""
    document = yaml.safe_load(text)
    for step in document["steps"]:
        if "cache" in step:
            step["cache"]["path"] = str(store)
        elif "snapshot" in step:
            step["snapshot"] = str(store)
    safedata.load(written(folder / "own.yaml", yaml.safe_dump(document, sort_keys=False)))
    return rows_of(store)


def rows_of(store: Path) -> dict[str, Any]:
    """Return the rows of the only entry of a store."""
    [entry] = store.iterdir()
    said = json.loads((entry / "manifest.json").read_text(encoding="utf-8"))
    return {
        column["name"]: (
            column["shape"],
            np.fromfile(entry / f"column-{number:03d}.rows", column["dtype"]).tolist(),
        )
        for number, column in enumerate(said["columns"])
    }


@pytest.mark.parametrize("name", SAME)
def test_what_changes_no_element_changes_no_key(folder: Path, name: str) -> None:
    """The key stays, so that what was written is used again."""
    assert key(folder, SAME[name]) == key(folder)


def test_every_change_of_a_spec_has_a_key_of_its_own(folder: Path) -> None:
    """No two of these specs have the same key."""
    keys: dict[str, str] = {}
    for name, text in {"as it is": TABLE, **OTHER}.items():
        same = keys.setdefault(key(folder, text), name)
        assert same == name


@pytest.mark.tf
@pytest.mark.parametrize(
    "texts",
    [
        pytest.param([TABLE, SAME["order of chains"], OTHER["the seed"], OTHER["a filter"]], id="some"),
        pytest.param(
            [IMAGES, OTHER["another clip"], MIX, OTHER["another order of inputs"]],
            id="others",
            marks=pytest.mark.slow,
        ),
        pytest.param([TABLE, *SAME.values(), *OTHER.values()], id="all", marks=pytest.mark.slow),
    ],
)
def test_equal_keys_mean_equal_elements(folder: Path, texts: list[str]) -> None:
    """Specs with the same key keep the same elements; most of those with other keys keep other ones."""
    found: dict[str, Mapping[str, Any]] = {}
    for number, text in enumerate(texts):
        made = elements(folder, text, folder / f"store-{number}")
        assert found.setdefault(key(folder, text), made) == made, text
    assert len({str(one) for one in found.values()}) > 0.9 * len(found) - 1


def changes(folder: Path) -> Iterator[str]:
    """Change the data beside a spec step by step, and yield what was changed."""
    table = (folder / "data" / "0.csv").read_text(encoding="utf-8")
    written(folder / "data" / "0.csv", table.replace("3,d", "7,d"), time=1_700_000_001)
    yield "a value, and the file's time"
    written(folder / "data" / "0.csv", table + "77,a\n")
    yield "one more row, with the old time"
    os.rename(folder / "data" / "1.csv", folder / "data" / "2.csv")
    yield "a file's name"
    (folder / "data" / "2.csv").unlink()
    yield "a file less"
    written(folder / "words.txt", "b\na\nc\n")
    yield "an artifact of the same size and time"


def test_other_data_has_another_key(folder: Path) -> None:
    """Every change of a file's content, size, time or name changes the key, and of an artifact's content, too."""
    keys = [key(folder)]
    for what in changes(folder):
        keys.append(key(folder))
        assert keys[-1] not in keys[:-1], what


def test_a_moved_folder_keeps_its_keys(folder: Path, moved: Path) -> None:
    """Where no component has a path in it, data and spec may move together."""
    before = key(folder)
    os.rename(folder, moved)
    assert key(moved) == before


def test_paths_of_files_are_part_of_elements(folder: Path, moved: Path) -> None:
    """Where an element has its file's path, a folder that moved has other elements."""
    text = (
        "safedata: 1\nsource: {files: {path: data/*.csv}}\nsteps:\n"
        "  - map: {n: [{from: path}, string_length]}\n  - cache: {path: store}\noutput: [n]\n"
    )
    before = key(folder, text)
    os.rename(folder, moved)
    assert key(moved, text) != before


REVISED = {
    "operation vocab_lookup": ("another operation",),
    "operation center_crop": (),
    "stage take": ("fewer",),
    "stage shuffle": ("no shuffle",),
    "source csv": (),
    "source range": (),
    "function *": ("another expression",),
    "function %": ("a filter",),
}
"""Something with a name, and some specs of these here that differ in whether they have it."""


@pytest.mark.parametrize("what", REVISED)
def test_another_revision_is_another_key(folder: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """Raising a revision changes the keys of the specs that name the thing before their cache, and of no other."""
    texts = {"as it is": TABLE, **{name: OTHER[name] for name in REVISED[what]}}
    texts |= {"images": IMAGES, "mix": MIX}
    before = {name: key(folder, text) for name, text in texts.items()}
    kind, name = what.split()
    if kind == "function":
        one = FUNCTIONS[name]
        monkeypatch.setitem(FUNCTIONS._made, name, replace(one, revision=2))  # type: ignore[attr-defined]  # a table
    else:
        find = {"operation": registry.op, "stage": registry.stage, "source": registry.source}[kind]
        monkeypatch.setattr(find(name), "revision", 2)
    after = {name: key(folder, text) for name, text in texts.items()}
    changed = {one for one in texts if before[one] != after[one]}
    word = re.compile(rf"(?<![\w*]){re.escape(name)}(?![\w*])")
    assert changed == {one for one, text in texts.items() if word.search(_before_the_cache(text, kind))}
    assert changed
    assert changed != set(texts)


def _before_the_cache(text: str, kind: str) -> str:
    """Return what stands before a spec's cache; of functions what is in quotes, and conditions."""
    head = text.partition("- cache")[0].partition("source:")[2]
    return head if kind != "function" else " ".join(re.findall(r'"= [^"]*"|filter: .*', head))


CALL = """
safedata: 1
source: {range: 10}
steps:
  - map: {y: [{from: value}, {call: "mine:twice", returns: {y: "int64[]"}, workspace: 0 B}]}
  - cache: {path: store}
"""


def test_a_call_needs_a_version(folder: Path) -> None:
    """A function that says no version cannot stand before a cache on disk; another version is another key."""
    verdict = safedata.check(written(folder / "spec.yaml", CALL), allow=["mine"])
    [problem] = verdict.problems
    assert (problem.code, problem.span and problem.span.line) == ("SD207", 5)
    assert problem.message.startswith("`mine:twice` stands before a cache on disk and has no version")
    keys = {
        key(folder, CALL.replace("0 B}", f"0 B, version: {version}}}"), allow=["mine"])
        for version in (1, 2, "3")
    }
    assert len(keys) == 3
