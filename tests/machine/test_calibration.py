from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import safedata
from safedata.machine import calibration
from safedata.machine.footprint import tensorflow_footprint
from safedata.memory import MIB

SPEC = "safedata: 1\nsource: {range: 10}\nsteps: [{batch: 2}]\n"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, and a TensorFlow that is installed."""
    folder = tmp_path / "tensorflow-2.99.dist-info"
    folder.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(calibration, "installed", lambda: ("2.99", str(folder)))
    return tmp_path / "cache" / "safedata"


def test_a_kept_peak_is_known_until_something_changes(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was kept is read again; another release, or another setting of TensorFlow, has none."""
    assert calibration.known() is None
    assert calibration.keep(560 * MIB)
    assert calibration.known() == 560 * MIB
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert calibration.known() is None
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS")
    monkeypatch.setattr(calibration, "installed", lambda: ("3.0", str(cache)))
    assert calibration.known() is None


@pytest.mark.parametrize("damage", ["", "safedata-tensorflow 1\n", "x" * 100_000, "\udcff"])
def test_a_damaged_file_counts_as_none(cache: Path, damage: str) -> None:
    """Cut off, overwritten, with other bytes, or with another number in it: it is not believed."""
    calibration.keep(560 * MIB)
    [file] = cache.iterdir()
    whole = file.read_text()
    file.write_text(whole.replace(str(560 * MIB), str(10 * MIB)))
    assert calibration.known() is None
    file.write_bytes(damage.encode("utf-8", "surrogateescape"))
    assert calibration.known() is None


def test_a_file_that_others_can_write_counts_as_none(cache: Path) -> None:
    """Nobody else shall be able to make a bound smaller."""
    calibration.keep(560 * MIB)
    [file] = cache.iterdir()
    file.chmod(0o666)
    assert calibration.known() is None


def test_no_peak_is_kept_that_cannot_be(cache: Path) -> None:
    """A process with TensorFlow takes more than some MiB; nothing is written for less."""
    assert not calibration.keep(3 * MIB)
    assert not cache.exists()


def test_a_check_takes_the_measured_figure(cache: Path) -> None:
    """With a measurement of this machine the hold is it and a few percent; for a target it is the general bound."""
    line = safedata.check(SPEC).lines[0].hold
    assert line.why.endswith("not measured on this machine yet")
    calibration.keep(560 * MIB)
    line = safedata.check(SPEC).lines[0].hold
    assert line.bytes == tensorflow_footprint(1, 560 * MIB).bytes
    assert 560 * MIB < (line.bytes or 0) < 590 * MIB
    targeted = (
        safedata.check(f"{SPEC}targets: {{small: {{host: 4GiB, cpus: 2}}}}\n", target="small").lines[0].hold
    )
    assert targeted.bytes == tensorflow_footprint(2).bytes


def test_only_a_fresh_process_is_observed(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that held much before it started TensorFlow, or that has a figure already, measures nothing."""
    monkeypatch.setattr(calibration, "resident", lambda: SimpleNamespace(now=0, peak=900 * MIB))
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    assert not calibration.wanted()
    monkeypatch.setattr(calibration, "resident", lambda: SimpleNamespace(now=0, peak=40 * MIB))
    assert calibration.wanted()
    calibration.keep(560 * MIB)
    assert not calibration.wanted()


@pytest.mark.slow
@pytest.mark.tf
def test_a_measurement_is_near_the_table(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fresh process is measured, and what it took is kept."""
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", os.fspath(cache))
    peak = calibration.calibrate()
    assert calibration.known() == peak
    assert 400 * MIB < peak < 900 * MIB
