"""From a plan to a `tf.data.Dataset`: the only module that imports TensorFlow.

Every number is written into the graph. TensorFlow's default rewrites and its autotuning are off, so that what
was estimated is what runs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from safedata import allocator
from safedata.cardinality import UNKNOWN
from safedata.internal.crossing import Crossing
from safedata.internal.epochs import giving_back
from safedata.internal.iterator import iterating
from safedata.internal.output import leaves, rebuild
from safedata.internal.transfer import Transfer
from safedata.lowering import Lowering, Values
from safedata.memory import HOST, Place
from safedata.phases import damaged_cache
from safedata.plan import Plan, PlannedStep
from safedata.problem import DataError, Fault, Problem, SafedataError
from safedata.said import worded
from safedata.skips import Skips, surroundings
from safedata.sources.base import Root
from safedata.spec.node import DocumentError
from safedata.spec.pointing import problem_of
from safedata.store.entry import MADE_ANEW
from safedata.types import Stream, Tensor

if TYPE_CHECKING:
    from safedata.materialise import Spread, Told


def tensorflow() -> Any:
    """Import and return TensorFlow.

    Raises:
        SafedataError: TensorFlow is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        import tensorflow as tf
    except ModuleNotFoundError as error:
        if error.name != "tensorflow":
            raise
        problem = Problem("SD407", "TensorFlow is not installed", help="install it: `pip install tensorflow`")
        raise MissingPackageError(problem) from None
    return tf


class MissingPackageError(SafedataError, ImportError):
    """A package that a command needs is not installed."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(f"{problem.message}; {problem.help}")


@dataclass(frozen=True, slots=True)
class Compiled:
    """A dataset, and the elements that it left out while it ran."""

    dataset: Any
    skips: Skips
    plan: Plan
    """What it was made of: with all on the host where there was no GPU and the spec allows that."""
    lower: Lower
    """What made it, with the dataset behind each step."""


def compile_plan(
    plan: Plan,
    devices: Mapping[Place, str] | None = None,
    told: Told | None = None,
    spread: Spread | None = None,
) -> Compiled:
    """Return the graph of a plan, after what it keeps on disk was written where it is not there.

    Args:
        plan: a checked plan.
        devices: TensorFlow's names of devices that stand for GPUs; by default the GPUs themselves.
        told: is told how far the writing is.
        spread: has what is written made by several processes; one makes it unless given.

    Raises:
        SafedataError: TensorFlow is not installed.
        DataError: what is kept on disk cannot be made, written or read.
        DeviceError: a GPU is not there, is not used, or was set up too late.
    """
    from safedata import device
    from safedata.machine import calibration

    unmeasured = calibration.wanted()
    tf = tensorflow()
    allocator.choose(plan.scope.pooled)
    device.configure(tf, plan)
    if unmeasured:
        calibration.observe(tf)
    whole = device.settle(tf, plan, devices or {})
    plan = ready(tf, whole, told, spread)
    skips = Skips.of(plan)
    with allowing(plan), tf.device("/CPU:0"):
        lower = Lower(tf, plan, skips, devices or {})
        dataset = lower.dataset().with_options(lower.options)
        if device.crosses(plan):
            lower.try_device()
    verify(tf, plan, dataset)
    return Compiled(giving_back(tf, iterating(tf, dataset)), skips, whole, lower)


def ready(tf: Any, plan: Plan, told: Told | None = None, spread: Spread | None = None) -> Plan:
    """Return the part of a plan whose elements leave it, after the parts before it have written what it reads.

    Args:
        tf: the TensorFlow module.
        plan: a checked plan; one that keeps nothing on disk is returned as it is.
        told: is told how far the writing is.
        spread: has what is written made by several processes.

    Raises:
        DataError: what is kept on disk cannot be made, written or read.
    """
    if not any(getattr(step.node, "shelves", False) for step in plan.steps):
        return plan
    from safedata import materialise

    return materialise.ready(plan, materialise.Making(tf, compile_plan, run_error, told, spread))


@contextmanager
def allowing(plan: Plan) -> Generator[None, None, None]:
    """Let the graph have the functions of the modules that the caller allows, and no others.

    Raises:
        SpecError: one of them cannot be imported, or is not what the spec says.
    """
    if not plan.program.allow:
        yield
        return
    from safedata.external import allowing as external

    try:
        with external.allowing(plan.program.allow):
            yield
    except Fault as fault:
        document = plan.program.document
        raise DocumentError([problem_of(fault, document)], document.texts) from fault.__cause__


class Lower:
    """Lowers the steps of one plan."""

    def __init__(self, tf: Any, plan: Plan, skips: Skips, devices: Mapping[Place, str]) -> None:
        self.tf = tf
        self.plan = plan
        self.devices = devices
        self.options = _options(tf, plan)
        self.surroundings = surroundings(tf, plan, skips)
        """By the input that a step belongs to."""
        self.behind: list[Any] = []
        """The dataset behind each step."""
        self.renewed: list[list[Any]] = []
        """For each step the datasets of which a new iterator takes the next numbers of a seed's sequence."""
        self.mixed_in = int(tf.compat.v1.get_seed(0)[0])
        """The program's own seed, of `tf.random.set_seed`, which TensorFlow mixes into these."""

    def dataset(self) -> Any:
        """Return the dataset of all steps."""
        for step, numbers in zip(self.plan.steps, self.plan.flow, strict=True):
            self.renewed.append([])
            low = replace(self._low(step), renewed=self.renewed[-1])
            self.behind.append(self.put(step, [self.behind[number] for number in numbers], low))
        return self.behind[-1]

    def put(self, step: PlannedStep, inputs: Sequence[Any], low: Lowering | None = None) -> Any:
        """Return the dataset of a step over those that it takes its elements from.

        Raises:
            Fault: a function that the spec names cannot be had.
        """
        low = self._low(step) if low is None else low
        try:
            if isinstance(step.node, Root):
                return step.node.lower(replace(low, inputs=tuple(inputs)))
            return self._steps(inputs[0], [step], low)
        except Fault as fault:  # of a function that the spec names
            raise fault.under(*(step.path or ())) from fault.__cause__

    def goes_on(self, step: PlannedStep, inputs: Sequence[Any], first: int, renewed: list[Any]) -> Any:
        """Return the same where the first elements do not come in: how many there are is not as was planned.

        Args:
            step: one of the plan's.
            inputs: the datasets that it takes its elements from, without their first elements.
            first: how many of them are left out; for a source, how many of its own.
            renewed: takes the datasets of which a new iterator takes the next numbers of a seed's sequence.
        """
        after = replace(step.after, cardinality=UNKNOWN)
        return self.put(step, inputs, replace(self._low(step), after=after, first=first, renewed=renewed))

    def _low(self, step: PlannedStep) -> Lowering:
        before = step.after if step.before is None else step.before
        around, recorder = self.surroundings[step.input]
        skipped = recorder.at(self.plan, step)
        return replace(
            around, before=before, after=step.after, seed=step.seed, parallel=step.calls, skipped=skipped
        )

    def _steps(self, dataset: Any, steps: Sequence[PlannedStep], low: Lowering | None = None) -> Any:
        """Return a dataset with these steps behind it, none of them a source."""
        for step in steps:
            if isinstance(step.node, Root):
                raise TypeError("a source stands behind no other step")
            if isinstance(step.node, Transfer) and step.after.place != HOST:
                behind = dataset.with_options(self.options)
                dataset = Crossing(self.tf, behind, step.node.names, self._target(step.after.place))
                continue
            if step.node.remote:
                dataset = dataset.with_options(self.options)  # which end with the graph that workers get
            dataset = step.node.lower(dataset, self._low(step) if low is None else low)
        return dataset

    def _target(self, place: Place) -> str:
        return self.devices.get(place) or f"/{place.upper()}"

    def try_device(self) -> None:
        """Run what stands behind the transfer once, on an element of ones, and see where the result lies.

        The data's own first element would do as well, at the cost of filling every buffer before it, and the
        epochs' draws would then start with the second epoch's.

        Raises:
            DeviceError: SD503, it did not run on the device, or not at all.
        """
        from safedata import device

        steps = self.plan.steps
        number = next(i for i, step in enumerate(steps) if isinstance(step.node, Transfer))
        wanted = self._target(steps[number].after.place)
        probe = self._steps(_ones(self.tf, steps[number].after), steps[number:]).with_options(self.options)
        try:
            first = next(iter(probe))
        except self.tf.errors.OpError as error:
            raise device.failed(self.plan, error, wanted) from error
        device.refuse_elsewhere(self.tf, self.plan, first, wanted)


def _ones(tf: Any, stream: Stream) -> Any:
    """Return a dataset of one element of a stream's type: as small as its static shape allows, and all ones."""
    shapes = {name: tensor.static_shape for name, tensor in stream.element.items()}
    one = {
        name: tf.ones([size or 1 for size in shapes[name]], tensor.dtype)
        for name, tensor in stream.element.items()
    }

    def loosened(values: Values) -> Values:
        return {
            name: tf.raw_ops.PlaceholderWithDefault(input=value, shape=shapes[name])
            for name, value in values.items()
        }

    return tf.data.Dataset.from_tensors(one).map(tf.autograph.experimental.do_not_convert(loosened))


def _options(tf: Any, plan: Plan) -> Any:
    options = tf.data.Options()
    options.autotune.enabled = False
    # No number here is left to AUTOTUNE; were one, this would hold it. `enabled` alone does not: a
    # `prefetch(AUTOTUNE)` grew to 16 elements of 1 MiB in 300 steps with pauses, to 4 under a budget of 4 MiB.
    options.autotune.ram_budget = ram_budget(plan)
    options.experimental_optimization.apply_default_optimizations = False
    options.deterministic = plan.program.runtime.deterministic
    options.threading.private_threadpool_size = plan.scope.cpus
    options.threading.max_intra_op_parallelism = 1
    return options


def ram_budget(plan: Plan) -> int:
    """Return what the plan's own steps hold of host memory, in bytes: more no buffer of the graph may grow to."""
    holds = [hold.bytes or 0 for step in plan.steps for hold in step.holds if hold.place == HOST]
    return max(1, sum(holds))


def verify(tf: Any, plan: Plan, dataset: Any) -> None:
    """Hold TensorFlow's own type of the dataset against the plan's; a difference is a bug of safedata."""
    result = plan.result
    promised = rebuild(plan.structure, lambda name: _spec(tf, result.element[name]))
    if dataset.element_spec != promised:
        raise AssertionError(f"planned {promised}, and TensorFlow made {dataset.element_spec}")


def _spec(tf: Any, tensor: Tensor) -> Any:
    if tensor.ragged_rank:
        return tf.RaggedTensorSpec(tensor.static_shape, tensor.dtype, tensor.ragged_rank)
    return tf.TensorSpec(tensor.static_shape, tensor.dtype)


def components(plan: Plan) -> list[str]:
    """Return the names of the components that leave, in the order of the output's structure."""
    return [name for _, name in leaves(plan.structure)]


def run_error(error: Exception, plan: Plan) -> DataError:
    """Return what TensorFlow said at run time as an error that names the file, as far as that can be found."""
    # TensorFlow's message quotes the bytes of a bad record as they are; then Python cannot make an error of it.
    raw = error.object if isinstance(error, UnicodeDecodeError) else None
    text = str(error) if raw is None else f"SD404: {raw.decode('utf-8', 'backslashreplace')}"
    if "SD512: " in text or "SD511: " in text:
        from safedata.external.running import cause_of

        error.__cause__ = cause_of(text) or error.__cause__
    found = plan.root.diagnose(text)
    code = next(
        (
            one
            for one in ("SD501", "SD511", "SD512", "SD251", "SD404", "SD414", "SD409", "SD403")
            if one in text
        ),
        "SD404" if found else "SD502",
    )
    message = worded(text)
    way_out: str | None = _way_out(text, code, plan.inspected.declare)
    if own := re.fullmatch(r"error\[(SD[0-9]{3})\]: (.*?)(?: \(help: (.*)\))?", message):
        code, message, way_out = own.groups()  # a problem that was raised while the graph ran
    message = message.removeprefix(f"{code}: ")
    at = plan.program.source_path
    if (cache := damaged_cache(text, plan)) is not None:
        at, way_out = cache, MADE_ANEW
    span = plan.program.document.span(at, key=True)
    return DataError([Problem(code, f"{found}: {message}" if found else message, span, help=way_out)])


_LEAVE_OUT: Final = "`runtime: {on_error: skip}` leaves bad elements out"


_OF_FUNCTIONS: Final = {
    "SD251": "give it more time with `timeout_s`, or mend the function, or the data that it gets",
    "SD511": "make the function return what the spec declares, or declare what it returns",
    "SD512": "mend the function, or the data that it gets",
}


def _way_out(text: str, code: str, declare: str) -> str:
    """Return what helps; where an element was over a bound, by what the message says that the bound rests on."""
    if code in _OF_FUNCTIONS:
        way_out = _OF_FUNCTIONS[code]
        # no generator goes on after that
        of_source = re.search(r", in (?:element [0-9]+ of )?the source", text)
        return way_out if of_source else f"{way_out}; or {_LEAVE_OUT}"
    if code != "SD501":
        return f"mend or remove it; or {_LEAVE_OUT}"
    if "(sampled)" in text:
        measuring = "the bound came from a sample: `safedata measure` on this spec finds the true one"
        return f"{measuring}{_declaring(text, declare)}; or {_LEAVE_OUT}"
    if "(measured)" in text:
        return f"the data has changed since it was checked: run the check again; or {_LEAVE_OUT}"
    size = _found(text)
    larger = f"declare a larger bound, {size} at least," if size else "declare a larger bound"
    return f"{larger} and check again, since the peak grows with it; or {_LEAVE_OUT}"


def _declaring(text: str, declare: str) -> str:
    """Return the declaration to write in place of a sample's bound, with the number that was found."""
    size = _found(text)
    return f"; or declare {size} at least, where the sample says {declare}" if declare and size else ""


def _found(text: str) -> str | None:
    """Return the size that an element over a bound has, as specs write it; None where the message says none."""
    found = re.search(r"; (?:got|its header says)\W+(\d[\d ]*)", text)
    if not found:
        return None
    numbers = found[1].split()
    return numbers[0] if len(numbers) == 1 else f"[{', '.join(numbers)}]"


__all__ = [
    "Compiled",
    "Fault",
    "Lower",
    "Skips",
    "compile_plan",
    "components",
    "ready",
    "run_error",
    "tensorflow",
]
