"""Chains that start from an expression, `{from: "= label - 1"}`, and outputs that are nested."""

from __future__ import annotations

from typing import Any

import pytest

import safedata
from safedata.internal.fused import Fused
from safedata.stages.base import ElementNode
from safedata.stages.map import Map

SPEC = """\
safedata: 1
source: {range: 9}
steps:
  - map: {x: "= float32(value) - 4"}
"""


def rows(*lines: str) -> list[dict[str, Any]]:
    """Return the elements of a spec with these steps behind."""
    text = SPEC + "".join(f"{line}\n" for line in lines)
    return list(safedata.load(text, host="8GiB").as_numpy_iterator())


def faults(*lines: str) -> list[tuple[str, str]]:
    """Return the errors that a check finds, each with the piece of the text that it points at."""
    text = SPEC + "".join(f"{line}\n" for line in lines)
    verdict = safedata.check(text, host="8GiB")
    shown = text.splitlines()
    return [
        (p.code, shown[p.span.line - 1][p.span.column - 1 : p.span.end_column - 1])
        for p in verdict.problems
        if p.severity == "error" and p.span
    ]


@pytest.mark.tf
def test_a_chain_goes_on_from_an_expression() -> None:
    """An expression in front of operations gives what a map with the expression before them gives."""
    one = rows('  - map: {y: [{from: "= x * x + value"}, {clip: [5, 20]}, {cast: int32}]}')
    two = rows("  - map: [{y: = x * x + value}, {y: [{clip: [5, 20]}, {cast: int32}]}]")
    assert one == two
    assert len({int(row["y"]) for row in one}) > 3


@pytest.mark.tf
def test_it_takes_batches_and_draws() -> None:
    """Behind `batch` it computes for each element, and a draw is the element's whatever the batch."""
    line = '  - map: {y: [{from: "= x + uniform(0, 1)"}, {expand_dims: 0}]}'
    alone = [row["y"].tolist() for row in rows(line)]
    batched = [y for row in rows("  - batch: 4", line) for y in row["y"].tolist()]
    assert alone == batched
    assert all(x - 4 <= y[0] < x - 3 for x, y in enumerate(alone))


def test_its_bytes_are_the_expression_s() -> None:
    """A chain that starts from an expression is bounded like the expression on its own."""
    held: list[int] = []
    for line in (
        '  - map: {y: "= stack(value, value * 2, value * 3)"}',
        '  - map: {y: {from: "= stack(value, value * 2, value * 3)"}}',
    ):
        plan = safedata.check(f"{SPEC}{line}\n", host="8GiB").plan
        assert plan is not None
        [_, last] = [step for step in plan.steps if step.title.startswith("map")]
        held.append(sum(hold.bytes or 0 for hold in last.holds))
    assert held[0] == held[1] > 0


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ('  - map: {y: [{from: "= x + z"}, sort]}', [("SD201", '"= x + z"')]),
        ('  - map: {y: [{from: "= x +"}, sort]}', [("SD120", "+")]),
        ('  - map: {y: [{from: "= 2"}, {cast: int32}]}', [("SD216", '"= 2"')]),
        ("  - map: {y: [{from: \"= x + 'a'\"}, sort]}", [("SD208", "'a'")]),
        ('  - map: {y: [{from: "= x"}, sorted]}', [("SD106", "sorted")]),
        ('  - map: {"y, z": [{from: "= x"}]}', [("SD216", '"y, z"')]),
    ],
)
def test_a_fault_lies_inside_the_text(line: str, wanted: list[tuple[str, str]]) -> None:
    """What is wrong with the expression is underlined inside it, and each fault is told once."""
    assert faults(line) == wanted


def test_a_batch_needs_results_of_one_shape() -> None:
    """An expression whose results differ in length stands before `batch`."""
    found = faults("  - batch: 3", '  - map: {y: [{from: "= range(5)[:value]"}, {truncate: 2}]}')
    assert found == [("SD207", '"= range(5)[:value]"')]


@pytest.mark.tf
def test_output_is_nested() -> None:
    """A list becomes a tuple and a mapping a dict, at any depth, and every component goes where it is named."""
    import tensorflow as tf

    lines = ["  - batch: 3", "output: [{main: x, more: [value, {again: x}]}, [value], x]"]
    dataset = safedata.load(SPEC + "\n".join(lines) + "\n", host="8GiB")
    vector = {name: tf.TensorSpec([None], name) for name in ("float32", "int64")}
    floats, ints = vector["float32"], vector["int64"]
    assert dataset.element_spec == ({"main": floats, "more": (ints, {"again": floats})}, (ints,), floats)
    first = next(iter(dataset.as_numpy_iterator()))
    assert first[0]["more"][0].tolist() == first[1][0].tolist() == [0, 1, 2]
    assert (
        first[0]["main"].tolist()
        == first[0]["more"][1]["again"].tolist()
        == first[2].tolist()
        == [-4, -3, -2]
    )


def test_a_name_deep_inside_an_output_has_its_place() -> None:
    """An unknown component is underlined where it is named."""
    assert faults("output: [{main: x, more: [valu]}]") == [("SD201", "valu")]


@pytest.mark.parametrize(
    ("chains", "tensors"),
    [
        ("{x: '= x * 2 + 1'}", 2 + 1),
        ("{a: '= x * 2 + 1', b: '= x * 2 - 1'}", 2 + 2 * 2),
        ("{a: '= x * 2 + 1', b: '= y * 2 - 1'}", 2 + 2),
        ("[{a: '= x * 2 + 1'}, {b: '= x * 2 - 1'}]", 2 + 3 + 2),
    ],
)
def test_what_two_chains_may_need_is_not_written_over(chains: str, tensors: int) -> None:
    """TensorFlow computes `x * 2` once for both, and then each result takes bytes of its own."""
    source = "synthetic: {components: {x: 'float32[1000]', y: 'float32[1000]'}, count: 4}"
    verdict = safedata.check(f"safedata: 1\nsource: {{{source}}}\nsteps:\n  - map: {chains}\n", host="8GiB")
    assert verdict.plan is not None
    [step] = [one for one in verdict.plan.steps if isinstance(one.node, (Map, Fused))]
    [made] = [one for one in getattr(step.node, "parts", (step.node,)) if isinstance(one, Map)]
    assert step.before is not None
    assert made.call_bytes(step.before, step.after, verdict.plan.scope) == tensors * 4 * 1000


def test_a_component_that_passes_by_a_call_counts_once() -> None:
    """It is one tensor, in what came in and in what leaves: a call with a large one beside its work holds it once."""
    source = "synthetic: {components: {x: 'float32[1000]', large: 'float32[1000000]'}, count: 4}"
    steps = "  - map: {x: [{cast: float16}]}\n  - batch: 2\n  - map: {x: [{cast: float32}]}\n"
    verdict = safedata.check(f"safedata: 1\nsource: {{{source}}}\nsteps:\n{steps}", host="8GiB")
    assert verdict.plan is not None
    called = [one for one in verdict.plan.steps if isinstance(one.node, ElementNode)]
    assert len(called) >= 2
    for step in called:
        assert step.before is not None
        assert isinstance(step.node, ElementNode)
        held = step.node.call_bytes(step.before, step.after, verdict.plan.scope)
        assert (step.before.bytes or 0) <= (held or 0) < 1.1 * (step.before.bytes or 0)
