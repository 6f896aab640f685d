"""Caches on disk: what a check says of them, and that no more is used of disk and memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import safedata
from safedata.memory import DISK, HOST, MIB
from safedata.phases import phases
from tests.caching import ROOT, Write, spec, written

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
    made = written(write(spec()), tmp_path / "store", monkeypatch)
    assert made.rows_used == made.rows
    assert made.manifest_used < made.manifest


def test_a_full_disk_is_seen_before(write: Write) -> None:
    """A cache that does not fit is refused, and one whose number of elements nobody knows."""
    assert "SD303" in {problem.code for problem in safedata.check(write(spec()), disk="4KiB").problems}
    endless = "safedata: 1\nsource: {range: 9}\nsteps: [repeat, {cache: {path: x}}]\n"
    [problem] = safedata.check(write(endless)).problems
    assert problem.code == "SD209"


@pytest.mark.tf
def test_the_phases_peaks_are_not_added(write: Write) -> None:
    """The host's bound is the larger part's; once the entry is there the parts before it count no more."""
    text = spec("shuffle: {buffer: 500}", "batch: 10").replace("buffer: 100,", "buffer: 1000,")
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
    """Writing many rows peaks below the bound, and so does reading them; their number alone makes it no larger."""

    def rows(count: int) -> Path:
        return write(spec("shuffle: all", "batch: 256").replace("range: 1000", f"range: {count}"))

    found = [peaks(rows(count)) for count in (50_000, 500_000)]
    for bound, wrote, read in found:
        assert wrote <= bound
        assert read <= bound
    assert found[1][0] - found[0][0] < 450_000 * 13 + MIB  # files as small as these are mapped
    large = safedata.check(rows(50_000_000)).places[HOST].bytes
    assert large is not None
    assert large - found[0][0] < MIB
    assert found[1][1] - found[0][1] < 16 * MIB
