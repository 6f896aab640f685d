"""`safedata.load` gives what `model.fit` takes."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import ModuleType

import pytest

import safedata

pytestmark = pytest.mark.tf


def test_a_keras_model_fits_and_learns(specs: Path, tf: ModuleType) -> None:
    """Several epochs of `model.fit` over the quickstart spec run, and the loss falls."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import keras

        keras.utils.set_random_seed(1)
        model = keras.Sequential(
            [
                keras.layers.AveragePooling2D(16),
                keras.layers.Flatten(),
                keras.layers.Dense(5, activation="softmax"),
            ]
        )
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        history = model.fit(safedata.load(specs / "quickstart.yaml"), epochs=6, verbose=0)
    losses = history.history["loss"]
    assert losses[-1] < losses[0]


def test_open_gives_the_dataset_with_its_verdict_and_lets_go(specs: Path, tf: ModuleType) -> None:
    """Inside the block there are dataset, type, verdict and manifest; behind it the dataset is gone."""
    with safedata.open(specs / "quickstart.yaml") as pipeline:
        images, _ = next(iter(pipeline.dataset))
        assert images.shape == (16, 224, 224, 3)
        assert pipeline.element_spec[0].shape.as_list() == [None, 224, 224, 3]
        assert pipeline.verdict.fits
        assert pipeline.manifest["element"]["label"] == "int64[<=16]"
    with pytest.raises(safedata.ClosedError, match="SD509"):
        _ = pipeline.dataset
