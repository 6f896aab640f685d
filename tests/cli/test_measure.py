"""`safedata measure` on the command line."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from safedata.cli.progress import reading_line
from safedata.crew import Progress
from tests.cli.conftest import ROOT, Command

SPEC = "safedata: 1\nparams: {labels: none}\nsource: {image_folder: {path: data, labels: '${labels}'}}\n"


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A spec over more images than a check reads, in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    Path("data").mkdir()
    buffer = io.BytesIO()
    Image.new("L", (5, 7)).save(buffer, "PNG")
    for number in range(4100):
        Path(f"data/{number:04d}.png").write_bytes(buffer.getvalue())
    path = Path("spec.yaml")
    path.write_text(SPEC)
    return path


def test_measure_says_what_it_read(photos: Path, run: Command) -> None:
    """The text has the files, how many were read, and where that is kept; a check then has a bound."""
    done = run("measure", photos)
    assert (done.status, done.err) == (0, "")
    assert "4,100 now" in done.out
    assert "cache/safedata/measured/" in done.out
    assert "4,100 known already" in run("measure", photos).out
    assert "SD310" not in run("check", photos).err


def test_measure_as_json(photos: Path, run: Command) -> None:
    """The object has the same numbers, and where the measurement lies."""
    found = json.loads(run("measure", photos, "--format", "json", "--beside", "--set", "labels=none").out)
    [one] = found["measured"]
    assert (one["files"], one["read"], one["known"], one["bad"]) == (4100, 4100, 0, 0)
    assert Path(one["kept_in"]).name.startswith(".safedata-")
    assert Path(one["kept_in"]).parent == Path("data")


def test_bad_files_are_listed_with_status_4(photos: Path, run: Command) -> None:
    """Bad files give exit status 4 and are named; under `on_error: skip` they are counted."""
    Path("data/2000.png").write_bytes(b"nothing")
    done = run("measure", photos)
    assert done.status == 4
    assert "error[SD404]: 1 file or record is bad data: `data/2000.png`: it does not start like" in done.err
    photos.write_text(SPEC + "runtime: {on_error: skip}\n")
    done = run("measure", photos)
    assert (done.status, done.err) == (0, "")
    assert "1, which a run leaves out" in done.out


def test_nothing_to_measure(counting: Path, run: Command) -> None:
    """A source that a check reads whole needs no measurement, and the command says so."""
    done = run("measure", counting)
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("nothing to measure")


def test_problems_of_spec_and_data(tmp_path: Path, run: Command) -> None:
    """A spec that cannot be read has status 1, data that is not there status 4; each with its line."""
    path = tmp_path / "spec.yaml"
    path.write_text("safedata: 1\nsource: {image_folder: {path: nowhere}}\n")
    done = run("measure", path)
    assert (done.status, "error[SD401]: `nowhere` does not exist" in done.err) == (4, True)
    assert "spec.yaml:2:" in done.err
    path.write_text("safedata: 1\nsauce: {range: 1}\n")
    assert run("measure", path).status == 1


def test_progress_counts_files_or_bytes() -> None:
    """The line says how much is done, how fast, and how long the rest takes."""
    assert reading_line(Progress(25, 100, 5.0, "files")) == (
        "[######..................]  25%  25 files  5 files/s  15 s left"
    )
    assert reading_line(Progress(1 << 20, 1 << 21, 1.0, "bytes")).endswith(
        "50%  1.00 MiB  1.00 MiB/s  1 s left"
    )


def test_an_interrupt_keeps_what_was_read(photos: Path) -> None:
    """Ctrl-C ends with status 130 and no traceback, leaves no temporary file, and the next run goes on."""
    code = (
        "import sys, time\n"
        "from safedata import headers\n"
        "from safedata.sources.files import _images\n"
        "done = []\n"
        "def slow(path, read=_images.try_header):\n"
        "    done.append(path)\n"
        "    if len(done) == 200: print('reading', flush=True)\n"
        "    time.sleep(0.05)\n"
        "    return read(path)\n"
        "_images.try_header = slow\n"
        "from safedata.__main__ import main\n"
        "sys.exit(main(['measure', 'spec.yaml']))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "reading\n"
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=30)
    assert (running.returncode, err) == (130, "safedata: interrupted\n")
    [kept] = Path("cache/safedata/measured").iterdir()
    assert kept.suffix == ".measured"
    from safedata import measure

    [done] = measure(photos).measured
    assert done.known > 0
    assert done.known + done.read == 4100
