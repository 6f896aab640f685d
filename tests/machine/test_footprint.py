from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from safedata.machine import footprint
from safedata.machine.footprint import resident, tensorflow_footprint, unused_mappings, version_note
from safedata.memory import MIB
from tests.proc import ONLY_LINUX

MEASURED = {1: 555, 2: 555, 8: 556, 32: 561, 64: 568, 128: 582}
"""MiB resident at most, by the number of CPUs: the table in `tensorflow_footprint`."""

PIPELINE = """
import json, os
import pydantic, yaml, pynvml
import tensorflow as tf
tf.constant([1.0])
for threads in (0, 2):
    data = tf.data.Dataset.range(10).map(lambda x: x + 1, num_parallel_calls=2).batch(2).prefetch(2)
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    options.threading.private_threadpool_size = threads
    for _ in data.with_options(options):
        pass
lines = (line.split() for line in open("/proc/self/status"))
print(json.dumps({words[0]: int(words[1]) * 1024 for words in lines if words[-1] == "kB"}))
"""


def held(bytes_: int | None) -> int:
    assert bytes_ is not None
    return bytes_


@pytest.mark.parametrize("cpus", MEASURED)
def test_the_bound_is_over_the_table_and_near_it(cpus: int) -> None:
    """For every measured number of CPUs the bound is above the figure, at most a quarter."""
    bound = held(tensorflow_footprint(cpus).bytes)
    assert MEASURED[cpus] * MIB <= bound <= 1.25 * MEASURED[cpus] * MIB


@pytest.mark.slow
@pytest.mark.tf
@ONLY_LINUX
def test_a_fresh_process_stays_under_the_bound_and_near_it() -> None:
    """TensorFlow with a first pipeline in a fresh process: measured <= bound <= 1.25 times measured."""
    pytest.importorskip("tensorflow", exc_type=ImportError)
    done = subprocess.run(
        [sys.executable, "-c", PIPELINE],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    status = json.loads(done.stdout.splitlines()[-1])
    cpus = len(os.sched_getaffinity(0))
    bound = held(tensorflow_footprint(cpus).bytes)
    assert status["VmHWM:"] <= bound <= 1.25 * status["VmHWM:"]
    address_space, data = unused_mappings(cpus)
    assert status["VmPeak:"] - status["VmHWM:"] <= address_space
    assert status["VmData:"] - status["RssAnon:"] <= data


def test_another_release_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a TensorFlow that was not measured gets a note; none installed gets none."""
    monkeypatch.setattr(sys, "path", [str(tmp_path / "absent"), str(tmp_path)])
    assert version_note() is None
    installed = tmp_path / f"tensorflow-{footprint.MEASURED_VERSION}.dist-info"
    installed.mkdir()
    (tmp_path / "tensorflow_datasets-4.9.dist-info").mkdir()
    assert version_note() is None
    installed.rename(tmp_path / "tensorflow_cpu-2.99.1.dist-info")
    assert version_note() == "TensorFlow's own memory was measured with 2.21.0; 2.99.1 is installed"


def test_resident_reads_the_status(tmp_path: Path) -> None:
    """VmRSS and VmHWM are bytes, and unknown without /proc."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/status").write_text("Name:\tpython\nVmHWM:\t    20 kB\nVmRSS:\t    10 kB\n")
    assert resident(str(tmp_path)) == footprint.Resident(10240, 20480)
    assert resident(str(tmp_path / "nowhere")) == footprint.Resident(None, None)
