from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from safedata.machine import running
from safedata.machine.limits import Gpu, GpuReport
from safedata.memory import GIB, MIB

NAMES = ("/job:localhost/replica:0/task:0/device:GPU:0", "/job:localhost/replica:0/task:0/device:GPU:1")
SEEN = GpuReport((Gpu(0, "NVIDIA A100", free=1 * GIB, total=40 * GIB, reserve=225 * MIB, notes=("a note",)),))


class Fake:
    """A TensorFlow with two GPUs, in the modules that are looked at."""

    def __init__(self, patch: pytest.MonkeyPatch, *, started: bool = True) -> None:
        self.asked = 0
        experimental = SimpleNamespace(get_memory_info=self.memory_info)
        config = SimpleNamespace(list_logical_devices=self.devices, experimental=experimental)
        context = SimpleNamespace(_context=SimpleNamespace(_initialized=started, _handle=None))
        session = SimpleNamespace(
            TF_DeviceListCount=len,
            TF_DeviceListName=lambda names, number: names[number],
            TF_DeviceListMemoryBytes=lambda _, number: (38 - number) * GIB,
            TF_DeleteDeviceList=lambda _: None,
        )
        for name, module in {
            "tensorflow": SimpleNamespace(config=config),
            "tensorflow.python.eager.context": context,
            "tensorflow.python.client.pywrap_tf_session": session,
            "tensorflow.python.pywrap_tfe": SimpleNamespace(TFE_ContextListDevices=lambda _: NAMES),
        }.items():
            patch.setitem(sys.modules, name, module)

    def devices(self, kind: str) -> list[Any]:
        assert kind == "GPU"
        self.asked += 1
        return [SimpleNamespace(name=name) for name in NAMES]

    def memory_info(self, name: str) -> dict[str, int]:
        if name == NAMES[1]:
            raise ValueError("the allocator does not count")
        return {"current": 3 * GIB, "peak": 5 * GIB}


def test_its_own_figures_stand_in_place_of_the_drivers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Free is TensorFlow's limit less what tensors use, nothing is set aside again, and the source is said."""
    Fake(monkeypatch)
    first, second = running.used(SEEN).gpus
    assert (first.name, first.total, first.available) == ("NVIDIA A100", 40 * GIB, 35 * GIB)
    assert first.notes == (
        "TensorFlow runs in this process: its limit of 38.00 GiB less 3.00 GiB in use",
        "a note",
    )
    assert first.as_free().notes[0] == "35.00 GiB free on NVIDIA A100"
    assert (second.index, second.available) == (1, None)
    assert "does not tell its limit" in second.notes[0]


def test_a_tensorflow_that_has_not_started_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking for devices would take the GPUs, so an empty context is left alone and the driver's figures stay."""
    fake = Fake(monkeypatch, started=False)
    assert running.used(SEEN) is SEEN
    assert fake.asked == 0


def test_another_release_without_these_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where TensorFlow keeps its limits elsewhere, what is free stays the driver's figure."""
    Fake(monkeypatch)
    monkeypatch.delitem(sys.modules, "tensorflow.python.client.pywrap_tf_session")
    first = running.used(SEEN).gpus[0]
    assert (first.free, first.reserve) == (GIB, 0)
    assert "does not tell its limit" in first.notes[0]


@pytest.mark.tf
def test_the_real_one_tells_its_limits(tf: Any) -> None:
    """The functions that limits come from are there in this release: the CPU's device has one."""
    tf.constant(1)
    context = running._context()
    assert running._limits(context)["device:CPU:0"] > 0
    assert running.gpus_in_use() is not None
