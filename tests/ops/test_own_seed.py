"""Seeds of random operations' own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import safedata
from safedata import registry
from safedata.docstrings import fields_of
from tests.mistakes.specs import codes

SPEC = """\
safedata: 1
source: {synthetic: {components: {image: {type: "uint8[8, 8, 3]", kind: image}}, count: 6}}
steps:
  - map:
%s
runtime: {seed: %d}
"""
PLAIN = "      image: [{cast: float32}, %s]"
NOTHING = "      image: [{cast: float32}]"
BRIGHT = "{random_brightness: {delta: 30, seed: 5}}"


def test_every_random_operation_has_one() -> None:
    """Whatever draws takes a `seed`, which is the last of its fields on its page; nothing else takes one."""
    for name in registry.names("ops"):
        op = registry.op(name)
        if op.random:
            assert list(fields_of(op))[-1] == "seed", name
        else:
            assert "seed" not in op.model_fields, name


def epochs(chains: str, seed: int = 0, steps: str = "", number: int = 2) -> Any:
    """Return what all elements' first pixels are in so many epochs: [epoch, element, component]."""
    import numpy as np

    data = safedata.load(SPEC % (chains + steps, seed))
    return np.array(
        [[[one[name][0, 0].sum() for name in one] for one in data.as_numpy_iterator()] for _ in range(number)]
    )


@pytest.mark.tf
def test_draws_follow_it_and_not_the_specs(tf: Any) -> None:
    """With a seed of its own an operation draws the same under every `runtime.seed`, anew in each epoch and element."""
    import numpy as np

    fixed = PLAIN % "{random_brightness: {delta: 30, seed: 5}}"
    base = epochs(NOTHING)
    one = epochs(fixed) - base
    np.testing.assert_allclose(epochs(fixed, seed=9) - epochs(NOTHING, seed=9), one, atol=1e-3)
    assert len(np.unique(one.round(3))) == one.size
    other = epochs(PLAIN % "{random_brightness: {delta: 30, seed: 6}}") - base
    assert not np.isclose(one, other).any()
    free = epochs(PLAIN % "{random_brightness: 30}")
    assert not np.isclose(free - base, one).any()


@pytest.mark.tf
def test_the_place_of_the_operation_does_not_matter(tf: Any) -> None:
    """Operations before it, another component, and steps before it leave its draws as they are."""
    import numpy as np

    plain = epochs(PLAIN % "{random_brightness: {delta: 30, seed: 5}}")
    behind = epochs(
        PLAIN % "{random_contrast: {lower: 1, upper: 1}}, {random_brightness: {delta: 30, seed: 5}}"
    )
    np.testing.assert_allclose(behind, plain, rtol=1e-4)
    cached = f"{NOTHING}\n  - cache: memory\n  - map: {{image: [{BRIGHT}]}}"
    np.testing.assert_allclose(epochs(cached), plain, rtol=1e-4)


@pytest.mark.tf
def test_the_same_seed_draws_the_same(tf: Any) -> None:
    """Two operations with one seed draw the same numbers."""
    op = "{random_brightness: {delta: 30, seed: 5}}"
    made = epochs(
        f"      image: [{{cast: float32}}, {op}]\n      other: [{{from: image}}, {{cast: float32}}, {op}]"
    )
    assert (made[..., 0] == made[..., 1]).all()


@pytest.mark.tf
def test_what_it_applies_follows_it_too(tf: Any) -> None:
    """The seed of `random_apply` is that of its choice and of the operations inside."""
    import numpy as np

    applied = PLAIN % "{random_apply: {ops: [{random_brightness: 30}], p: 0.5, seed: 3}}"
    plain = NOTHING
    one, other = (epochs(applied, seed, number=3) - epochs(plain, seed, number=3) for seed in (0, 9))
    np.testing.assert_allclose(one, other, atol=1e-3)
    assert 0 < np.isclose(one, 0, atol=1e-3).sum() < one.size


def test_pairs_with_one_seed_are_moved_alike() -> None:
    """The same flip with the same seed on two components is no SD618; with two seeds it is."""
    source = 'synthetic: {components: {image: "uint8[8, 8, 3]", target: "uint8[8, 8, 3]"}, count: 9}'
    step = (
        "map: {image: [{random_flip_left_right: {seed: 1}}], target: [{random_flip_left_right: {seed: %d}}]}"
    )
    assert codes("shuffle: all", step % 1, "batch: 3", "prefetch: 2", source=source) == []
    assert codes("shuffle: all", step % 2, "batch: 3", "prefetch: 2", source=source) == ["SD618"]


def test_a_seed_is_a_whole_number(tmp_path: Path) -> None:
    """Anything else is refused at its place."""
    [problem] = safedata.check(SPEC % (PLAIN % "{random_brightness: {delta: 30, seed: 0.5}}", 0)).problems
    assert problem.code == "SD105"
    assert "seed" in problem.message
