from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import safedata
from safedata.diagnosis import Examination, Runtime, examine
from safedata.diagnosis.findings import findings
from safedata.machine import Cpus, Free, Gpu, GpuProcess, GpuReport
from safedata.machine.malloc import Malloc
from safedata.machine.running import Used
from safedata.machine.torch import TorchGpu
from safedata.memory import GIB, MIB
from safedata.report.doctor import examination_object, render
from tests.machine import driver

A100 = Gpu(0, "NVIDIA A100", "GPU-a", 40 * GIB, 40 * GIB, (8, 0), 1536 * MIB)
TRAINER = GpuProcess(4242, "/usr/bin/trainer", 9 * GIB)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Examination:
    """This machine as it would be with a free GPU and nothing wrong."""
    found = examine(str(tmp_path_factory.mktemp("cache")), environ={})
    return found._replace(
        gpus=GpuReport((A100,), driver="550.54.15", cuda="12.4", nvml="12.550"),
        host=Free(16 * GIB, ("MemAvailable 16.00 GiB",)),
        cpus=Cpus(4, 4),
        malloc=Malloc("glibc 2.36", None, (), {}),
        kernel=found.kernel._replace(
            overcommit=0, open_files=4096, processes=None, stack=8 * MIB, address_space=None, data=None
        ),
        disk=Free(100 * GIB, ("100.00 GiB free on the file system of `/data`",)),
        installed="2.21.0",
        tensorflow=None,
        torch=None,
        findings=(),
    )


def said(found: Examination, *, loaded: bool = False, **environ: str) -> list[tuple[str, str, str]]:
    """Return code, message and help of each finding, after a look at what every finding must have."""
    problems = list(findings(found, environ, loaded=loaded))
    assert all(one.help and one.code in safedata.problem.CODES for one in problems)
    return [(one.code, one.message, one.help or "") for one in problems]


def test_a_sound_machine(sound: Examination) -> None:
    """Where nothing is wrong there are no findings, and the report has every place."""
    assert said(sound) == []
    text = render(sound)
    for line in (
        "driver 550.54.15, CUDA up to 12.4, NVML 12.550",
        "gpu:0  NVIDIA A100, compute capability 8.0, GPU-a",
        "40.00 GiB of 40.00 GiB is free; TensorFlow would take 37.91 GiB and leave 2.09 GiB",
        "4 to use; threads may run on 4",
        "nothing stands in the way of a pipeline",
    ):
        assert line in text


@pytest.mark.parametrize(
    ("problem", "help_"),
    [
        ("this user may not ask the NVIDIA driver: no permission", "access to `/dev/nvidia*`"),
        (
            "the NVIDIA driver and its library libnvidia-ml.so.1 differ in version; a restart",
            "restart the machine",
        ),
        ("GPU 0 is in MIG mode and has no instance that could be used", "nvidia-smi mig -cgi"),
        ("the NVIDIA driver is not loaded", "modprobe nvidia"),
        ("GPU 0 cannot be used: the NVIDIA driver answers `GPU is lost`", "reset the GPU"),
    ],
)
def test_a_gpu_that_cannot_be_used(sound: Examination, problem: str, help_: str) -> None:
    """What keeps a GPU from working is an error with a way out of its own."""
    [(code, message, way_out)] = said(sound._replace(gpus=GpuReport(problem=problem, broken=True)))
    assert (code, message) == ("SD320", problem)
    assert help_ in way_out


def test_no_gpu_is_no_finding(sound: Examination) -> None:
    """A machine without a driver is fine; one with a driver in the kernel and no library is not."""
    without = sound._replace(gpus=GpuReport(problem="there is no NVIDIA driver here"))
    assert said(without) == []
    [(code, message, _)] = said(without._replace(driver_loaded=True))
    assert code == "SD320"
    assert "the NVIDIA driver is loaded, and its library" in message


def test_who_holds_a_gpu(sound: Examination) -> None:
    """Others are named with what they hold, the process that asks is not; nothing left is an error."""
    own = GpuProcess(1, "python", 30 * GIB, own=True)
    held = replace(A100, free=30 * GIB, processes=(own, GpuProcess(77), TRAINER))
    found = sound._replace(gpus=GpuReport((held,)))
    [problem] = findings(found, {}, loaded=False)
    assert (problem.code, problem.severity) == ("SD321", "warning")
    assert problem.message == "other processes hold 9.00 GiB of gpu:0"
    assert problem.notes == (
        "30.00 GiB of 40.00 GiB is free",
        "process 77 holds an amount that the driver does not tell",
        "process 4242, `/usr/bin/trainer` holds 9.00 GiB",
    )
    assert problem.help == "end process 4242, `/usr/bin/trainer`, or wait for it"
    full = replace(held, free=1 * GIB)
    [problem] = findings(sound._replace(gpus=GpuReport((full,))), {}, loaded=False)
    assert (problem.message, problem.severity) == ("nothing is left for TensorFlow on gpu:0", "error")
    other = replace(A100, index=1, uuid="GPU-b")
    [problem] = findings(sound._replace(gpus=GpuReport((full, other))), {}, loaded=False)
    assert problem.help == "use gpu:1, which has 37.91 GiB: `CUDA_VISIBLE_DEVICES=GPU-b`"
    assert "this process holds 30.00 GiB" in render(found)


@pytest.mark.parametrize(
    ("change", "code", "message", "help_", "severity"),
    [
        ({"installed": None}, "SD407", "TensorFlow is not installed", "pip install tensorflow", "error"),
        ({"host": Free(100 * MIB, ("few",))}, "SD322", "100.00 MiB is free", "and what the pipeline takes", "error"),
        ({"host": Free(None, ("none",))}, "SD322", "nobody can say", "--host 8GiB", "error"),
        ({"cpus": Cpus(2, 64)}, "SD323", "64 CPUs", "TF_NUM_INTEROP_THREADS=2 TF_NUM_INTRAOP_THREADS=2", "warning"),
        ({"malloc": Malloc(None, None, ("libx.so",), {})}, "SD324", "`libx.so`, and it is not", "path", "warning"),
        (
            {"malloc": Malloc(None, None, (), {"MALLOC_ARENA_MAX": "few"})},
            "SD324", "`MALLOC_ARENA_MAX=few` is no number", "MALLOC_ARENA_MAX=2", "warning",
        ),
        ({"disk": Free(0, ("read-only",))}, "SD326", "nothing can be written to", "--cache PATH", "error"),
        ({"disk": Free(5 * MIB, ("few",))}, "SD326", "5.00 MiB is free for caches", "--cache PATH", "warning"),
        (
            {"disk": Free(9 * GIB, ("room", "`/c` may not be written to by this user"))},
            "SD326", "nothing can be written to", "--cache PATH", "error",
        ),
        (
            {"disk": Free(9 * GIB, ("room", "`/c` is a tmpfs: what is written there is taken from host memory"))},
            "SD326", "take host memory", "--cache PATH", "warning",
        ),
        ({"failure": "no module"}, "SD327", "TensorFlow cannot be started", "--force-reinstall", "error"),
    ],
)  # fmt: skip
def test_what_stands_in_the_way(
    sound: Examination, change: dict[str, Any], code: str, message: str, help_: str, severity: str
) -> None:
    """Each thing that is wrong is one finding, with the figures and one thing to do."""
    [problem] = findings(sound._replace(**change), {}, loaded=False)
    assert (problem.code, problem.severity) == (code, severity)
    assert message in problem.message
    assert help_ in (problem.help or "")
    assert sound._replace(findings=(problem,)).fine == (severity == "warning")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"open_files": 256}, "256 files open at once"),
        ({"processes": 100}, "100 processes and threads"),
        ({"stack": GIB}, "1.00 GiB for its stack"),
        ({"overcommit": 2, "commit_left": 100 * MIB}, "the kernel commits 100.00 MiB more"),
    ],
)
def test_limits_of_the_system(sound: Examination, change: dict[str, Any], message: str) -> None:
    """A limit that pipelines run into is said with what it is."""
    [(code, said_, _)] = said(sound._replace(kernel=sound.kernel._replace(**change)))
    assert code == "SD325"
    assert message in said_


def test_what_is_already_done_is_no_finding(sound: Examination) -> None:
    """Threads that are set, and a TensorFlow that holds its memory already, are nothing to change."""
    few = sound._replace(cpus=Cpus(2, 64))
    assert said(few, TF_NUM_INTEROP_THREADS="2", TF_NUM_INTRAOP_THREADS="2") == []
    assert said(sound._replace(host=Free(100 * MIB, ("few",))), loaded=True) == []


def test_tensorflow_without_the_gpu(sound: Examination) -> None:
    """A GPU that the driver shows and TensorFlow does not is an error; with both there is none."""
    blind = Runtime("2.21.0", cuda=False, devices=("CPU:0",), gpus=(), started=False)
    [problem] = findings(sound._replace(tensorflow=blind), {}, loaded=True)
    assert (problem.code, problem.severity) == ("SD327", "error")
    assert problem.notes[1] == "it was built for CPUs only"
    runs = Runtime(
        "2.21.0", cuda=True, devices=("CPU:0", "GPU:0"), gpus=(Used(38 * GIB, GIB, 2 * GIB),), started=True
    )
    found = sound._replace(tensorflow=runs)
    assert said(found) == []
    assert "gpu:0  limit 38.00 GiB, in use 1.00 GiB, at most 2.00 GiB so far" in render(found)
    assert examination_object(found)["tensorflow"]["gpus"] == [  # type: ignore[index]  # an object of JSON
        {"limit": 38 * GIB, "current": GIB, "peak": 2 * GIB}
    ]


class Torch:
    """`torch.cuda` of a process that holds 3 GiB on one GPU and uses 1."""

    def __init__(self, *, started: bool = True) -> None:
        self.reserved = 3 * GIB
        self.started = started

    def is_initialized(self) -> bool:
        return self.started

    def device_count(self) -> int:
        assert self.started
        return 1

    def memory_allocated(self, _: int) -> int:
        return GIB

    def memory_reserved(self, _: int) -> int:
        return self.reserved

    def empty_cache(self) -> None:
        self.reserved = GIB


def test_pytorchs_cached_blocks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where PyTorch runs in this process its unused blocks are told apart, and given back only on request."""
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=Torch()))
    found = safedata.doctor(folder=tmp_path)
    assert found.torch == (TorchGpu(0, GIB, 3 * GIB),)
    messages = [one.message for one in found.findings]
    assert "PyTorch keeps 2.00 GiB of gpu:0 for later, in this process" in messages
    emptied = safedata.doctor(folder=tmp_path, empty_torch_cache=True)
    assert (emptied.emptied, emptied.torch) == (2 * GIB, (TorchGpu(0, GIB, GIB),))
    assert "gave 2.00 GiB back to the driver" in render(emptied)


def test_a_pytorch_without_a_gpu_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """PyTorch is not asked for its GPUs before it has set one up, since that would set it up."""
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=Torch(started=False)))
    found = safedata.doctor(folder=tmp_path, empty_torch_cache=True)
    assert (found.torch, found.emptied) == (None, 0)


def test_nothing_is_imported() -> None:
    """The examination imports neither TensorFlow nor PyTorch nor NumPy."""
    code = (
        "import sys, safedata; safedata.doctor(); print({'tensorflow', 'torch', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.tf
def test_tensorflow_on_request(tf: Any, tmp_path: Path) -> None:
    """With TensorFlow asked for, its version and devices are there."""
    tf.constant(1)
    runtime = safedata.doctor(folder=tmp_path, tensorflow=True).tensorflow
    assert runtime is not None
    assert (runtime.version, runtime.started) == (tf.__version__, True)
    assert "CPU:0" in runtime.devices


SEEN = """
import json, sys, safedata
gpus = safedata.doctor(folder=sys.argv[1]).gpus
first = gpus.gpus[0]
print(json.dumps([gpus.driver, first.uuid, first.total, first.free, first.available]))
"""


@driver.needed
def test_a_gpu_is_known_by_its_figures(tmp_path: Path) -> None:
    """The driver's version, its memory and what TensorFlow would take: of a real GPU, else of a driver made for it."""
    real = bool(safedata.doctor(folder=tmp_path).gpus.gpus)
    environ = None if real else driver.environment(driver.make(tmp_path), "two_gpus")
    done = subprocess.run(
        [sys.executable, "-c", SEEN, str(tmp_path)], env=environ, capture_output=True, text=True, check=True
    )
    version, uuid, total, free, available = json.loads(done.stdout)
    assert version
    assert uuid
    assert total is not None
    assert free is not None
    assert 0 < free <= total
    assert available is not None
