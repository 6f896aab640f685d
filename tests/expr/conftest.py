"""Components that the expression tests share: their types, and tensors of those types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from safedata.types import Dim, Tensor, ValueRange, image

AT_MOST = Dim.at_most
ELEMENT: dict[str, Tensor] = {
    "image": image(AT_MOST(6), AT_MOST(5), 3),
    "mask": Tensor("uint8", (AT_MOST(6), AT_MOST(5)), kind="mask"),
    "boxes": Tensor("float32", (AT_MOST(4), Dim.exactly(4)), kind="boxes"),
    "x": Tensor("float32", (AT_MOST(8),), range=ValueRange(-2.0, 2.0)),
    "y": Tensor("float32", (Dim.exactly(3),)),
    "wide": Tensor("int64", (Dim.exactly(2), Dim.exactly(3))),
    "flags": Tensor("bool", (Dim.exactly(3),)),
    "n": Tensor("int64", (), range=ValueRange(0, 5)),
    "small": Tensor("int8"),
    "many": Tensor("int32"),
    "half": Tensor("float16", (Dim.exactly(3),), range=ValueRange(0.0, 4.0)),
    "double": Tensor("float64"),
    "flag": Tensor("bool"),
    "s": Tensor("string", (), AT_MOST(40)),
    "words": Tensor("string", (Dim.exactly(2),), AT_MOST(12)),
    "digits": Tensor("string", (), AT_MOST(8)),
}


@pytest.fixture(scope="session")
def element() -> dict[str, Tensor]:
    return ELEMENT


@pytest.fixture(scope="session")
def tf() -> Any:
    import tensorflow

    return tensorflow


@pytest.fixture(scope="session")
def sample(tf: Any) -> Callable[[int], dict[str, Any]]:
    """Return one element: those of different seeds have equal shapes, so that they make a batch."""
    import numpy as np

    def make(seed: int) -> dict[str, Any]:
        rng = np.random.default_rng(seed)
        paths = ("train/cat/IMG_7.tar.gz", "a/b/", "/top", "no_suffix", ".hidden", "a//b/c.", "")
        values: dict[str, Any] = {
            "image": rng.integers(0, 256, (4, 3, 3)).astype("uint8"),
            "mask": rng.integers(0, 2, (4, 3)).astype("uint8"),
            "boxes": rng.random((2, 4)).astype("float32"),
            "x": rng.uniform(-2, 2, 6).astype("float32"),
            "y": rng.normal(size=3).astype("float32"),
            "wide": rng.integers(-9, 9, (2, 3)),
            "flags": rng.random(3) < 0.5,
            "n": np.int64(rng.integers(0, 6)),
            "small": np.int8(rng.integers(-128, 128)),
            "many": np.int32(rng.integers(-9, 9)),
            "half": rng.uniform(0, 4, 3).astype("float16"),
            "double": np.float64(rng.normal()),
            "flag": np.bool_(rng.random() < 0.5),
            "s": paths[seed % len(paths)],
            "words": [paths[seed % 3][:12], "Zebra"],
            "digits": str(rng.integers(0, 9999)),
        }
        return {name: tf.constant(value, ELEMENT[name].dtype) for name, value in values.items()}

    return make
