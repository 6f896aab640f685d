"""The path to a GPU, run for real with a second device of the CPU in the GPU's place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.ops.conformance import encode

pytestmark = pytest.mark.tf


def seen(names: str, *arguments: str) -> dict[str, Any]:
    """Return what `second_device` saw."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.gpu.second_device", names, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """What one process saw of all that is asked below."""
    return seen("devices,equal,drawn,errors,unplaced")


@pytest.fixture(scope="module")
def more(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What another process saw of what takes longer; its folder has a good and a damaged picture."""
    folder: Path = tmp_path_factory.mktemp("photos") / "cats"
    folder.mkdir()
    (folder / "good.jpg").write_bytes(encode("RGB", "JPEG"))
    (folder / "torn.jpg").write_bytes(encode("RGB", "JPEG")[:700])
    return seen("bad_data,in_functions,mirrored,fit", str(folder.parent))


def test_every_component_lies_on_the_device(found: dict[str, Any]) -> None:
    """Each component of each batch is on the device, int32 and a last short batch included; so is the dataset."""
    device = "/job:localhost/replica:0/task:0/device:CPU:1"
    assert found["devices"] == {"components": [device], "dataset": device}


def test_the_host_makes_the_same_of_it(found: dict[str, Any]) -> None:
    """Under `device_fallback: cpu` two epochs, draws included, are those of the device, to the bit."""
    assert found["equal"] == {"batches": 14, "same": True, "spec": True}


def test_nothing_is_made_ahead_but_by_the_prefetch(found: dict[str, Any]) -> None:
    """Options reach both sides: one element is made for one that is taken, and two more with a buffer of two."""
    assert found["drawn"] == {"none": 1, "two": 3}


def test_a_gpu_that_tensorflow_does_not_see_is_an_error(found: dict[str, Any]) -> None:
    """Without leave to fall back, a spec for a GPU does not run where TensorFlow has none."""
    assert (
        "error[SD505]: the spec runs steps on gpu:0, and TensorFlow sees no such GPU"
        in found["errors"]["missing"]
    )
    assert "device_fallback: cpu" in found["errors"]["missing"]


def test_a_silent_fall_back_is_an_error(found: dict[str, Any]) -> None:
    """TensorFlow puts a transfer to a GPU that is not there on the CPU without a word; that is found at once."""
    assert (
        "error[SD503]: the pipeline was to run on GPU:0, and an element came from"
        in found["errors"]["elsewhere"]
    )


def test_a_device_that_cannot_run_it_is_an_error(found: dict[str, Any]) -> None:
    """What TensorFlow says of a device that it cannot use becomes a problem, not a traceback."""
    assert "error[SD503]" in found["errors"]["unknown"]


def test_a_strategy_of_several_replicas_is_refused(found: dict[str, Any]) -> None:
    """A pipeline for one GPU is not built under a strategy that has two."""
    assert (
        "error[SD506]: the spec feeds one GPU, and a strategy of 2 replicas is active"
        in found["errors"]["strategy"]
    )
    assert "replicas: 2" in found["errors"]["strategy"]


@pytest.mark.slow
def test_bad_data_is_named_through_the_transfer(more: dict[str, Any]) -> None:
    """An error of the host's part comes out behind the transfer with the file's name."""
    assert "SD404" in more["bad_data"]
    assert "torn.jpg" in more["bad_data"]


@pytest.mark.slow
def test_loops_inside_a_graph_see_every_element(more: dict[str, Any]) -> None:
    """A loop over the dataset and one over its iterator, inside functions, come to the same sum."""
    assert more["in_functions"] == pytest.approx(0, abs=1e-3)


def test_the_function_runs_where_its_dataset_is(found: dict[str, Any]) -> None:
    """No operation of the function on the device is pinned to another one."""
    assert found["unplaced"] == [""]


@pytest.mark.slow
def test_a_strategy_draws_no_more_than_is_counted(more: dict[str, Any]) -> None:
    """A strategy has drawn the batch in work and at most the three more that `runtime.replicas` counts."""
    assert more["mirrored"] == {"2": 4, "3": 4}


@pytest.mark.slow
def test_a_model_is_fitted_to_it(more: dict[str, Any]) -> None:
    """`model.fit` takes the dataset as it is, and the loss goes down."""
    first, second = more["fit"]
    assert second < first
