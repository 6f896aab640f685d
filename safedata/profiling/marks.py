"""A plan with a mark behind each step, so that TensorFlow's view of what runs can be told apart by steps.

TensorFlow's model of a running iterator is a tree of the kinds of datasets in it, without names. A step becomes one
dataset, several, or none, so the kinds alone do not say where a step ends. A mark is a dataset that hands every
element on as it is and stands nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar, Final

from safedata.internal.output import Output
from safedata.internal.transfer import Transfer
from safedata.lowering import Lowering, rewrapped
from safedata.memory import HOST, Hold
from safedata.plan import Plan, PlannedStep
from safedata.scope import Scope
from safedata.stages.base import Node
from safedata.types import Stream

MARK: Final = "AssertNext"
"""What TensorFlow calls a mark: a dataset that asserts which ones come behind it, here none in particular."""


PLACE: Final = "AssertPrev"
"""What TensorFlow calls a place: `n` of them stand between the mark behind input `n` and the combinator."""


class Mark(Node):
    """Hand every element on as it is; takes less than a microsecond and holds nothing."""

    operation: ClassVar[str] = f"{MARK}Dataset"

    def title(self) -> str:
        """Return nothing: no report names it."""
        return ""

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the same stream."""
        return before

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield nothing."""
        yield from ()

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the marked dataset."""
        tf = low.tf
        parts = [_carried(tf, spec) for spec in tf.nest.flatten(data.element_spec)]
        marked = getattr(tf.raw_ops, self.operation)(
            input_dataset=tf.data.experimental.to_variant(data),
            transformations=tf.constant([], tf.string),
            output_types=[dtype for dtype, _ in parts],
            output_shapes=[shape for _, shape in parts],
        )
        return rewrapped(tf, marked, data.element_spec, data)


class Place(Mark):
    """One place between a mark and the combinator that takes its elements."""

    operation: ClassVar[str] = f"{PLACE}Dataset"


def _carried(tf: Any, spec: Any) -> tuple[Any, Any]:
    """Return dtype and shape of the tensor that carries a component; ragged ones are carried in a variant."""
    if isinstance(spec, tf.TensorSpec):
        return spec.dtype, spec.shape
    return tf.variant, tf.TensorShape(None)


def marked(plan: Plan) -> Plan:
    """Return the plan with a mark behind each of its steps, and its place behind that; every number in it stays."""
    places = {step: place for inputs in plan.flow for place, step in enumerate(inputs)}
    steps: list[PlannedStep] = []
    for number, step in enumerate(plan.steps):
        behind = [Mark(), *(Place() for _ in range(places.get(number, 0)))]
        steps += [step, *(PlannedStep(node, None, step.after, step.after, ()) for node in behind)]
    return replace(plan, steps=tuple(steps))


def host_part(plan: Plan) -> Plan:
    """Return the steps of a plan that run on the host: all, or those before elements are carried to a GPU."""
    end = next((number for number, step in enumerate(plan.steps) if _carries(step)), None)
    if end is None:
        return plan
    before = plan.steps[end - 1].after
    structure = {name: name for name in before.visible}
    output = Output(structure)
    after = output.infer(before, plan.scope)
    steps = (*plan.steps[:end], PlannedStep(output, None, before, after, ()))
    return replace(plan, steps=steps, structure=structure)


def _carries(step: PlannedStep) -> bool:
    return isinstance(step.node, Transfer) and step.after.place != HOST
