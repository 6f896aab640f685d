"""`concat`, `stack`, `split`, `shift_split`, `set_kind`."""

from __future__ import annotations

from typing import Any

import pytest

from safedata.types import Dim, Tensor, ValueRange, image
from tests.ops import joint
from tests.ops.conformance import fault, parse
from tests.ops.joint import numbers

LOOSE = Tensor("int32", (Dim.at_most(5), Dim.exactly(2)), range=ValueRange(0, 9))
WORDS = Tensor("string", (Dim.at_most(3),), length=Dim.at_most(7))


def grid(*shape: int, start: int = 0) -> Any:
    """Return numbers counted on."""
    import numpy as np

    return np.arange(start, start + int(np.prod(shape))).reshape(shape)


@pytest.mark.tf
@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_concat_equals_tensorflow(tf: Any, axis: int) -> None:
    """Joined along any dimension, element or batch, the values are those of `tf.concat`."""
    import numpy as np

    shapes = [[2, 3, 4] for _ in range(3)]
    shapes[1][axis] = 1
    shapes[2][axis] = 5
    xs = [numbers(*shape) for shape in shapes]
    values = [grid(4, *shape, start=7 * one) for one, shape in enumerate(shapes)]
    text = f"{{concat: {axis}}}"
    [made] = joint.run_batch(tf, text, xs, values)
    np.testing.assert_array_equal(made, np.concatenate(values, axis % 3 + 1))
    [single] = joint.run(tf, text, xs, [value[0] for value in values])
    np.testing.assert_array_equal(single, made[0])


@pytest.mark.tf
@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_stack_equals_tensorflow(tf: Any, axis: int) -> None:
    """Stacked at any place, element or batch, the values are those of `tf.stack`."""
    import numpy as np

    values = [grid(4, 2, 3, start=one) for one in range(3)]
    [made] = joint.run_batch(tf, f"{{stack: {axis}}}", [numbers(2, 3)] * 3, values)
    np.testing.assert_array_equal(made, np.stack(values, axis % 3 + 1))


@pytest.mark.tf
def test_scalars_and_words(tf: Any) -> None:
    """Scalars stack to a vector, and texts are joined like numbers, empty ones too."""
    [made] = joint.run(tf, "stack", [numbers()] * 3, [1, 2, 3])
    assert made.tolist() == [1, 2, 3]
    [words] = joint.run(tf, "concat", [WORDS, WORDS], [[b"a", b"bc"], []])
    assert words.tolist() == [b"a", b"bc"]


@pytest.mark.tf
def test_shapes_that_turn_out_to_differ(tf: Any) -> None:
    """Dimensions that may be equal are compared, and the message has the element and its shapes."""
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"SD203: concat .*3 x 2, 4 x 2.*\[7\]"):
        joint.run(tf, "concat", [LOOSE, LOOSE], [grid(3, 2), grid(4, 2)], index=7)


def test_joined_types() -> None:
    """Bounds add up along the dimension; ranges and lengths cover all; one exact size makes the others exact."""
    [y] = joint.read("{concat: 0}").infer_all((LOOSE, Tensor("int32", (Dim.exactly(2), Dim.at_most(4)))))
    assert (str(y), y.range) == ("int32[<=7, 2]", None)
    [words] = joint.read("concat").infer_all(
        (WORDS, Tensor("string", (Dim.exactly(1),), length=Dim.exactly(9)))
    )
    assert str(words) == "string[<=9B][<=4]"
    [both] = joint.read("concat").infer_all((image(Dim.exactly(4), Dim.exactly(4), 3),) * 2)
    assert (str(both), both.kind, both.color, str(both.range)) == ("uint8[4, 4, 6]", "image", None, "0..255")
    [mask] = joint.read("stack").infer_all((Tensor("bool", kind="mask"),) * 2)
    assert mask.kind is None


@pytest.mark.parametrize(
    ("text", "xs", "code", "message", "way_out"),
    [
        ("concat", (numbers(), numbers()), "SD203", "needs a dimension", "stack"),
        ("concat", (numbers(2), numbers(2, dtype="int32")), "SD202", "one dtype", "{cast: float32}"),
        ("stack", (numbers(2), WORDS), "SD202", "one dtype", None),
        ("concat", (numbers(2), numbers(2, 2)), "SD203", "one rank", "expand_dims"),
        ("{concat: 1}", (numbers(2, 3), numbers(4, 3)), "SD203", "dimension 0 differs", "pad_to"),
        ("{concat: 2}", (numbers(2, 3), numbers(2, 3)), "SD203", "works on dimension 2", None),
        ("stack", (numbers(2), numbers(3)), "SD203", "dimension 0 differs", "pad_to"),
        ("{stack: 3}", (numbers(2), numbers(2)), "SD203", "no place among the 2 dimensions", None),
        ("{split: 2}", (numbers(5),), "SD203", "no 2 equal parts", "{split: [3, 2]}"),
        ("{split: [2, 2]}", (numbers(5),), "SD203", "2 + 2 are 4", "add up to 5"),
        ("{split: {num_or_size_splits: 2, axis: 0}}", (LOOSE,), "SD203", "a dimension of one size", "pad_to"),
        (
            "{split: 2}",
            (numbers(4), numbers(4)),
            "SD216",
            "takes one component apart",
            "start the chain from one",
        ),
        ("shift_split", (numbers(),), "SD203", "takes one sequence", "{from: tokens}"),
        ("shift_split", (numbers(2), numbers(2)), "SD216", "takes one sequence", "{from: tokens}"),
    ],
)
def test_refused(text: str, xs: tuple[Tensor, ...], code: str, message: str, way_out: str | None) -> None:
    """What cannot be joined or taken apart is an error with a way out."""
    found = joint.fault(text, *xs)
    assert (found.code, message in found.message) == (code, True), found.message
    assert way_out is None or way_out in (found.help or "")


@pytest.mark.tf
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("parts", [3, [1, 4, 1], [6]])
def test_split_equals_tensorflow(tf: Any, axis: int, parts: Any) -> None:
    """Parts of an element and of a batch are those of `tf.split`."""
    import numpy as np

    x, value = numbers(6, 6), grid(5, 6, 6)
    text = f"{{split: {{num_or_size_splits: {parts}, axis: {axis}}}}}"
    made = joint.run_batch(tf, text, [x], [value])
    single = joint.run(tf, text, [x], [value[2]])
    wanted = tf.split(tf.constant(value), parts, axis % 2 + 1)
    assert len(made) == len(single) == len(wanted)
    for one, alone, other in zip(made, single, wanted, strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(alone, other[2])


@pytest.mark.tf
@pytest.mark.parametrize(
    ("values", "offset"), [([5, 6, 7, 8], 1), ([5, 6, 7, 8], 3), ([5], 1), ([], 1), ([5, 6], 4)]
)
def test_shift_split(tf: Any, values: list[int], offset: int) -> None:
    """Input and target are `x[:-n]` and `x[n:]`."""
    x = Tensor("int32", (Dim.at_most(6),))
    made = joint.run(tf, f"{{shift_split: {offset}}}", [x], [values])
    assert [one.tolist() for one in made] == [values[:-offset], values[offset:]]
    assert [str(y) for y in joint.read("shift_split").infer_all((x,))] == ["int32[<=5]", "int32[<=5]"]


def test_set_kind() -> None:
    """A mask has whole numbers, no colour and three dimensions; an image gets the colour of its channels."""
    mask = parse("{set_kind: mask}").infer(image(Dim.exactly(4), Dim.exactly(4), 1))
    assert (mask.kind, mask.color, str(mask)) == ("mask", None, "uint8[4, 4, 1]")
    assert parse("{set_kind: image}").infer(numbers(4, 4, 3)).color == "rgb"
    assert fault("{set_kind: mask}", numbers(4, 4, 1)).help == "put `{cast: uint8}` before it"
    assert fault("{set_kind: mask}", numbers(4, 4, dtype="uint8")).code == "SD203"


def test_a_decoded_mask() -> None:
    """A mask is decoded as one, with one channel, and not from JPEG files."""
    from tests.ops.conformance import FILE, KNOWN_FILE

    y = parse("{decode_image: {channels: 1, kind: mask, max_size: [9, 9]}}").infer(FILE)
    assert (str(y), y.kind, y.color) == ("uint8[<=9, <=9, 1]", "mask", None)
    with pytest.raises(ValueError, match="write `channels: 1` beside `kind: mask`"):
        parse("{decode_image: {kind: mask}}")
    found = fault("{decode_image: {channels: 1, kind: mask}}", KNOWN_FILE)
    assert (found.code, found.message) == ("SD205", "JPEG files blur the classes of a mask")
