from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from safedata.cli.progress import writing_line
from safedata.materialise import Writing

if TYPE_CHECKING:
    from tests.cli.conftest import Command

TEXT = """\
safedata: 1
params: {count: 500}
source: {range: "${count}"}
steps:
  - cache: {path: store}
  - batch: 50
"""


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A spec with a cache on disk, in the current folder."""
    monkeypatch.chdir(tmp_path)
    path = Path("cached.yaml")
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.mark.tf
def test_a_cache_from_its_build_to_its_end(run: Command, cached: Path) -> None:
    """A build writes it, the next finds it, `--force` writes it again; `ls` lists it, `rm` and `gc` remove it."""
    built = [run("build", cached, "--format", "json", *more) for more in ([], [], ["--force"])]
    caches = [json.loads(one.out)["report"]["caches"] for one in built]
    assert [[(one["elements"], one["bytes"], one["written"]) for one in some] for some in caches] == [
        [(500, 4000, 500)],
        [(500, 4000, 0)],
        [(500, 4000, 500)],
    ]
    [listed] = json.loads(run("cache", "ls", cached, "--format", "json").out)
    assert (listed["state"], listed["wanted"], listed["elements"]) == ("whole", True, 500)
    assert run("build", cached, "--set", "count=600").status == 0
    text = run("cache", "ls", "store").out
    assert "2 caches, " in text
    assert [row.split()[3] for row in text.splitlines()[1:3]] == ["500", "600"]
    assert [row.split()[-2:] for row in text.splitlines()[1:3]] == [
        ["yes", "cached.yaml"],
        ["no", "cached.yaml"],
    ]
    gone = run("cache", "rm", "store", listed["key"][:8])
    assert "removed 1 cache" in gone.out
    assert run("cache", "gc", "store", "--keep", "1MiB").out == "removed nothing\n"
    assert "would remove 1 cache" in run("cache", "gc", "store", "--keep", "100B", "--dry-run").out
    assert "removed 1 cache" in run("cache", "gc", "store", "--keep", "100B").out
    assert os.listdir("store") == []


@pytest.mark.tf
def test_a_build_says_what_it_found(run: Command, cached: Path) -> None:
    """The report says for each cache whether it was written or found, and where it lies."""
    first, second = (run("build", cached).out for _ in range(2))
    assert "cache       written in " in first
    assert ": 500 elements, 3.91 KiB, in store/" in first
    assert "cache       found: 500 elements, 3.91 KiB, in store/" in second


@pytest.mark.tf
def test_the_longest_unused_goes_first(run: Command, cached: Path) -> None:
    """`gc` keeps what was used last, and never what a pipeline reads."""
    import safedata

    for count in (500, 600, 700):
        assert run("build", cached, "--set", f"count={count}").status == 0
    listed = json.loads(run("cache", "ls", "store", "--format", "json").out)
    by_rows = {one["elements"]: one for one in listed}
    for age, rows in enumerate((600, 700, 500)):
        os.utime(Path(by_rows[rows]["folder"]) / "manifest.json", (1e9 - age, 1e9 - age))
    keep = by_rows[600]["bytes"] + by_rows[700]["bytes"]
    gone = json.loads(run("cache", "gc", "store", "--keep", f"{keep}B", "--format", "json").out)
    assert [one["elements"] for one in gone] == [500]
    dataset = safedata.load(cached, count=700)
    os.utime(Path(by_rows[700]["folder"]) / "manifest.json", (1.0, 1.0))
    gone = json.loads(run("cache", "gc", "store", "--keep", "0B", "--format", "json").out)
    assert [one["elements"] for one in gone] == [600]
    refused = run("cache", "rm", "store", by_rows[700]["key"])
    assert (refused.status, "is in use" in refused.err) == (4, True)
    assert sum(1 for _ in dataset) == 14


@pytest.mark.parametrize(
    ("argv", "status", "said"),
    [
        (["ls", "gone"], 4, "there is no store, and no spec, at `gone`"),
        (["rm", "store"], 2, "name the keys"),
        (["rm", "store", "abc"], 4, "`abc` is too short for a key"),
        (["rm", "store", "abcdef"], 4, "0 caches have a key that begins with `abcdef`"),
        (["ls", "store", "abcdef"], 2, "takes one store and no keys, and got `abcdef`"),
        (["gc", "store"], 2, "say what may stay: `--keep 20GiB`"),
        (["ls", "store", "--keep", "1GiB"], 2, "are for `gc`"),
        (["mv", "store"], 2, "invalid choice"),
    ],
)
def test_mistakes(run: Command, cached: Path, argv: list[str], status: int, said: str) -> None:
    """What makes no sense is refused with what to write."""
    Path("store").mkdir()
    ran = run("cache", *argv)
    assert (ran.status, said in ran.err) == (status, True), ran.err


def test_what_is_no_entry(run: Command, cached: Path) -> None:
    """Other files are no caches; what a killed run left is listed, and so is a damaged one."""
    store = Path("store")
    for name in ("other", "a" * 40 + ".part", "b" * 40):
        (store / name).mkdir(parents=True)
    (store / "file").write_text("", encoding="utf-8")
    (store / ("b" * 40) / "manifest.json").write_text("{", encoding="utf-8")
    (store / ("a" * 40 + ".part") / "column-000.rows").write_bytes(b"12345")
    found = json.loads(run("cache", "ls", "store", "--format", "json").out)
    assert {(one["key"][0], one["state"], one["bytes"]) for one in found} == {
        ("a", "unfinished", 5),
        ("b", "damaged", 1),
    }
    assert "removed 2 caches, 6 B" in run("cache", "gc", "store", "--keep", "0B").out
    assert sorted(os.listdir(store)) == ["file", "other"]


def test_a_spec_with_problems(run: Command, cached: Path) -> None:
    """A spec that is named must be sound."""
    cached.write_text("safedata: 1\nsource: {range: 3}\nsteps: [nothing]\n", encoding="utf-8")
    ran = run("cache", "ls", cached)
    assert ran.status == 1
    assert "SD106" in ran.err


def test_how_far_the_writing_is() -> None:
    """The line has elements, bytes, rate and the time left; of what an earlier run wrote no time is taken."""
    line = writing_line(Writing(3000, 4000, 1024, 2000, 2.0))
    assert (
        line
        == "[##################......]  75%  3,000 elements  2.93 MiB  500.00 KiB/s to the cache  2 s left"
    )
    assert writing_line(Writing(10, None, 8, 0, 1.0)) == "10 elements  80 B  80 B/s to the cache"
