"""A spec under a `tf.distribute` strategy of several input pipelines: `shard: auto` gives each its part."""

from __future__ import annotations

from safedata.plan import Plan
from safedata.problem import Fault
from safedata.program import Program
from safedata.records import replace
from safedata.spec.node import DocumentError
from safedata.spec.pointing import problem_of
from safedata.stages.shard import Shard


def pipelines_of(context: object) -> tuple[int, int]:
    """Return how many input pipelines a strategy has, and the number of this one.

    Args:
        context: a `tf.distribute.InputContext`, or whatever has its `num_input_pipelines` and `input_pipeline_id`.

    Raises:
        TypeError: it has not; or they are not numbers of which the second is below the first.
    """
    count: object = getattr(context, "num_input_pipelines", None)
    index: object = getattr(context, "input_pipeline_id", None)
    if not isinstance(count, int) or not isinstance(index, int) or not 0 <= index < count:
        raise TypeError(f"`input_context` is a tf.distribute.InputContext, not {context!r}")
    return count, index


def followed(program: Program, count: int, index: int) -> Program:
    """Return a program whose `shard: auto` gives the part of one input pipeline.

    Raises:
        DocumentError: SD556, nothing in it follows the context, or a cache on disk stands behind what does.
    """
    if count == 1:
        return program
    auto = [number for number, step in enumerate(program.steps) if _is_auto(step.stage)]
    if not auto:
        message = (
            f"the input context is one of {count}, and no step follows it: each would read all of the data"
        )
        way_out = "add `- shard: auto` directly behind the source, or load the spec without `input_context`"
        raise _error(program, Fault("SD556", message, ("steps",), help=way_out, on_key=True))
    for step in program.steps[auto[0] :]:
        if step.stage.on_disk:
            title = step.stage.title()
            message = (
                f"`{title}` on disk stands behind `shard: auto`, and would be another one for each pipeline"
            )
            way_out = "move `shard: auto` behind it: then all pipelines share one"
            raise _error(program, Fault("SD556", message, step.path, help=way_out, on_key=True))
    for number in auto:
        stage = program.steps[number].stage
        assert isinstance(stage, Shard)
        program = program.with_stage(number, stage.of(count, index))
    return program


def _is_auto(stage: object) -> bool:
    return isinstance(stage, Shard) and stage.count == "auto"


def _error(program: Program, fault: Fault) -> DocumentError:
    return DocumentError([problem_of(fault, program.document)], program.document.texts)


def noted(plan: Plan) -> Plan:
    """Return a plan that says of a `shard: auto` without a context that it is all of it."""
    if not any(_is_auto(step.stage) for step in plan.program.steps):
        return plan
    note = "`shard: auto` is all of the elements: it follows an input context, and none was given"
    return replace(plan, rewrites=(*plan.rewrites, note))
