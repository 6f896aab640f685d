"""`as_element`."""

from __future__ import annotations

from typing import Any

import pytest

import safedata

TEXT = """\
safedata: 1
source:
  synthetic: {components: {image: "uint8[4, 5, 3]", tokens: "int32[<=6]"}, count: 7}
steps:
  - STEPS
"""


def test_needs_a_batch(faults: Any) -> None:
    """Single elements are elements already."""
    [fault] = faults("as_element:")
    assert (fault.code, fault.help) == ("SD207", "take it out, or put it behind `batch`")


def test_what_looks_at_single_elements_can_follow(infer: Any) -> None:
    """Behind it nothing is batched: filters may follow, and another batch stacks what were batches."""
    after = infer(
        "select: value", "batch: {size: 2, drop_remainder: true}", "as_element:", "filter: value[0] < 4"
    )
    assert (str(after), after.batch_dims) == ("value: int64[2]", 0)
    assert str(infer("select: value", "batch: 5", "as_element:")) == "value: int64[<=5]"


@pytest.mark.tf
@pytest.mark.parametrize(
    ("batch", "component", "chain", "perm"),
    [
        ("batch: {size: 3, drop_remainder: true}", "image", "{transpose: [1, 2, 3, 0]}", (1, 2, 3, 0)),
        ("batch: 3", "image", "{transpose: [1, 0, 2, 3]}", (1, 0, 2, 3)),
        ("padded_batch: 3", "tokens", "transpose", (1, 0)),
    ],
)
def test_transposes_the_batch(batch: str, component: str, chain: str, perm: tuple[int, ...]) -> None:
    """The batch's dimension goes where `tf.transpose` would put it, and the type is TensorFlow's."""
    text = TEXT.replace("STEPS", f"select: {component}\n  - {batch}")
    moved = f"{text}  - as_element:\n  - map: {{{component}: [{chain}]}}\n"
    made = safedata.load(moved)
    plain = safedata.load(text).as_numpy_iterator()
    for one, two in zip(plain, made.as_numpy_iterator(), strict=True):
        assert one[component].transpose(perm).tolist() == two[component].tolist()
    plan = safedata.check(moved, host="8GiB").plan
    assert plan is not None
    [typed] = plan.result.element.values()
    assert typed.static_shape == tuple(made.element_spec[component].shape)


@pytest.mark.tf
def test_draws_once_for_a_batch() -> None:
    """A random operation behind it draws by the key of the batch's first element, another time in the next epoch."""
    steps = (
        "select: tokens\n  - padded_batch: 3\n  - as_element:\n  - map: {x: '= uniform(0, 1)'}\n  - repeat: 2"
    )
    made = [one["x"] for one in safedata.load(TEXT.replace("STEPS", steps)).as_numpy_iterator()]
    assert all(one.shape == () for one in made)
    assert len({float(one) for one in made}) == 6
