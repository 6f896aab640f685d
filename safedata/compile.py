"""From a plan to a `tf.data.Dataset`: the only module that imports TensorFlow.

Every number is written into the graph. TensorFlow's default rewrites and its autotuning are off, so that what
was estimated is what runs.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import Any, Final

from safedata.internal.output import leaves, rebuild
from safedata.lowering import Lowering
from safedata.plan import Plan
from safedata.problem import DataError, Fault, Problem, SafedataError
from safedata.sources.base import Root
from safedata.types import Tensor


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


@dataclass(slots=True)
class Skips:
    """Which elements `on_error: skip` left out, in the order of their failing."""

    plan: Plan
    most: int
    indices: dict[int, None] = field(default_factory=dict[int, None])
    """An ordered set: an element that fails again in a later epoch counts once."""

    def record(self, index: Any) -> bool:
        """Note one element; called from the graph.

        Raises:
            DataError: more were left out than `runtime.on_error` allows.
        """
        self.indices |= dict.fromkeys(
            int(one) for one in index.reshape(-1)
        )  # a batch that fails is left out whole
        if len(self.indices) > self.most:
            problem = Problem(
                "SD409",
                f"more than {self.most} elements could not be read",
                notes=tuple(self.described()[:5]),
                help="mend the data, or raise `runtime.on_error.skip.max`",
            )
            raise DataError([problem])
        return False

    def described(self) -> list[str]:
        """Return where each element that was left out comes from."""
        return [self.plan.root.describe(index) for index in self.indices]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A dataset, and the elements that it left out while it ran."""

    dataset: Any
    skips: Skips


def compile_plan(plan: Plan) -> Compiled:
    """Return the graph of a plan.

    Raises:
        SafedataError: TensorFlow is not installed.
    """
    tf = tensorflow()
    skips = Skips(plan, plan.scope.max_skipped)
    with tf.device("/CPU:0"):
        dataset = _lower(tf, plan, skips)
        dataset = dataset.with_options(_options(tf, plan))
    _verify(tf, plan, dataset)
    return Compiled(dataset, skips)


def _lower(tf: Any, plan: Plan, skips: Skips) -> Any:
    root = plan.root
    surroundings = Lowering(
        tf,
        plan.steps[0].after,
        plan.steps[0].after,
        plan.scope.seed,
        deterministic=plan.program.runtime.deterministic,
        origin=lambda index: root.origin(tf, index),
        skipped=_recorder(tf, skips) if plan.scope.on_error == "skip" else None,
    )
    dataset = root.lower(surroundings)
    for step in plan.steps[1:]:
        if step.before is None or isinstance(step.node, Root):
            raise TypeError("a plan has one source, at its start")
        low = replace(surroundings, before=step.before, after=step.after, seed=step.seed, parallel=step.calls)
        dataset = step.node.lower(dataset, low)
    return dataset


def _recorder(tf: Any, skips: Skips) -> Any:
    def record(index: Any) -> Any:
        kept = tf.numpy_function(skips.record, [index], tf.bool, stateful=True)
        return tf.ensure_shape(kept, [])

    return record


def _options(tf: Any, plan: Plan) -> Any:
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    options.deterministic = plan.program.runtime.deterministic
    options.threading.private_threadpool_size = plan.scope.cpus
    options.threading.max_intra_op_parallelism = 1
    return options


def _verify(tf: Any, plan: Plan, dataset: Any) -> None:
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
    found = plan.root.diagnose(text)
    code = next(
        (one for one in ("SD501", "SD404", "SD409", "SD403") if one in text), "SD404" if found else "SD502"
    )
    message = _worded(text)
    problem = Problem(
        code,
        f"{found}: {message}" if found else message,
        plan.program.document.span(plan.program.source_path, key=True),
        help="mend or remove it; or `runtime: {on_error: skip}` leaves bad elements out",
    )
    return DataError([problem])


def _worded(text: str) -> str:
    """Return TensorFlow's message without its node names."""
    for start in ("assertion failed: ", "DataError: "):
        if start in text:
            text = text.split(start, 1)[1]
    text = text.split("\n")[0].split(" [[{{")[0].split(" [Op:")[0]
    if text.startswith("{{"):
        text = text.partition("}} ")[2]
    text = text.strip().strip("[]").replace("'", "")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


_LONGEST: Final = 600
"""Characters of TensorFlow's own words that a message repeats."""


__all__ = ["Compiled", "Fault", "Skips", "compile_plan", "components", "run_error", "tensorflow"]
