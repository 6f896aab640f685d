"""GPUs of the process that runs a plan: set up in time, there, and really used."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from safedata.budget import judge
from safedata.machine import read_machine
from safedata.memory import HOST, MIB, Place, format_size
from safedata.plan import Plan, make_plan
from safedata.problem import BudgetError, DeviceError, Path, Problem

_FALLBACK: Final = "or write `runtime: {device_fallback: cpu}`, which lets the host do the same"
Devices = Mapping[Place, str]
"""TensorFlow's name for each GPU that a plan names; tests put another device there."""


def crosses(plan: Plan) -> bool:
    """Return whether elements of a plan are carried to a GPU."""
    return any(step.after.place != HOST for step in plan.steps)


def configure(tf: Any, plan: Plan) -> None:
    """Set `runtime.memory_growth` and `runtime.gpu_memory_limit` on every GPU, before TensorFlow starts them.

    Raises:
        DeviceError: SD504, TensorFlow runs already with other settings.
    """
    runtime = plan.program.runtime
    if runtime.memory_growth is None and runtime.gpu_memory_limit is None:
        return
    for gpu in tf.config.list_physical_devices("GPU"):
        if runtime.gpu_memory_limit is not None:
            limit = tf.config.LogicalDeviceConfiguration(memory_limit=runtime.gpu_memory_limit // MIB)
            with _in_time(plan, "gpu_memory_limit", format_size(runtime.gpu_memory_limit)):
                tf.config.set_logical_device_configuration(gpu, [limit])
        elif runtime.memory_growth is not None and _grows(tf, gpu) != runtime.memory_growth:
            with _in_time(plan, "memory_growth", str(runtime.memory_growth).lower()):
                tf.config.experimental.set_memory_growth(gpu, runtime.memory_growth)


def _grows(tf: Any, gpu: Any) -> bool:
    """Return whether TensorFlow takes a GPU's memory as it needs it, as far as it was told so far.

    Nothing said is no growth: `false` is then in force, and TensorFlow would refuse to be told so once it runs.
    """
    forced = os.environ.get("TF_FORCE_GPU_ALLOW_GROWTH", "")
    if forced in ("true", "false"):  # it goes before what a program says
        return forced == "true"
    return bool(tf.config.experimental.get_memory_growth(gpu))


class _in_time:  # noqa: N801  # reads as the statement that it is
    """Turns what TensorFlow says of a setting that comes too late into a problem."""

    def __init__(self, plan: Plan, key: str, value: str) -> None:
        self.plan = plan
        self.key = key
        self.value = value

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if not isinstance(error, (RuntimeError, ValueError)):
            return
        problem = Problem(
            "SD504",
            f"`runtime.{self.key}: {self.value}` comes too late: TensorFlow has set up its GPUs already",
            self.plan.program.document.span(("runtime", self.key)),
            notes=(f"TensorFlow says: {error}",),
            help="load the spec before TensorFlow is used for anything else in the process",
        )
        raise DeviceError([problem]) from error


def settle(tf: Any, plan: Plan, devices: Devices) -> Plan:
    """Return the plan as it can run here: as it is, or with all on the host where the spec allows that.

    Args:
        tf: the TensorFlow module.
        plan: a checked plan.
        devices: names that stand for GPUs, which then are not looked for.

    Raises:
        DeviceError: SD505, there is no such GPU; SD506, a strategy of several replicas is active.
        BudgetError: with all on the host it does not fit.
    """
    if not crosses(plan):
        return plan
    _refuse_strategy(tf, plan)
    place = plan.result.place
    if place in devices or place in _seen(tf):
        return plan
    if plan.program.runtime.device_fallback == "cpu":
        return _on_host(plan)
    raise DeviceError([_no_such(tf, plan, place)])


def _seen(tf: Any) -> list[Place]:
    return [f"gpu:{number}" for number, _ in enumerate(tf.config.list_logical_devices("GPU"))]


def _no_such(tf: Any, plan: Plan, place: Place) -> Problem:
    seen = _seen(tf)
    found = f"it sees {', '.join(seen)}" if seen else "it sees none"
    built = tf.test.is_built_with_cuda() or tf.test.is_built_with_rocm()
    if not built:
        install = "install one that was built for GPUs: `pip install 'tensorflow[and-cuda]'`"
    elif seen:
        install = f"write `device: {seen[-1]}`"
    else:
        install = "install NVIDIA's driver, and CUDA's libraries with `pip install 'tensorflow[and-cuda]'`"
    return Problem(
        "SD505",
        f"the spec runs steps on {place}, and TensorFlow sees no such GPU",
        _span(plan),
        notes=(found,),
        help=f"{install}; {_FALLBACK}",
    )


def _span(plan: Plan) -> Any:
    return plan.program.document.span(_device_path(plan))


def _device_path(plan: Plan) -> Path:
    first = next(step for step in plan.program.steps if step.stage.gpu is not None)
    return (*first.path[:-1], "device")


def _on_host(plan: Plan) -> Plan:
    """Return the plan with all on the host, after it was held against what is free here."""
    program = plan.program
    fallen = make_plan(program, plan.inspected, replace(plan.scope, host_only=True))
    threads = 1 if program.runtime.threads == "auto" else program.runtime.threads
    machine = read_machine(disk_path=program.folder, gpus=False, threads=threads)
    verdict = judge(fallen, machine, program.files[0] if program.files else "<text>")
    if not verdict.fits:
        raise BudgetError([one for one in verdict.problems if one.severity == "error"])
    return fallen


def _refuse_strategy(tf: Any, plan: Plan) -> None:
    """Refuse a strategy of several replicas: it takes batches from the host and deals them out itself."""
    strategy = tf.distribute.get_strategy() if tf.distribute.has_strategy() else None
    replicas = 1 if strategy is None else strategy.num_replicas_in_sync
    if replicas > 1:
        problem = Problem(
            "SD506",
            f"the spec feeds one GPU, and a strategy of {replicas} replicas is active",
            _span(plan),
            help="leave out `device: gpu` and say `runtime: {replicas: "
            f"{replicas}}}`: the strategy carries the batches to its GPUs",
        )
        raise DeviceError([problem])


def refuse_elsewhere(tf: Any, plan: Plan, element: Any, wanted: str) -> None:
    """Refuse an element with a component that is not on the device that the spec asks for.

    Raises:
        DeviceError: SD503, TensorFlow ran it on another device without a word.
    """
    for tensor in tf.nest.flatten(element):
        for found in _devices(tf, tensor):
            if not _same(tf, found, wanted):
                raise DeviceError([_elsewhere(plan, found, wanted)])


def _devices(tf: Any, tensor: Any) -> Iterator[str]:
    yield tensor.device
    if tensor.dtype != tf.int32:  # whose bytes TensorFlow keeps on the host for most operations
        yield tensor.backing_device


def _same(tf: Any, one: str, two: str) -> bool:
    found, wanted = tf.DeviceSpec.from_string(one), tf.DeviceSpec.from_string(two)
    same: bool = (found.device_type, found.device_index) == (wanted.device_type, wanted.device_index)
    return same


def _elsewhere(plan: Plan, found: str, wanted: str) -> Problem:
    return Problem(
        "SD503",
        f"the pipeline was to run on {wanted.strip('/')}, and an element came from {found}",
        _span(plan),
        help=f"see that TensorFlow can use the GPU: `tf.config.list_logical_devices()`; {_FALLBACK}",
    )


def failed(plan: Plan, error: Exception, wanted: str) -> DeviceError:
    """Return what TensorFlow said when it first ran the pipeline's steps on a device."""
    words = str(error).split("\n")[0]
    problem = Problem(
        "SD503",
        f"TensorFlow could not run these steps on {wanted.strip('/')}",
        _span(plan),
        notes=(f"TensorFlow says: {words}",),
        help=f"leave `device` out for the steps that it names; {_FALLBACK}",
    )
    return DeviceError([problem])
