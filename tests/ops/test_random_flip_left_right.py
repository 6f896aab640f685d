"""`random_flip_left_right`."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from safedata.types import Tensor
from tests.ops.conformance import EXACT, fault, parse, pixels, run_batch


@pytest.mark.tf
@pytest.mark.parametrize(("p", "low", "high"), [(0.0, 0, 0), (0.25, 60, 140), (1.0, 400, 400)])
def test_share(tf: Any, p: float, low: int, high: int) -> None:
    """Every result is the image or its mirror image, the latter as often as `p` says."""
    (value,) = pixels((50, 61, 3), 1)
    made = run_batch(tf, f"random_flip_left_right: {p}", EXACT, [value] * 400)
    mirrored = [bool((one == value[:, ::-1]).all()) for one in made]
    assert all(flip or (one == value).all() for flip, one in zip(mirrored, made, strict=True))
    assert low <= sum(mirrored) <= high


def test_faults() -> None:
    """It takes images alone, and a probability."""
    assert fault("random_flip_left_right", Tensor("float32")).code == "SD203"
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        parse("random_flip_left_right: 1.5")
