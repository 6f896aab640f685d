"""Static rules, bytes and verdicts of specs with steps on a GPU, without TensorFlow."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from safedata.budget import Verdict
from safedata.cardinality import exactly
from safedata.device import configure
from safedata.internal.transfer import Transfer
from safedata.memory import GIB, MIB
from safedata.problem import BudgetError, DeviceError, Fault, Problem
from safedata.request import raise_for
from safedata.scope import Scope
from safedata.stages._gpu import block_bytes
from safedata.types import Dim, Stream, Tensor
from tests.gpu import specs
from tests.gpu.specs import check

MAP = "- map: {image: [{cast: float32}, {rescale: [0, 1]}]}\n  device: gpu"
HALF = "- map: {image: [{cast: float16}]}"
RESIZE = "- map: {image: [{resize: [8, 8]}]}"
TEXT = "- map: {label: = as_string(label)}"
OUT = "output: [image, label]"


def errors(verdict: Verdict) -> list[Problem]:
    return [one for one in verdict.problems if one.severity == "error"]


def only(verdict: Verdict) -> Problem:
    [problem] = errors(verdict)
    return problem


def held(verdict: Verdict, place: str) -> dict[str, int]:
    """Return the bytes in a place, by step."""
    assert verdict.plan is not None
    found: dict[str, int] = {}
    for line in verdict.lines:
        if line.hold.place == place:
            name = "process" if line.step is None else verdict.plan.steps[line.step].title
            found[name] = found.get(name, 0) + (line.hold.bytes or 0)
    return found


WRONG = [
    (f"{MAP}\n- shuffle: 9", "SD210", "`shuffle` runs on the CPU", "before `map` with `device: gpu`", 7),
    (f"{MAP}\n- repeat: 2", "SD210", "`repeat` runs on the CPU", "move it before `map`", 7),
    (f"{MAP}\n{HALF}", "SD210", "`map` runs on the CPU", "give it `device: gpu` too", 7),
    (f"{MAP}\n- prefetch: 2\n{HALF}\n  device: gpu", "SD210", "behind `prefetch`", "before `prefetch`", 8),
    (f"{MAP}\n- prefetch: 2\n  device: cpu", "SD210", "`prefetch` runs on the CPU", "before", 7),
    (f"{RESIZE}\n  device: gpu", "SD211", "no GPU kernel for `resize` on uint8", "without `device`", 5),
    (f"{TEXT}\n  device: gpu", "SD211", "makes text", "without `device`", 5),
    (f"{MAP}:1\n{HALF}\n  device: gpu", "SD213", "`map` is on gpu:0, and the elements", "gpu:1", 8),
    (f"{MAP}\n  parallel: 4", "SD213", "`parallel: 4` says nothing on a GPU", "remove `parallel`", 7),
    (f"{MAP}x", "SD105", "`gpux` is not a device", "", 6),
    ("- take: 9\n  device: gpu", "SD103", "`take` takes no `device`", "remove", 6),
]
"""Steps behind a batch, with code, a piece of the message and of the help, and the line."""


@pytest.mark.parametrize(("steps", "code", "message", "way_out", "line"), WRONG)
def test_what_makes_no_sense_on_a_gpu(steps: str, code: str, message: str, way_out: str, line: int) -> None:
    """A step on the CPU behind a GPU's, an operation without a kernel, two GPUs: an error at its place."""
    found = only(check(f"- batch: 8\n{steps}", OUT, gpu=["24GiB", "24GiB"]))
    assert found.code == code
    assert message in found.message
    assert way_out in (found.help or "")
    assert found.span is not None
    assert found.span.line == line


def test_text_stays_behind() -> None:
    """A string that leaves cannot be carried over; one that serves the host's steps alone is left there."""
    found = only(check(f"- batch: 8\n{MAP}"))
    assert (found.code, found.message) == ("SD212", "`name` is text, which no GPU holds")
    assert found.help == "leave `name` out of `output`, or turn it into numbers before this step"
    fine = check(f"- filter: name != 'x'\n- batch: 8\n{MAP}", OUT)
    assert fine.plan is not None
    carried = next(step for step in fine.plan.steps if step.title == "copy_to_device")
    assert sorted(carried.after.element) == ["image", "label"]


def test_ragged_components_stay_behind() -> None:
    """A ragged component is refused at the device, with the way to make it dense."""
    rows = Tensor("int64", (Dim.exactly(8), Dim.at_most(4)), ragged_rank=1)
    transfer = Transfer("gpu:0", frozenset({"rows"}), ("steps", 1, "device"))
    with pytest.raises(Fault, match="`rows` is ragged") as caught:
        transfer.infer(Stream({"rows": rows}, exactly(9), batch_dims=1), Scope(""))
    assert (caught.value.code, caught.value.at) == ("SD212", ("steps", 1, "device"))
    assert "padded_batch" in (caught.value.help or "")


def test_one_by_one_is_a_warning() -> None:
    """Elements that cross without a batch are carried over all the same, with a warning."""
    verdict = check(MAP, OUT)
    assert verdict.fits
    assert "SD214" in {one.code for one in verdict.problems}


@pytest.mark.parametrize("more", ["", specs.FALLBACK])
def test_the_static_rules_are_the_same_without_a_gpu(more: str) -> None:
    """What is wrong with a spec for a GPU is wrong on a laptop that falls back."""
    verdict = check(f"- batch: 8\n{MAP}\n- shuffle: 9", f"{OUT}\n{more}", gpu=None)
    assert [one.code for one in errors(verdict)] == ["SD210"]


def test_blocks_round_as_the_allocator_does() -> None:
    """A block is a multiple of 256 B, and up to twice as large, or 128 MiB larger, where none was split."""
    assert block_bytes(1) == 512
    assert block_bytes(256) == 512
    assert block_bytes(257) == 1024
    assert block_bytes(GIB) == GIB + 128 * MIB
    assert block_bytes(None) is None


def test_the_batches_on_the_gpu() -> None:
    """The GPU holds n batches ready, one handed on and one in work, the one carried over, and the map's own."""
    found = held(check(f"- batch: {{size: 8, drop_remainder: true}}\n{MAP}\n- prefetch: 3", OUT), "gpu:0")
    before, after = 2 * (8 * 64 * 64 * 3 + 256), 2 * (8 * 64 * 64 * 3 * 4 + 256)
    assert found["copy_to_device"] == before
    assert found["prefetch"] == 4 * after
    assert found["process"] == after
    assert found["map"] >= 2 * 8 * 64 * 64 * 3 * 4  # the result, and float32 copies on the way


def test_what_the_transfer_holds_on_the_host() -> None:
    """The host holds pinned memory of twice the blocks and 2 MiB, an iterator more, and CUDA's allowance."""
    found = held(check(f"- batch: {{size: 8, drop_remainder: true}}\n{MAP}", OUT), "host")
    assert found["copy_to_device"] >= 4 * 8 * 64 * 64 * 3 + 2 * MIB
    assert found["process"] >= 2 * GIB


def test_a_prefetch_alone_can_carry_over() -> None:
    """`prefetch` with `device: gpu` needs no map: the batches cross as they are."""
    verdict = check("- batch: 8\n- prefetch: 1\n- prefetch: 2\n  device: gpu", OUT)
    assert verdict.fits
    assert verdict.plan is not None
    assert [step.title for step in verdict.plan.steps[-4:]] == [
        "prefetch",
        "copy_to_device",
        "output",
        "prefetch",
    ]


def test_a_machine_without_a_gpu_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no GPU is seen the bytes for it cannot be promised, and the help names the ways out."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")  # hides the GPUs of a machine that has some
    verdict = check(f"- batch: 8\n{MAP}", OUT, gpu=None)
    assert verdict.machine is not None
    assert not verdict.machine.gpus
    found = only(verdict)
    assert found.code == "SD302"
    assert "on gpu:0, and this machine shows no such GPU" in found.message
    assert "device_fallback: cpu" in (found.help or "")
    with pytest.raises(BudgetError, match="shows no such GPU"):
        raise_for(verdict)


def test_a_second_gpu_that_is_not_there() -> None:
    """A machine with one GPU has no gpu:1."""
    assert "on gpu:1, and this machine shows no such GPU" in only(check(f"- batch: 8\n{MAP}:1", OUT)).message


def test_the_fallback_counts_on_the_host() -> None:
    """Under `device_fallback: cpu` the GPU's part is the host's where there is no GPU, and only there."""
    steps = f"- batch: {{size: 8, drop_remainder: true}}\n{MAP}\n- prefetch: 2"
    more = f"{OUT}\n{specs.FALLBACK}"
    there, here = check(steps, more), check(steps, more, gpu=[])
    assert there.fits
    assert here.fits
    assert held(there, "gpu:0")["map"] > 0
    assert "gpu:0" not in here.places
    batch = 8 * 64 * 64 * 3 * 4
    assert held(here, "host")["prefetch"] >= 2 * batch
    assert held(here, "host")["map"] >= 2 * batch
    assert "prefetch" not in held(there, "host")


def test_the_model_has_its_share() -> None:
    """`budget.reserve.gpu` and `runtime.gpu_memory_limit` leave less for the pipeline."""
    steps = f"- batch: 8\n{MAP}"
    free = check(steps, OUT).places["gpu:0"].limit
    kept = check(steps, f"{OUT}\nbudget: {{reserve: {{gpu: 12GiB}}}}").places["gpu:0"].limit
    capped = check(steps, f"{OUT}\nruntime: {{gpu_memory_limit: 4GiB}}").places["gpu:0"].limit
    assert free is not None
    assert kept == free - 12 * GIB
    assert capped == 4 * GIB


@pytest.mark.parametrize(("more", "fits"), [("", True), ("runtime: {replicas: 2}", False)])
def test_the_reserve_is_kept_on_the_gpus_that_are_fed(more: str, fits: bool) -> None:
    """`budget.reserve.gpu` is the model's, which is where the batches go: a full GPU beside them is none of its."""
    size, map_ = ("{size: 8, drop_remainder: true}", "") if more else ("8", f"\n{MAP}")
    steps = f"- batch: {size}{map_}\n- prefetch: 2"
    verdict = check(steps, f"{OUT}\nbudget: {{reserve: {{gpu: 12GiB}}}}\n{more}", gpu=["22GiB", "1GiB"])
    assert verdict.fits is fits
    found = [verdict.places[f"gpu:{number}"] for number in (0, 1)]
    assert [(one.free or 0) - (one.limit or 0) for one in found] == [12 * GIB, found[1].free if more else 0]
    assert [any("budget.reserve" in note for note in one.notes) for one in found] == [True, bool(more)]
    if not fits:
        assert only(verdict).message.startswith("the reserve of 12.00 GiB on gpu:1 alone is over the ")


def test_too_large_for_the_gpu_has_a_number_that_fits() -> None:
    """A batch that is too large for the GPU is SD302, with a smaller one that fits."""
    found = only(check(f"- batch: 512\n{MAP}\n- prefetch: 2", f"{OUT}\nbudget: {{gpu: 64MiB}}"))
    assert found.code == "SD302"
    assert "on gpu:0" in found.message
    assert "batch:" in (found.help or "")


def test_replicas_are_counted_on_every_gpu() -> None:
    """`runtime.replicas: 2` holds three parts of a batch on each GPU, and three batches more on the host."""
    steps = "- batch: {size: 8, drop_remainder: true}\n- prefetch: 2"
    verdict = check(steps, f"{OUT}\nruntime: {{replicas: 2}}", gpu=["24GiB", "24GiB"])
    assert verdict.fits
    part = 3 * (2 * 4 * 64 * 64 * 3 + 2 * 256)
    assert held(verdict, "gpu:0") == held(verdict, "gpu:1") == {"deal out to 2": part}
    assert held(verdict, "host")["deal out to 2"] >= 3 * 8 * 64 * 64 * 3


@pytest.mark.parametrize(
    ("steps", "message"),
    [(f"- batch: 8\n{MAP}", "`replicas: 2` asks for several"), ("- take: 9", "and there are none")],
)
def test_replicas_take_batches_from_the_host(steps: str, message: str) -> None:
    """A strategy splits batches, and takes them from the host."""
    found = only(check(steps, f"{OUT}\nruntime: {{replicas: 2}}", gpu=["24GiB", "24GiB"]))
    assert found.code == "SD213"
    assert message in found.message


class Config:
    """TensorFlow's settings of one GPU, before or after it was started."""

    def __init__(self, started: bool) -> None:
        self.started = started
        self.growth: list[bool] = []
        self.limits: list[int] = []
        self.experimental = SimpleNamespace(set_memory_growth=self._grow, get_memory_growth=lambda gpu: None)

    def list_physical_devices(self, kind: str) -> list[str]:
        assert kind == "GPU"
        return ["GPU:0"]

    def LogicalDeviceConfiguration(self, memory_limit: int) -> int:  # noqa: N802  # TensorFlow's name
        return memory_limit

    def set_logical_device_configuration(self, gpu: str, limits: list[int]) -> None:
        self._refuse()
        self.limits += limits

    def _grow(self, gpu: str, on: bool) -> None:
        self._refuse()
        self.growth.append(on)

    def _refuse(self) -> None:
        if self.started:
            raise RuntimeError("Physical devices cannot be modified after being initialized")


@pytest.mark.parametrize(
    ("runtime", "growth", "limits"),
    [("memory_growth: true", [True], []), ("gpu_memory_limit: 3GiB", [], [3072]), ("seed: 1", [], [])],
)
def test_settings_are_made_in_time(runtime: str, growth: list[bool], limits: list[int]) -> None:
    """`memory_growth` and `gpu_memory_limit` are set on every GPU, and nothing is where nothing is said."""
    plan: Any = check("- batch: 8", f"runtime: {{{runtime}}}").plan
    config = Config(started=False)
    configure(SimpleNamespace(config=config), plan)
    assert (config.growth, config.limits) == (growth, limits)


@pytest.mark.parametrize("runtime", ["memory_growth: true", "gpu_memory_limit: 3GiB"])
def test_settings_that_come_too_late_are_an_error(runtime: str) -> None:
    """Once TensorFlow has started its GPUs a setting that differs is SD504, at its place."""
    plan: Any = check("- batch: 8", f"runtime: {{{runtime}}}").plan
    with pytest.raises(DeviceError, match=r"SD504\]: `runtime\..* comes too late"):
        configure(SimpleNamespace(config=Config(started=True)), plan)


@pytest.fixture
def running(tf: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """TensorFlow's own record of a GPU's settings in a process where it runs, though there is no GPU."""
    context: Any = importlib.import_module("tensorflow.python.eager.context").context()
    context.ensure_initialized()
    gpu = tf.config.PhysicalDevice("/physical_device:GPU:0", "GPU")
    monkeypatch.setattr(context, "_physical_devices", [*context._physical_devices, gpu])
    monkeypatch.setattr(context, "_memory_growth_map", {gpu: None})
    monkeypatch.setattr(context, "_virtual_device_map", dict(context._virtual_device_map))
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [gpu])
    monkeypatch.delenv("TF_FORCE_GPU_ALLOW_GROWTH", raising=False)
    return SimpleNamespace(tf=tf, gpu=gpu, context=context)


def configured(running: Any, runtime: str) -> bool:
    """Whether TensorFlow takes the settings of a spec that comes once it runs."""
    plan: Any = check("- batch: 8", f"runtime: {{{runtime}}}").plan
    try:
        configure(running.tf, plan)
    except DeviceError:
        return False
    return True


@pytest.mark.tf
def test_settings_that_are_in_force_already_are_never_too_late(running: Any) -> None:
    """What TensorFlow has been told, or does by itself, may be said again once it runs; anything else is SD504."""
    assert configured(running, "memory_growth: false")
    assert not configured(running, "memory_growth: true")
    assert not configured(running, "gpu_memory_limit: 3GiB")
    running.context._memory_growth_map[running.gpu] = True
    assert configured(running, "memory_growth: true")
    assert not configured(running, "memory_growth: false")
    limit = running.tf.config.LogicalDeviceConfiguration(memory_limit=3072)
    running.context._virtual_device_map[running.gpu] = [limit]
    assert configured(running, "gpu_memory_limit: 3GiB")
    assert not configured(running, "gpu_memory_limit: 4GiB")


@pytest.mark.tf
def test_growth_that_the_environment_forces_is_in_force(
    running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`TF_FORCE_GPU_ALLOW_GROWTH` goes before what a program says, so that growth is on already."""
    monkeypatch.setenv("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    assert configured(running, "memory_growth: true")


def test_growth_and_a_limit_exclude_each_other() -> None:
    """TensorFlow takes a limit at once, so that growth beside it would do nothing."""
    found = only(check("- batch: 8", "runtime: {memory_growth: true, gpu_memory_limit: 3GiB}"))
    assert "`memory_growth` does nothing beside `gpu_memory_limit`" in found.message
    assert found.help == "write one of the two"
