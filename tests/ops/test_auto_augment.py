"""`auto_augment`."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
from pydantic import ValidationError

from safedata.ops.image.auto_augment import KINDS, Canvas, pairs
from safedata.types import Dim, Tensor, image
from tests.ops import joint
from tests.ops.conformance import (
    AT_MOST,
    EXACT,
    FLOAT,
    SIGNED,
    fault,
    parse,
    pixels,
    run,
    run_batch,
    run_each,
)
from tests.ops.drawn import drawn


def pillow(name: str, value: Any, strength: float) -> Any:
    """Return what Pillow makes of an image, as policies were learned with it; equalized, what Keras does."""
    import numpy as np
    from keras.layers import Equalization
    from PIL import Image, ImageEnhance, ImageOps

    if name == "equalize":  # Pillow's steps are whole numbers of pixels, which small images have few of
        return np.asarray(Equalization()(value[None].astype("float32")))[0]
    given = Image.fromarray(value)
    height, width = value.shape[:2]
    shift = math.copysign(int(abs(strength) * (height if name == "translate_y" else width)), strength)
    affine = {
        "shear_x": (1, strength, 0, 0, 1, 0),
        "shear_y": (1, 0, 0, strength, 1, 0),
        "translate_x": (1, 0, -shift, 0, 1, 0),
        "translate_y": (1, 0, 0, 0, 1, -shift),
    }
    enhance = {
        "brightness": ImageEnhance.Brightness,
        "color": ImageEnhance.Color,
        "contrast": ImageEnhance.Contrast,
        "sharpness": ImageEnhance.Sharpness,
    }
    if name in affine:
        made = given.transform(given.size, Image.Transform.AFFINE, affine[name])
    elif name in enhance:
        made = enhance[name](given).enhance(1 + strength)
    elif name == "rotate":
        made = given.rotate(math.degrees(strength))
    elif name == "posterize":
        made = ImageOps.posterize(given, 8 - round(math.log2(strength)))
    elif name == "solarize":
        made = ImageOps.solarize(given, strength)  # type: ignore[arg-type]  # any number is compared
    else:
        plain = {"auto_contrast": ImageOps.autocontrast, "invert": ImageOps.invert}
        made = plain[name](given)
    return np.asarray(made)


def smooth(height: int, width: int) -> Any:
    """Return a picture without noise, of which every channel has other values."""
    import numpy as np

    rows, columns = np.indices((height, width))
    waves = [np.sin(rows / 9), np.cos(columns / 7), np.sin((rows + columns) / 11)]
    return (120 + 90 * np.stack(waves, -1)).astype("uint8")


@pytest.mark.tf
@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("shape", [(50, 61), (37, 20), (1, 1)])
def test_is_pillow(tf: Any, name: str, shape: tuple[int, int]) -> None:
    """Each operation at each level makes of an image what Pillow's makes of it, within rounding to whole numbers."""
    import numpy as np

    value, kind = smooth(*shape), KINDS[name]
    for level in (0, 3, 9):
        for sign in (-1, 1) if kind.signed else (1,):
            strength = sign * kind.strength(level / 9)
            made = kind.apply(
                Canvas(tf, "nearest", 0.0), tf.constant(value, tf.float32), tf.constant(strength)
            )
            found, expected = np.round(made.numpy()), pillow(name, value, strength).astype("float32")
            off = np.abs(found - expected)
            assert (off <= 1).mean() > 0.97, (level, sign, off.max())


@pytest.mark.parametrize("policy", ["imagenet", "cifar10", "svhn"])
def test_published_pairs(policy: str) -> None:
    """Each policy has 25 pairs of known operations, the first and the last of them as published."""
    found = pairs(policy)
    ends = {
        "imagenet": (
            (("posterize", 0.4, 8), ("rotate", 0.6, 9)),
            (("equalize", 0.8, 0), ("equalize", 0.6, 0)),
        ),
        "cifar10": (
            (("invert", 0.1, 0), ("contrast", 0.2, 6)),
            (("translate_y", 0.7, 9), ("auto_contrast", 0.9, 0)),
        ),
        "svhn": ((("shear_x", 0.9, 4), ("invert", 0.2, 0)), (("shear_x", 0.7, 2), ("invert", 0.1, 0))),
    }
    counts = {
        "imagenet": {"equalize": 17, "solarize": 7, "color": 6, "rotate": 6, "posterize": 5},
        "cifar10": {"equalize": 9, "auto_contrast": 7, "sharpness": 5, "translate_y": 5, "color": 5},
        "svhn": {"invert": 12, "equalize": 6, "shear_y": 8, "shear_x": 6, "solarize": 5},
    }
    assert len(found) == 25
    assert (found[0], found[-1]) == ends[policy]
    every = Counter(step.name for pair in found for step in pair)
    assert {name: every[name] for name in counts[policy]} == counts[policy]
    assert set(every) <= set(KINDS)


@pytest.mark.tf
@pytest.mark.parametrize("policy", ["imagenet", "cifar10", "svhn"])
def test_applies_what_is_drawn(tf: Any, policy: str) -> None:
    """An element gets the pair, the probabilities and the signs that its draws say."""
    import numpy as np

    value, every, count = smooth(50, 61), pairs(policy), 30
    made = run_each(tf, f"auto_augment: {policy}", EXACT, [value] * count)
    for number in range(count):
        draw, expected = drawn(tf, 5, number), tf.constant(value, tf.float32)
        for place, step in enumerate(every[int(draw[0] * 25)]):
            kind = KINDS[step.name]
            sign = -1 if kind.signed and draw[2 + 2 * place] < 0.5 else 1
            if draw[1 + 2 * place] < step.probability:
                strength = tf.constant(sign * kind.strength(step.level / 9))
                expected = kind.apply(Canvas(tf, "nearest", 0.0), expected, strength)
        assert (np.abs(made[number] - np.round(expected.numpy())) <= 1).mean() > 0.999
    assert len({one.tobytes() for one in made}) > 12


@pytest.mark.tf
def test_units_and_batches(tf: Any) -> None:
    """On 0..1 it makes the same as on 0..255, and of a batch what it makes of its elements."""
    import numpy as np

    value = smooth(50, 61)
    fine = "auto_augment: {policy: svhn, fill_value: 51}"
    made = run_batch(tf, fine, EXACT, [value] * 12)
    np.testing.assert_array_equal(made, np.stack(run_each(tf, fine, EXACT, [value] * 12)))
    small = run_batch(
        tf, "auto_augment: {policy: svhn, fill_value: 0.2}", FLOAT, [(value / 255).astype("float32")] * 12
    )
    assert (np.abs(small * 255 - made) < 1.5).mean() > 0.98
    (odd,) = pixels((1, 1, 3), 1)
    one = image(Dim.exactly(1), Dim.exactly(1), 3)
    assert run(tf, "auto_augment: cifar10", one, odd, index=2).shape == (1, 1, 3)


@pytest.mark.tf
def test_moves_its_mask(tf: Any) -> None:
    """A linked mask is moved with its image, its classes and `mask_value` alone in it, and colours leave it alone."""
    import numpy as np

    value = smooth(50, 61)
    value[:, :30] = 7
    mask = Tensor("uint8", EXACT.shape, kind="mask")
    text = "{random_apply: {p: 1.0, ops: [{auto_augment: {policy: svhn, mask_value: 9}}]}}"
    classes = (value[..., :1] == 7).astype("uint8").repeat(3, -1)
    moved = 0
    for index in range(4):
        _, found = joint.run(tf, text, [EXACT, mask], [value, classes], index)
        assert set(np.unique(found)) <= {0, 1, 9}
        moved += (found != classes).any()
    assert 0 < moved < 4


def test_types_and_faults() -> None:
    """The type stays, the filling is in its range, and values around zero or gray images are refused."""
    assert parse("auto_augment").infer(AT_MOST) == AT_MOST
    made = parse("{auto_augment: {fill_value: 2}}").infer(FLOAT)
    assert str(made.range) == "0..2"
    assert fault("auto_augment", SIGNED).code == "SD205"
    assert fault("auto_augment", image(Dim.exactly(4), Dim.exactly(4), 1)).code == "SD203"
    with pytest.raises(ValidationError, match=r"'imagenet', 'cifar10' or 'svhn'"):
        parse("auto_augment: cifar100")
