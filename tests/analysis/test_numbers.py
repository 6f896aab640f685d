"""Moments and quantiles of numbers that come in portions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from safedata.analysis.moments import Moments
from safedata.analysis.quantiles import Quantiles
from safedata.problem import Fault
from safedata.spec.artifacts import Statistics


def asked(**fields: Any) -> Statistics:
    return Statistics.model_validate({"of": ["x"], **fields})


def portions(values: Any, size: int) -> list[Any]:
    return [values[start : start + size] for start in range(0, len(values), size)]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_moments_are_numpys(size: int) -> None:
    """Mean and variance are those of NumPy over everything, also of numbers far from 0, missing ones left out."""
    values = np.random.default_rng(0).normal(1e6, 1e-2, 1000)
    values[::9] = np.nan
    values[1::9] = -1
    moments = Moments("x", asked(missing=-1), 1)
    for part in portions(values, size):
        moments.add(part)
    found = moments.numbers()
    there = values[~np.isnan(values) & (values != -1)]
    assert (found["count"], found["missing"]) == (len(there), 1000 - len(there))
    assert (found["min"], found["max"]) == (there.min(), there.max())
    np.testing.assert_allclose([found["mean"], found["variance"]], [there.mean(), there.var()], rtol=1e-6)


def test_columns() -> None:
    """With `axis` each entry of the last dimension has numbers of its own, and may be missing on its own."""
    values = np.random.default_rng(1).random((50, 4, 3))
    values[:20, :, 1] = np.nan
    moments = Moments("x", asked(axis=-1), 3)
    for part in portions(values, 8):
        moments.add(part)
    found = moments.numbers()
    assert found["missing"] == [0, 80, 0]
    np.testing.assert_allclose(found["mean"], np.nanmean(values, (0, 1)))
    np.testing.assert_allclose(found["std"], np.nanstd(values, (0, 1)))
    assert found["max"] == np.nanmax(values, (0, 1)).tolist()


def test_what_cannot_be() -> None:
    """Infinite values, and components without any, are faults."""
    moments = Moments("x", asked(), 1)
    with pytest.raises(Fault, match="a value of `x` is infinite"):
        moments.add(np.array([1, np.inf]))
    with pytest.raises(Fault, match="`x` has no value that is not missing"):
        moments.numbers()


def test_exact_quantiles_are_numpys() -> None:
    """While numbers fit in memory quantiles are NumPy's, with an error of 0."""
    values = np.random.default_rng(2).random(199)
    sketch = Quantiles(100)
    for part in portions(values, 13):
        sketch.add(part)
    assert sketch.exact
    assert sketch.rank_error == 0
    assert sketch.at([0.1, 0.5]) == np.quantile(values, [0.1, 0.5]).tolist()


@pytest.mark.parametrize("order", ["sorted", "reversed", "random", "equal"])
def test_the_stated_error_holds(order: str) -> None:
    """Ranks are off by no more than the sketch says, whatever the order; and it says little."""
    values = np.random.default_rng(3).permutation(40_000).astype(float)
    values = {"sorted": np.sort(values), "reversed": -np.sort(-values), "equal": values // 4000}.get(
        order, values
    )
    sketch = Quantiles(512)
    for part in portions(values, 999):
        sketch.add(part)
    shares = np.linspace(0, 1, 41)[1:-1]
    assert 0 < sketch.rank_error < 0.02
    for share, found in zip(shares, sketch.at(shares.tolist()), strict=True):
        low, high = (values < found).mean(), (values <= found).mean()
        assert low - sketch.rank_error <= share <= high + sketch.rank_error


def test_portions_do_not_matter() -> None:
    """The same numbers in the same order give the same quantiles, however they are cut."""
    values = np.random.default_rng(5).random(5000)
    found = []
    for size in (1, 64, 5000):
        sketch = Quantiles(256)
        for part in portions(values, size):
            sketch.add(part)
        found.append(sketch.at([0.25, 0.5, 0.9]))
    assert found[0] == found[1] == found[2]
