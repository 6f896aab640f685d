"""`cutmix`."""

from __future__ import annotations

from typing import Any

import pytest

from safedata.types import Dim, Tensor, image
from tests.ops import joint
from tests.ops.test_mixup import IMAGE, LABEL, batch, weights

MASK = Tensor("uint8", (Dim.exactly(5), Dim.exactly(4), Dim.exactly(1)), kind="mask")


@pytest.mark.tf
@pytest.mark.parametrize("alpha", [0.3, 1.0])
@pytest.mark.parametrize("pairing", ["shuffle", "reverse"])
def test_equals_numpy(tf: Any, alpha: float, pairing: str) -> None:
    """Images, masks and labels are what NumPy pastes and sums from the same draws."""
    import numpy as np

    images, labels = batch(12)
    masks = images[..., :1]
    lam, draws = weights(tf, alpha, 12)
    order = np.arange(12)[::-1] if pairing == "reverse" else np.argsort(draws[:, 1], kind="stable")
    wanted, shares = images.copy(), labels.copy()
    for number, partner in enumerate(order):
        side = np.round(np.sqrt(1 - lam[number]) * np.array([5, 4]))
        top, left = np.floor(draws[number, 2:4] * (np.array([5, 4]) - side + 1)).astype(int)
        height, width = side.astype(int)
        wanted[number, top : top + height, left : left + width] = images[
            partner, top : top + height, left : left + width
        ]
        kept = 1 - height * width / 20
        shares[number] = kept * labels[number] + (1 - kept) * labels[partner]
    text = f"{{cutmix: {{alpha: {alpha}, pairing: {pairing}}}}}"
    made = joint.run_batch(tf, text, [IMAGE, MASK, LABEL], [images, masks, labels])
    np.testing.assert_array_equal(made[0], wanted)
    np.testing.assert_array_equal(made[1], wanted[..., :1])
    np.testing.assert_allclose(made[2], shares, atol=1e-6)


@pytest.mark.tf
def test_labels_say_how_much_is_there(tf: Any) -> None:
    """Each label is the share of pixels that come from an image of that class."""
    import numpy as np

    labels = np.eye(6, dtype="float32")
    images = np.broadcast_to(np.arange(6, dtype="uint8").reshape(6, 1, 1, 1), (6, 5, 4, 3))
    made, shares = joint.run_batch(tf, "cutmix", [IMAGE, LABEL], [images, labels])
    counted = [[(one[..., 0] == kind).mean() for kind in range(6)] for one in made]
    np.testing.assert_allclose(shares, counted, atol=1e-6)


@pytest.mark.tf
@pytest.mark.parametrize("count", [0, 1])
def test_small_batches(tf: Any, count: int) -> None:
    """An empty batch stays empty, and an element alone stays as it is."""
    import numpy as np

    images, labels = batch(count)
    made = joint.run_batch(tf, "cutmix", [IMAGE, LABEL], [images, labels])
    np.testing.assert_array_equal(made[0], images)
    np.testing.assert_allclose(made[1], labels, atol=1e-6)


@pytest.mark.tf
def test_sizes_that_differ(tf: Any) -> None:
    """An image and a mask that turn out to differ in size are an error with the batch's name."""
    import numpy as np

    loose = Tensor("uint8", (Dim.at_most(9), Dim.at_most(9), Dim.exactly(1)), kind="mask")
    images, labels = batch(2)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"SD217: .*one height and one width.*5 x 4, 6 x 4"
    ):
        joint.run_batch(
            tf, "cutmix", [IMAGE, loose, LABEL], [images, np.zeros((2, 6, 4, 1), "uint8"), labels]
        )


@pytest.mark.parametrize(
    ("xs", "code", "message"),
    [
        ((IMAGE,), "SD216", "their labels have to be mixed alike"),
        ((LABEL, LABEL), "SD203", "needs an image"),
        ((IMAGE, Tensor("int64")), "SD202", "one-hot labels"),
        ((IMAGE, image(Dim.exactly(9), Dim.exactly(4), 1)), "SD217", "their sizes differ"),
    ],
)
def test_refused(xs: tuple[Tensor, ...], code: str, message: str) -> None:
    """Components that cannot be mixed are errors."""
    found = joint.fault("cutmix", *xs)
    assert (found.code, message in found.message) == (code, True)
