"""Caches on disk: what is read is what was made, once, and what a check says of it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import safedata
from safedata.materialise import Kept, Writing
from safedata.memory import DISK, HOST, MIB
from safedata.phases import phases
from safedata.problem import DataError
from safedata.store import writer as writing

ROOT = Path(__file__).parent.parent.parent
Write = Callable[..., Path]

COUNTED = """
safedata: 1
source: {range: 1000}
steps:
  - shuffle: {buffer: 100, seed: 3}
  - map: {y: "= value * 2.5", m: "= value % 2 == 0"}
  - cache: {path: store}
BEHIND
"""


def spec(*behind: str, text: str = COUNTED) -> str:
    return text.replace("BEHIND", "".join(f"  - {step}\n" for step in behind))


def column(dataset: Any, name: str) -> list[Any]:
    """Return a component of all elements, batches one after the other."""
    parts = [np.atleast_1d(element[name].numpy()) for element in dataset]
    found: list[Any] = np.concatenate(parts).tolist()
    return found


def entries(store: Path) -> list[Path]:
    return sorted(store.iterdir()) if store.exists() else []


@pytest.mark.tf
def test_what_is_read_is_what_was_made(write: Write, tmp_path: Path) -> None:
    """Elements come back in the order in which they were made, in this run, the next epoch, and another run."""
    made = safedata.load(write(spec().replace("  - cache: {path: store}\n", ""), "without.yaml"))
    [first] = {tuple(column(made, "value"))}
    for _ in range(2):
        dataset = safedata.load(write(spec()))
        assert dataset.element_spec == made.element_spec
        for _ in range(2):
            assert tuple(column(dataset, "value")) == first
            assert column(dataset, "y") == [2.5 * value for value in first]
            assert column(dataset, "m") == [value % 2 == 0 for value in first]
    assert len(entries(tmp_path / "store")) == 1


@pytest.mark.tf
@pytest.mark.parametrize(
    "behind",
    [
        [],
        ["batch: 64"],
        ["batch: {size: 64, drop_remainder: true}"],
        ["shuffle: all"],
        ["shuffle: all", "batch: 64"],
        ["shuffle: all", "batch: {size: 64, drop_remainder: true}", "prefetch: 2"],
        ["shuffle: {buffer: 1000, seed: 5}", "map: {y: = y + 1.0}", "batch: 64"],
        ["shuffle: 20", "batch: 64"],
        ["take: 20", "shuffle: all"],
        ["batch: 64", "unbatch:"],
    ],
)
def test_every_element_once(write: Write, behind: list[str]) -> None:
    """Whatever stands behind, each epoch has every element once that it should have."""
    dataset = safedata.load(write(spec(*behind)))
    plan = safedata.check(write(spec(*behind))).plan
    assert plan is not None
    for _ in range(2):
        values = column(dataset, "value")
        rows = len(set(values))
        assert rows == len(values) == (20 if "take: 20" in behind else 960 if "drop" in str(behind) else 1000)
        count = plan.result.cardinality
        assert sum(1 for _ in dataset) == count.most or count.kind != "exactly"


@pytest.mark.tf
@pytest.mark.parametrize(
    ("size", "steps"), [(1, []), (10, ["batch: 10"]), (30, ["batch: {size: 30, drop_remainder: true}"])]
)
def test_rows_of_many_chunks(
    write: Write, monkeypatch: pytest.MonkeyPatch, size: int, steps: list[str]
) -> None:
    """However many reads it takes, elements come in their order, with batches of the size that was asked for."""
    monkeypatch.setattr("safedata.sources._stored._CHUNK", 1024)
    monkeypatch.setattr("safedata.stages._shelve.CHUNK_ROWS", 64)
    whole = column(safedata.load(write(spec())), "value")
    dataset = safedata.load(write(spec(*steps)))
    sizes = [np.size(element["value"].numpy()) for element in dataset]
    assert column(dataset, "value") == whole[: sum(sizes)]
    assert sizes == [size] * (1000 // size)


@pytest.mark.tf
def test_a_perfect_shuffle(write: Write) -> None:
    """The order is another one in each epoch, the same in each run, and follows from the seed."""
    text = spec("shuffle: all", "batch: 64")
    dataset = safedata.load(write(text))
    epochs = [column(dataset, "value") for _ in range(3)]
    assert len({tuple(one) for one in epochs}) == 3
    assert abs(np.corrcoef(epochs[0], epochs[1])[0, 1]) < 0.15
    assert [column(again, "value") for again in [safedata.load(write(text))] for _ in range(3)] == epochs
    seeded = [safedata.load(write(spec(f"shuffle: {{buffer: all, seed: {seed}}}"))) for seed in (1, 1, 2)]
    one, two, three = (column(dataset, "value") for dataset in seeded)
    assert one == two != three
    fixed = safedata.load(write(spec("shuffle: {buffer: all, reshuffle: false}")))
    assert column(fixed, "value") == column(fixed, "value")


@pytest.mark.tf
def test_draws_behind_are_new_in_each_epoch(write: Write) -> None:
    """Random operations behind draw by epoch and element, the same whether in batches or not."""
    text = (
        "safedata: 1\nsource: {synthetic: {components: {image: 'uint8[4, 4, 3]'}, count: 20}}\nsteps:\n"
        "  - cache: {path: store}\nBEHIND"
    )
    flip = "map: {image: [{random_flip_left_right: {p: 0.5}}]}"
    alone = safedata.load(write(spec(flip, text=text)))
    batched = safedata.load(write(spec("batch: 8", flip, text=text)))
    first, second = column(alone, "image"), column(alone, "image")
    assert first != second
    assert column(batched, "image") == np.reshape(first, (20, 4, 4, 3)).tolist()


@pytest.mark.tf
def test_batches_can_be_kept(write: Write) -> None:
    """Whole batches are rows as well, and their elements are counted through."""
    text = COUNTED.replace("  - cache", "  - batch: {size: 10, drop_remainder: true}\n  - cache")
    dataset = safedata.load(write(spec("unbatch:", "shuffle: all", text=text)))
    assert sorted(column(dataset, "value")) == list(range(1000))


@pytest.mark.tf
def test_two_caches(write: Write, tmp_path: Path) -> None:
    """The second is made of the first, and once it is there the first is not read."""
    text = spec("map: {z: = value + 1}", "cache: {path: other}", "batch: 10")
    dataset = safedata.load(write(text))
    assert column(dataset, "z") == [value + 1 for value in column(dataset, "value")]
    [first], [_] = entries(tmp_path / "store"), entries(tmp_path / "other")
    for file in first.iterdir():
        file.unlink()
    first.rmdir()
    assert column(safedata.load(write(text)), "z") == column(dataset, "z")
    assert entries(tmp_path / "store") == []


@pytest.mark.tf
def test_nothing_is_left_out_of_an_empty_cache(write: Write) -> None:
    """A cache of no elements is a cache."""
    text = COUNTED.replace("range: 1000", "range: 10").replace(
        "  - cache", "  - filter: value > 100\n  - cache"
    )
    assert list(safedata.load(write(spec("shuffle: all", "batch: 2", text=text)))) == []


@pytest.mark.tf
def test_the_programs_seed_changes_nothing(write: Write, tf: Any) -> None:
    """What is kept does not depend on `tf.random.set_seed`, which stays as the program has set it."""
    first = column(safedata.load(write(spec().replace("store", "one"))), "value")
    tf.random.set_seed(7)
    try:
        assert column(safedata.load(write(spec().replace("store", "two"))), "value") == first
        assert tf.compat.v1.get_seed(0)[0] == 7
    finally:
        tf.random.set_seed(87654321)


def test_the_disk_is_counted_to_the_byte(write: Write) -> None:
    """Rows of a fixed shape take what their types say, times their number; one bound is on the manifest."""
    verdict = safedata.check(write(spec("batch: 8")))
    rows, manifest = (line.hold for line in verdict.lines if line.hold.place == DISK)
    assert (rows.bytes, rows.why) == (1000 * (8 + 4 + 1), "1000 elements of 13 B")
    assert verdict.places[DISK].bytes == 13_000 + (manifest.bytes or 0)


@pytest.mark.tf
def test_the_disk_is_not_used_above_the_bound(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows have exactly the bytes counted, and the manifest no more, with many small blocks and columns."""
    monkeypatch.setattr(writing, "BLOCK_BYTES", 64)
    monkeypatch.setattr("safedata.stages._shelve.BLOCK_BYTES", 64)
    verdict = safedata.check(write(spec()))
    rows, manifest = (line.hold for line in verdict.lines if line.hold.place == DISK)
    safedata.load(write(spec()))
    [entry] = entries(tmp_path / "store")
    sizes = {file.name: file.stat().st_size for file in entry.iterdir()}
    listed = sizes.pop("manifest.json")
    assert sum(sizes.values()) == rows.bytes
    assert manifest.bytes is not None
    assert listed < manifest.bytes


def test_a_full_disk_is_seen_before(write: Write) -> None:
    """A cache that does not fit is refused, and one whose number of elements nobody knows."""
    assert "SD303" in {problem.code for problem in safedata.check(write(spec()), disk="4KiB").problems}
    endless = "safedata: 1\nsource: {range: 9}\nsteps: [repeat, {cache: {path: x}}]\n"
    [problem] = safedata.check(write(endless)).problems
    assert problem.code == "SD209"


@pytest.mark.tf
def test_the_phases_peaks_are_not_added(write: Write) -> None:
    """The host's bound is the larger part's; once the entry is there the parts before it count no more."""
    text = spec("shuffle: {buffer: 900}", "batch: 10").replace("buffer: 100,", "buffer: 1000,")
    path = write(text)
    before = safedata.check(path)
    assert before.plan is not None
    host = before.places[HOST].bytes
    assert host is not None
    steps = [line.step for line in before.lines if line.step is not None and line.hold.place == HOST]
    assert max(steps) <= 3
    assert [one.writes is None for one in phases(before.plan)] == [False, True]
    safedata.load(path)
    after = safedata.check(path)
    assert (after.places[HOST].bytes or host) <= host
    assert min(line.step for line in after.lines if line.step is not None) == 3
    assert after.places[DISK].bytes == 0


def test_another_machine_has_nothing(write: Write) -> None:
    """What lies on this disk does not count for a target."""
    text = spec("batch: 8") + "targets: {big: {host: 64GiB, disk: 1GiB, cpus: 4}}\n"
    verdict = safedata.check(write(text), target="big")
    assert (verdict.places[DISK].bytes or 0) > 13_000


@pytest.mark.parametrize(
    ("steps", "message", "help"),
    [
        (
            ["map: {t: [{from: value}, as_string]}", "cache: {path: x}"],
            r"keeps numbers of one shape, and `t` is string",
            "decode or cast `t` before the cache",
        ),
        (["batch: 4", "cache: {path: x}"], r"`value` is int64\[<=4\]", "cache before the batch"),
    ],
)
def test_what_cannot_be_kept(write: Write, steps: list[str], message: str, help: str) -> None:
    """A component that is no number of one shape is named, with the way out."""
    text = "safedata: 1\nsource: {range: 9}\nsteps:\n" + "".join(f"  - {step}\n" for step in steps)
    [problem] = safedata.check(write(text)).problems
    assert problem.code == "SD110"
    assert message.replace("\\", "") in problem.message
    assert problem.help is not None
    assert problem.help.startswith(help)


@pytest.mark.tf
def test_what_nothing_needs_is_not_kept(write: Write, tmp_path: Path) -> None:
    """A text that no later step uses is no obstacle, and takes no room."""
    text = (
        "safedata: 1\nsource: {range: 9}\nsteps:\n  - map: {t: [{from: value}, as_string]}\n"
        "  - filter: t != '4'\n  - cache: {path: store}\noutput: [value]\n"
    )
    dataset = safedata.load(write(text))
    assert [int(value) for (value,) in dataset] == [0, 1, 2, 3, 5, 6, 7, 8]
    [entry] = entries(tmp_path / "store")
    assert sorted(file.name for file in entry.iterdir()) == ["column-000.rows", "manifest.json"]


def test_not_in_an_input(write: Write) -> None:
    """Inputs of a combinator have no cache on disk; the problem points at it."""
    text = (
        "safedata: 1\nsource: {zip: {inputs: {a: {source: {range: 3}, steps: [{cache: {path: x}}]}, "
        "b: {source: {range: 3}, steps: [{rename: {value: w}}]}}}}\n"
    )
    [problem] = safedata.check(write(text)).problems
    assert (problem.code, problem.message) == (
        "SD110",
        "a cache on disk in the input `a` is not available in this version",
    )


@pytest.mark.tf
def test_a_damaged_cache_is_named(write: Write, tmp_path: Path) -> None:
    """A file that is too short is no cache: the error names it, and removing the folder mends it."""
    path = write(spec())
    safedata.load(path)
    [entry] = entries(tmp_path / "store")
    os.truncate(entry / "column-000.rows", 100)
    with pytest.raises(
        DataError, match=rf"SD404.*{entry.name} is damaged: column-000.rows .component `m`. has 100"
    ):
        safedata.load(path)


@pytest.mark.tf
def test_a_folder_that_cannot_be_written(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing can be written the error says so, with its place."""
    real = os.makedirs

    def refused(path: str | Path, *args: Any, **given: Any) -> None:
        if tmp_path / "store" in (Path(path), *Path(path).parents):  # what the system says to all but root
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        real(path, *args, **given)

    monkeypatch.setattr(os, "makedirs", refused)
    with pytest.raises(DataError, match=r"SD408.*cannot write the cache .*permission denied"):
        safedata.load(write(spec()))


@pytest.mark.tf
def test_a_path_that_is_a_file(write: Write, tmp_path: Path) -> None:
    """A path that is no folder is one clear error."""
    (tmp_path / "store").write_text("", encoding="utf-8")
    with pytest.raises(DataError, match=r"SD408.*cannot write the cache"):
        safedata.load(write(spec()))


@pytest.mark.tf
def test_data_that_changes_meanwhile(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read while the files changed is not kept under the key of the old ones."""
    table = tmp_path / "t.csv"
    table.write_text("x\n1\n2\n3\n", encoding="utf-8")
    path = write("safedata: 1\nsource: {csv: {path: t.csv}}\nsteps: [{cache: {path: store}}]\n")
    append = writing.Writer.append

    def changing(self: Any, values: Any) -> None:
        append(self, values)
        table.write_text("x\n1\n2\n4\n", encoding="utf-8")

    monkeypatch.setattr(writing.Writer, "append", changing)
    with pytest.raises(DataError, match=r"SD404.*the data changed while it was written"):
        safedata.load(path)
    assert entries(tmp_path / "store") == []
    monkeypatch.undo()
    assert column(safedata.load(path), "x") == [1, 2, 4]


@pytest.mark.tf
def test_bad_elements_are_counted(write: Write, tmp_path: Path) -> None:
    """What `on_error: skip` leaves out is not in the cache, and its manifest says how many, and which."""
    text = (
        "safedata: 1\nsource: {range: 20}\nsteps:\n"
        "  - map: {y: [{from: value}, as_string, {vocab_lookup: {vocab: ['1', '2', '3'], num_oov_indices: 0}}]}\n"
        "  - cache: {path: store}\nruntime: {on_error: skip}\n"
    )
    dataset = safedata.load(write(text))
    assert column(dataset, "value") == [1, 2, 3]
    [entry] = entries(tmp_path / "store")
    made = json.loads((entry / "manifest.json").read_text(encoding="utf-8"))["made"]
    assert (made["skipped"], made["first_skipped"][0]) == (17, "range element 0")


CHILD = """
import sys
sys.path.insert(0, {root!r})
from safedata.store import writer
writer.BLOCK_BYTES = 13 * 1000
import safedata
from safedata.compile import compile_plan
from safedata.request import Request, checked
plan = checked(sys.argv[1], Request({{}}))
print("ready", flush=True)
compile_plan(plan, told=lambda one: print(one, flush=True))
print("done", flush=True)
"""


@pytest.mark.tf
@pytest.mark.slow
def test_a_killed_run_is_gone_on_with(write: Write, tmp_path: Path) -> None:
    """After a kill while elements are written the next run keeps the finished blocks, and the rest is the same."""
    text = spec().replace("range: 1000", "range: 3_000_000")
    path = write(text)
    code = CHILD.format(root=str(ROOT))
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        while "Writing" not in child.stdout.readline():
            pass
        time.sleep(0.3)
        child.send_signal(signal.SIGKILL)
    assert [one.name[40:] for one in entries(tmp_path / "store")] == [".lock", ".part"]
    again = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    [first, *_] = [line for line in again.stdout.splitlines() if line.startswith("Writing")]
    assert "began=0" not in first
    [entry] = entries(tmp_path / "store")
    values = np.fromfile(entry / "column-001.rows", "int64")
    os.rename(entry, tmp_path / "resumed")
    safedata.load(path)
    np.testing.assert_array_equal(values, np.fromfile(entry / "column-001.rows", "int64"))
    assert sorted(values.tolist()) == list(range(3_000_000))


@pytest.mark.tf
def test_what_is_told(write: Write) -> None:
    """Whoever asks hears of each entry: how much was written now, and the next time that it was there."""
    from safedata.compile import compile_plan
    from safedata.request import Request, checked

    told: list[Any] = []
    for written in (1000, 0):
        told.clear()
        compile_plan(checked(str(write(spec())), Request({})), told=told.append)
        [kept] = [one for one in told if isinstance(one, Kept)]
        assert (kept.rows, kept.bytes, kept.written) == (1000, 13_000, written)
        assert all(one.of == 1000 for one in told if isinstance(one, Writing))


@pytest.mark.tf
def test_looking_and_profiling_read_the_cache(write: Write, tmp_path: Path) -> None:
    """`head` and `profile` run what stands behind the cache, in the order of the pipeline itself."""
    from safedata.head import draw

    path = str(write(spec("shuffle: all", "batch: 10")))
    plan = safedata.check(path).plan
    assert plan is not None
    drawn = [int(row.values["value"]) for row in draw(plan, 25).rows]
    assert drawn == column(safedata.load(path), "value")[:25]
    profile = safedata.profile(path, batches=20, warmup=1)
    assert [step.node.title() for step in profile.plan.steps] == ["cache", "output"]


@pytest.mark.tf
def test_a_cache_that_is_gone_is_made_again(write: Write, tmp_path: Path) -> None:
    """What was removed between two runs is written anew."""
    path = write(spec())
    first = column(safedata.load(path), "value")
    [entry] = entries(tmp_path / "store")
    shutil.rmtree(entry)
    assert column(safedata.load(path), "value") == first
    assert entries(tmp_path / "store") == [entry]


MEASURED = """
import sys
sys.path.insert(0, {root!r})
import safedata
from safedata.machine import resident
bound = safedata.check(sys.argv[1]).places["host"].bytes
dataset = safedata.load(sys.argv[1])
written = resident().peak
for _ in zip(*[dataset] * {live}):
    pass
for _ in dataset:
    pass
print(bound, written, resident().peak)
"""


def peaks(path: Path, live: int = 1) -> tuple[int, ...]:
    """Return the bound, and the peaks of a process after writing and after two epochs, `live` iterators at a time."""
    command = [sys.executable, "-c", MEASURED.format(root=str(ROOT), live=live), str(path)]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return tuple(int(number) for number in out.split())


@pytest.mark.tf
def test_reading_stays_below_the_bound(write: Write) -> None:
    """A process that reads a cache in any order never has more resident than the bound, files included."""
    source = "source: {synthetic: {count: 1200, components: {x: 'uint8[512, 512]'}}}"
    text = f"safedata: 1\n{source}\nsteps:\n  - cache: {{path: store}}\nBEHIND"
    peaks(write(spec("batch: 8", text=text)))
    bound, _, peak = peaks(write(spec("shuffle: all", "batch: 8", text=text)))
    assert peak <= bound < peak + 200 * MIB


@pytest.mark.tf
@pytest.mark.slow
@pytest.mark.parametrize("live", [1, 2])
@pytest.mark.parametrize(
    "behind",
    [
        ["batch: 64"],
        ["shuffle: all", "batch: 64"],
        ["shuffle: all"],
        [],
        ["shuffle: all", "batch: 64", "prefetch: 2"],
    ],
)
@pytest.mark.parametrize(("count", "component"), [(2500, "uint8[224, 224, 3]"), (600_000, "float32[16]")])
def test_every_way_of_reading_stays_below_the_bound(
    write: Write, count: int, component: str, behind: list[str], live: int
) -> None:
    """In order and shuffled, in batches or not, mapped or read, also with two iterators alive, the bound holds."""
    source = f"source: {{synthetic: {{count: {count}, components: {{x: '{component}'}}}}}}"
    text = f"safedata: 1\n{source}\nsteps:\n  - cache: {{path: store}}\nBEHIND"
    peaks(write(spec(*behind, text=text)))
    path = write(spec(*behind, text=text))
    bound, _, peak = peaks(path, live)
    again = sum(
        line.hold.bytes or 0
        for line in safedata.check(path).lines
        if line.step is not None and line.hold.place == HOST
    )
    assert peak <= bound + (live - 1) * again


@pytest.mark.tf
@pytest.mark.slow
def test_writing_stays_below_the_bound(write: Write) -> None:
    """Writing many rows peaks below the bound, which does not grow with their number; so does reading them."""
    found: list[tuple[int, ...]] = []
    for count in (50_000, 500_000):
        text = spec("shuffle: all", "batch: 256").replace("range: 1000", f"range: {count}")
        found.append(peaks(write(text)))
    for bound, written, read in found:
        assert written <= bound
        assert read <= bound
    assert found[1][0] - found[0][0] < MIB
    assert found[1][1] - found[0][1] < 16 * MIB
