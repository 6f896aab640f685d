"""What decoders of images leave behind in the threads that they ran in."""

from __future__ import annotations

from pathlib import Path

import pytest

import safedata
from safedata.memory import MIB
from tests.fresh import peaks
from tests.proc import ONLY_LINUX

SPEC = """\
safedata: 1
runtime: {{threads: {threads}}}
source:
  files: {folder}/*.jpg
steps:
  - repeat: 5
  - map: {{data: [{{decode_jpeg: {{ratio: 8, max_size: [2000, 2000]}}}}]}}
    parallel: {calls}
"""


@pytest.fixture
def photos(tmp_path: Path, tf: object) -> Path:
    """Two progressive JPEGs of 1920 x 2000 pixels, whose coefficients take 11 MiB."""
    image = pytest.importorskip("PIL.Image")
    made = image.effect_noise((200, 192), 80).convert("RGB").resize((2000, 1920))
    for number in range(2):
        made.save(tmp_path / f"{number}.jpg", progressive=True)
    return tmp_path


def left_behind(folder: Path, threads: int, calls: int) -> int:
    """Return the bytes that a plan counts for it."""
    verdict = safedata.check(SPEC.format(folder=folder, threads=threads, calls=calls), host="64GiB")
    assert verdict.plan is not None
    return sum(line.hold.bytes or 0 for line in verdict.lines if "leave behind" in line.hold.why)


@pytest.mark.tf
def test_every_thread_keeps_what_a_decoder_held(photos: Path) -> None:
    """However few calls run at once, each thread has had one; calls of all threads count a quarter of it.

    The thread that hands out elements to several calls has had an arena of its own, which the next epoch's calls take.
    """
    whole = 2000 * 1920 * 3
    assert left_behind(photos, 8, 1) == pytest.approx(9 * whole, rel=0.1)
    assert left_behind(photos, 8, 8) == pytest.approx(3.25 * whole, rel=0.1)


@pytest.mark.tf
@pytest.mark.slow
@ONLY_LINUX
@pytest.mark.parametrize("calls", [1, 2])
def test_the_peak_is_below_the_estimate(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    """A process with many threads takes no more than was estimated, and more than one call holds."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = peaks(SPEC.format(folder=photos, threads=8, calls=calls))
    assert found["measured"] <= found["estimate"]
    assert found["measured"] - found["tensorflow"] >= 40 * MIB
