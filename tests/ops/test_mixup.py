"""`mixup`."""

from __future__ import annotations

from typing import Any

import pytest

from safedata.types import UINT8_RANGE, Dim, Tensor, image
from tests.gpu.kernels import missing
from tests.ops import joint
from tests.ops.drawn import drawn

IMAGE = image(Dim.exactly(5), Dim.exactly(4), 3)
LABEL = joint.numbers(6)


def batch(count: int, seed: int = 0) -> tuple[Any, Any]:
    """Return images and one-hot labels."""
    import numpy as np

    draw = np.random.default_rng(seed)
    return draw.integers(0, 256, (count, 5, 4, 3), "uint8"), np.eye(6, dtype="float32")[
        draw.integers(0, 6, count)
    ]


def weights(tf: Any, alpha: float, count: int) -> Any:
    """Return the weight of each element's own image, by its distribution function, and the draws."""
    import numpy as np

    draws = np.stack([drawn(tf, 4, index) for index in range(count)]).astype("float64")
    grid = np.linspace(0, 1, 200_001)
    below = tf.math.betainc(tf.constant(alpha, tf.float64), tf.constant(alpha, tf.float64), grid).numpy()
    return np.interp(draws[:, 0], below, grid), draws


@pytest.mark.tf
@pytest.mark.parametrize("alpha", [0.2, 1.0, 3.0])
@pytest.mark.parametrize("pairing", ["shuffle", "reverse"])
def test_equals_keras_formula(tf: Any, alpha: float, pairing: str) -> None:
    """Images and labels are the sums that `keras.layers.MixUp` makes with the same weights and permutation."""
    import numpy as np
    from keras.layers import MixUp

    images, labels = batch(9)
    lam, draws = weights(tf, alpha, 9)
    order = np.arange(9)[::-1] if pairing == "reverse" else np.argsort(draws[:, 1], kind="stable")
    text = f"{{mixup: {{alpha: {alpha}, pairing: {pairing}}}}}"
    made = joint.run_batch(tf, text, [IMAGE, LABEL], [images, labels])
    drawn_so = {"mix_weight": lam.astype("float32"), "permutation_order": order.astype("int64")}
    theirs = MixUp(alpha=0.2)
    np.testing.assert_allclose(made[0], theirs.transform_images(images, drawn_so), atol=3e-3)
    np.testing.assert_allclose(made[1], theirs.transform_labels(labels, drawn_so), atol=1e-5)
    np.testing.assert_allclose(made[1].sum(-1), 1, atol=1e-6)


@pytest.mark.tf
def test_weights_have_the_distribution(tf: Any) -> None:
    """The weights of many elements have the mean and the variance of Beta(alpha, alpha)."""
    import numpy as np

    images = np.zeros((4000, 1, 1, 1), "float32")
    images[:2000] = 1.0
    labels = np.zeros((4000, 1), "float32")
    x = Tensor("float32", (Dim.exactly(1),) * 3, range=UINT8_RANGE, kind="image")
    made, _ = joint.run_batch(tf, "{mixup: {pairing: reverse}}", [x, joint.numbers(1)], [images, labels])
    lam = made[:2000].ravel()
    assert abs(lam.mean() - 0.5) < 0.03
    assert abs(lam.var() - 1 / (4 * 1.4)) < 0.01


@pytest.mark.tf
@pytest.mark.parametrize("count", [0, 1, 2])
def test_small_batches(tf: Any, count: int) -> None:
    """An empty batch stays empty, and an element alone is its own partner."""
    import numpy as np

    images, labels = batch(count)
    made = joint.run_batch(tf, "mixup", [IMAGE, LABEL], [images, labels])
    assert [one.shape for one in made] == [images.shape, labels.shape]
    if count == 1:
        np.testing.assert_allclose(made[0], images, rtol=1e-6)


def test_types() -> None:
    """Bytes become float32 in the same range; labels of one half keep their dtype."""
    op = joint.read("mixup")
    half = joint.numbers(6, dtype="float16")
    assert [(str(y), str(y.range)) for y in op.infer_all((IMAGE, half))] == [
        ("float32[5, 4, 3]", "0..255"),
        ("float16[6]", "None"),
    ]
    partner = 5 * 4 * 3 * (1 + 4)
    assert (op.workspace_all((IMAGE, half), op.infer_all((IMAGE, half))) or 0) >= partner


@pytest.mark.parametrize(
    ("xs", "code", "message", "help_"),
    [
        ((IMAGE,), "SD216", "their labels have to be mixed alike", "`image, label: [mixup]`"),
        ((IMAGE, Tensor("int64")), "SD202", "mixes images and one-hot labels, not int64[]", "one_hot"),
        ((IMAGE, Tensor("string")), "SD202", "not string", None),
        ((IMAGE, Tensor("uint8", IMAGE.shape, kind="mask")), "SD205", "mix the classes of a mask", "cutmix"),
    ],
)
def test_refused(xs: tuple[Tensor, ...], code: str, message: str, help_: str | None) -> None:
    """Labels that cannot be mixed, or are missing, are errors that say what to do."""
    found = joint.fault("mixup", *xs)
    assert found.code == code
    assert message in found.message
    assert help_ is None or help_ in (found.help or "")


@pytest.mark.parametrize("value", ["0", "-1", ".inf", "101"])
def test_alpha(value: str) -> None:
    """Alpha is above 0 and at most 100."""
    with pytest.raises(ValueError, match="alpha"):
        joint.read(f"{{mixup: {value}}}")


@pytest.mark.tf
@pytest.mark.parametrize("text", ["mixup", "cutmix"])
def test_kernels(tf: Any, text: str) -> None:
    """What says that a GPU can run it has kernels there."""
    floats = Tensor("float32", IMAGE.shape, kind="image")
    assert joint.read(text).on_gpu(floats)
    assert missing(joint.traced(tf, text, [floats, LABEL], (8,))) == []
