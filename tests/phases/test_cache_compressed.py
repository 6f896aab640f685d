"""Compressed caches on disk: the same elements from other files, and bounds that hold."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import safedata
from safedata.memory import DISK
from safedata.phases import phases
from tests.caching import Write, entries, spec, written
from tests.phases.test_cache_bytes import peaks

KINDS = """
safedata: 1
source: {numpy: data.npz}
steps:
  - map: {t: [{from: y}, as_string], r: [{from: y}, as_string, {split_string: {sep: '7', max_tokens: 5}}]}
  - cache: {path: store, compression: CODEC}
BEHIND
"""
ZSTD = pytest.param(
    "zstd", marks=pytest.mark.skipif(importlib.util.find_spec("zstandard") is None, reason="no zstandard")
)


@pytest.fixture
def arrays(tmp_path: Path) -> None:
    """A file that does not compress, and one that does."""
    x = np.random.default_rng(0).integers(0, 256, (700, 33), "uint8")
    np.savez(tmp_path / "data.npz", x=x, y=np.arange(700) // 9)


def text(codec: str, *behind: str) -> str:
    return spec(*behind, text=KINDS.replace("CODEC", codec))


def flat(dataset: Any) -> list[Any]:
    return [
        {
            name: value.to_list() if hasattr(value, "to_list") else np.asarray(value).tolist()
            for name, value in one.items()
        }
        for one in dataset
    ]


@pytest.mark.tf
@pytest.mark.parametrize("codec", ["zlib", ZSTD])
@pytest.mark.parametrize(
    "behind",
    [
        [],
        ["drop: r", "batch: 64"],
        ["shuffle: {buffer: all, seed: 1}"],
        ["shuffle: {buffer: all, seed: 1}", "drop: [r, t]", "batch: 9"],
    ],
)
def test_elements_are_the_same(
    write: Write, arrays: None, monkeypatch: pytest.MonkeyPatch, codec: str, behind: list[str]
) -> None:
    """In order and shuffled, read by the chunk and by the batch, in two epochs."""
    monkeypatch.setattr("safedata.stages._shelve.FRAME_BYTES", 3000)
    kept, plain = (safedata.load(write(text(one, *behind))) for one in (codec, "none"))
    for _ in range(2):
        found = flat(kept)
        assert found == flat(plain)
        assert sum(np.size(one["y"]) for one in found) == 700


def keys(path: Path) -> list[str]:
    plan = safedata.check(path).plan
    assert plan is not None
    return [one.writes.key for one in phases(plan, here=False) if one.writes is not None]


def test_compression_is_of_its_own_entry(write: Write, arrays: None) -> None:
    """Another codec is another entry, and `none` what it is without; entries behind it stay."""
    second = "cache: {path: later}"
    none, zlib = (keys(write(text(one, "take: 9", second))) for one in ("none", "zlib"))
    assert none[0] != zlib[0]
    assert none[1] == zlib[1]
    without = text("none", "take: 9", second).replace(", compression: none", "")
    assert keys(write(without)) == none
    assert keys(write(text("zlib").replace("cache", "snapshot"))) == zlib[:1]


@pytest.mark.tf
def test_the_disk_is_not_used_above_the_bound(
    write: Write, tmp_path: Path, arrays: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes that do not compress take what was counted, to the byte, and the manifest of many blocks no more."""
    monkeypatch.setattr("safedata.stages._shelve.FRAME_BYTES", 33 * 8)
    monkeypatch.setattr("safedata.store.frames.FRAME_BYTES", 1)
    monkeypatch.setattr("safedata.stages._shelve.CHUNK_ROWS", 64)
    alone = re.sub("- map: .*", "- select: x", text("zlib"))
    made = written(write(alone), tmp_path / "store", monkeypatch)
    assert made.rows_used == made.rows == 700 * 33 + 13 * -(-700 // 8)
    assert made.manifest_used < made.manifest


@pytest.mark.tf
def test_what_shrinks_takes_less(write: Write, tmp_path: Path, arrays: None) -> None:
    """Numbers that repeat take a small part of what was counted, and the next check counts what is there: nothing."""
    path = write(re.sub("- map: .*", "- select: y", text("zlib")))
    counted = safedata.check(path).places[DISK].bytes
    assert counted is not None
    safedata.load(path)
    [entry] = entries(tmp_path / "store")
    assert (
        sum(file.stat().st_size for file in entry.iterdir() if file.name.startswith("column")) < counted / 5
    )
    assert safedata.check(path).places[DISK].bytes == 0


def test_where_nothing_is_on_disk(write: Write) -> None:
    """A cache in memory is not compressed."""
    [problem] = safedata.check(
        write("safedata: 1\nsource: {range: 3}\nsteps: [{cache: {compression: zlib}}]\n")
    ).problems
    assert "`compression` is for a cache on disk" in problem.message + str(problem.help)


def test_without_zstandard_the_extra_is_named(
    write: Write, arrays: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check says at the field what to install."""
    monkeypatch.setattr("safedata.stages._shelve.missing", lambda codec: "zstandard")
    [problem] = safedata.check(write(text("zstd"))).problems
    assert (problem.code, problem.span and problem.span.line) == ("SD407", 6)
    assert problem.help == "install it: `pip install 'safedata[zstd]'`, or write `compression: zlib`"


@pytest.mark.tf
def test_a_damaged_row_is_named(write: Write, tmp_path: Path, arrays: None) -> None:
    """Where bytes of a frame differ reading ends with the file, the component and the rows, at the cache's own step."""
    path = write(text("zlib", "select: [x, y]", "batch: 100"))
    safedata.load(path)
    [entry] = entries(tmp_path / "store")
    data = bytearray((entry / "column-000.texts").read_bytes())
    data[-100] ^= 1
    (entry / "column-000.texts").write_bytes(data)
    said = r"SD404.: the cache .* is damaged: column-000.texts \(component `x`\): in the rows \d+ to \d+: a checksum"
    with pytest.raises(safedata.DataError, match=said) as caught:
        safedata.build(path)
    [problem] = caught.value.problems
    assert (problem.code, problem.span and problem.span.line) == ("SD404", 6)
    assert problem.help == "remove that folder; the next run writes it again"


@pytest.mark.tf
@pytest.mark.slow
@pytest.mark.parametrize("codec", ["zlib", ZSTD])
@pytest.mark.parametrize("behind", [["batch: 16"], ["shuffle: all", "batch: 16"], ["shuffle: all"]])
@pytest.mark.parametrize(
    ("count", "component"),
    [(1000, "uint8[224, 224, 3]"), (100_000, "float32[16]"), (12, "uint8[3000, 4000, 3]")],
)
def test_every_way_stays_below_the_bound(
    write: Write, count: int, component: str, behind: list[str], codec: str
) -> None:
    """Written and read, in order and shuffled, kept whole or not, no more is resident than was counted."""
    behind = [one.replace("16", "2") for one in behind] if count < 16 else behind
    source = f"source: {{synthetic: {{count: {count}, components: {{x: '{component}'}}}}}}"
    steps = f"steps:\n  - cache: {{path: store, compression: {codec}}}\nBEHIND"
    path = write(spec(*behind, text=f"safedata: 1\n{source}\n{steps}"))
    for bound, wrote, read in (peaks(path), peaks(path)):
        assert wrote <= bound
        assert read <= bound
