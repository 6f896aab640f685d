"""`random_apply`, `random_choice`, `views`: operations of operations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

import safedata
from safedata.ops.combinators._nested import Nested
from safedata.types import Dim, image
from tests.ops import joint
from tests.ops.conformance import AT_MOST, SQUARE, fault, parse, pixels, run_batch, run_each
from tests.ops.drawn import drawn
from tests.ops.test_mixup import batch

FLIP = "{random_apply: {p: 0.3, ops: [flip_left_right]}}"
TURN = "{random_choice: {ops: [flip_left_right, [rot90, rot90], []], weights: [5, 3, 2]}}"
COUNT = 60


def values(shape: tuple[int, ...] = (24, 24, 3), count: int = COUNT) -> Any:
    """Return images."""
    return pixels(shape, count)


@pytest.mark.tf
def test_applies_by_its_draw(tf: Any) -> None:
    """An element is changed exactly where its draw is under `p`."""
    import numpy as np

    images = values()
    for number, (made, value) in enumerate(zip(run_each(tf, FLIP, SQUARE, images), images, strict=True)):
        wanted = value[:, ::-1] if drawn(tf, 1, number)[0] < 0.3 else value
        np.testing.assert_array_equal(made, wanted)


@pytest.mark.tf
def test_chooses_by_weight(tf: Any) -> None:
    """An element takes the chain in whose share of the weights its draw lies."""
    import numpy as np

    images = values()
    seen = set()
    for number, (made, value) in enumerate(zip(run_each(tf, TURN, SQUARE, images), images, strict=True)):
        draw = drawn(tf, 1, number)[0]
        which = 0 if draw < 0.5 else 1 if draw < 0.8 else 2
        np.testing.assert_array_equal(made, (value[:, ::-1], value[::-1, ::-1], value)[which])
        seen.add(which)
    assert seen == {0, 1, 2}


@pytest.mark.tf
@pytest.mark.parametrize(
    "text",
    [
        FLIP,
        TURN,
        "{random_apply: {ops: [{random_brightness: 30}, random_flip_up_down, {random_apply: {ops: [rot90]}}]}}",
        "{random_choice: [{random_brightness: 30}, {random_crop: [24, 24]}, {random_choice: [rot90, random_invert]}]}",
    ],
)
def test_a_batch_gives_what_elements_give(tf: Any, text: str) -> None:
    """Each element of a batch draws as it would alone, inner operations too."""
    import numpy as np

    images = values(count=16)
    made = run_batch(tf, text, SQUARE, images)
    np.testing.assert_array_equal(made, np.stack(run_each(tf, text, SQUARE, images)))
    assert (
        len({tuple(np.ravel(one[:2, :2] == value[:2, :2])) for one, value in zip(made, images, strict=True)})
        > 1
    )


@pytest.mark.tf
@pytest.mark.parametrize(
    ("chain", "refused"),
    [
        (
            "{random_choice: [{split_string: {max_tokens: 5}}, [upper, {split_string: {max_tokens: 5}}]]}",
            "split_string",
        ),
        ("{random_apply: {ops: [upper, {random_choice: [lower, strip]}]}}", None),
        ("{views: {count: 1, ops: [upper, {split_string: {max_tokens: 5}}]}}", "split_string"),
        ("{random_choice: [{views: {count: 1, ops: [{split_string: {max_tokens: 5}}]}}]}", "split_string"),
    ],
)
def test_ragged_rows_of_a_batch(tf: Any, chain: str, refused: str | None) -> None:
    """What makes ragged rows of a batch is refused inside, and taken of elements; texts of a batch are no matter."""
    text = f"""\
safedata: 1
source: {{synthetic: {{components: {{text: "string[<=20B]"}}, count: 6}}}}
steps:
  - STEP
  - map: {{text: [{chain}]}}
"""
    assert len(list(safedata.load(text.replace("STEP", "take: 6")))) == 6
    batched = text.replace("STEP", "batch: 3")
    found = [one for one in safedata.check(batched, host="8GiB").problems if one.severity == "error"]
    if refused is None:
        assert len(list(safedata.load(batched))) == 2
        return
    [problem] = found
    assert problem.code == "SD207"
    assert problem.message.startswith(f"`{refused}` makes ragged rows of a batch, which ")
    assert problem.help == "put this map before `batch`"


@pytest.mark.tf
@pytest.mark.parametrize(("p", "flipped"), [(0.0, False), (1.0, True)])
def test_never_and_always(tf: Any, p: float, flipped: bool) -> None:
    """Probabilities of 0 and 1 leave nothing to chance."""
    import numpy as np

    images = values(count=8)
    for made, value in zip(run_each(tf, FLIP.replace("0.3", str(p)), SQUARE, images), images, strict=True):
        np.testing.assert_array_equal(made, value[:, ::-1] if flipped else value)


@pytest.mark.tf
def test_equal_operations_draw_apart(tf: Any) -> None:
    """Two equal operations in one chain, and in two chains, have draws of their own."""
    import numpy as np

    one = "{random_apply: {p: 1.0, ops: [{random_brightness: 50}, {random_brightness: 50}]}}"
    shift = [
        np.median(made.astype(int) - 100)
        for made in run_each(tf, one, SQUARE, [np.full((24, 24, 3), 100)] * 12)
    ]
    assert len(set(shift)) > 6
    assert max(map(abs, shift)) > 50


@pytest.mark.parametrize(
    ("text", "x", "wanted"),
    [
        ("{random_apply: {ops: [{center_crop: [20, 20]}]}}", SQUARE, "uint8[<=24, <=24, 3]"),
        ("{random_apply: {ops: [{random_crop: [24, 24]}]}}", SQUARE, "uint8[24, 24, 3]"),
        ("{random_choice: [{center_crop: [20, 9]}, {center_crop: [9, 21]}]}", SQUARE, "uint8[<=20, <=21, 3]"),
        ("{random_choice: [{center_crop: [20, 9]}, rot90]}", AT_MOST, "uint8[<=70, <=60, 3]"),
    ],
)
def test_joined_types(text: str, x: Any, wanted: str) -> None:
    """Dimensions hold for every way that an element can take."""
    assert str(parse(text).infer(x)) == wanted


@pytest.mark.parametrize(
    ("text", "at", "message", "way_out"),
    [
        (
            "{random_apply: {ops: [rot90, {resize: [9, 9]}, random_flip_up_down]}}",
            ("ops", 1, "resize"),
            "`random_apply` makes float32[9, 9, 3] here and uint8[24, 24, 3] where it leaves the element as it is",
            "write `keep_dtype: true` in `resize`",
        ),
        (
            "{random_choice: {ops: [rot90, [rot90, {cast: float32}]]}}",
            ("ops", 1, 1, "cast"),
            "here and uint8[24, 24, 3] with another of `ops`",
            "end the chain with `{cast: uint8}`",
        ),
        (
            "{random_choice: {ops: [{cast: float32}, rot90]}}",
            (),
            "makes uint8[24, 24, 3] here",
            "`{cast: float32}`",
        ),
        (
            "{random_apply: {ops: [{reshape: [-1]}]}}",
            ("ops", 0, "reshape"),
            "must have one dtype and rank",
            "behind",
        ),
    ],
)
def test_ways_of_different_dtypes(text: str, at: tuple[Any, ...], message: str, way_out: str) -> None:
    """Ways that end in different dtypes are an error at the operation that makes them differ."""
    found = fault(text, SQUARE)
    assert (found.code, found.at) == ("SD215", at)
    assert message in found.message
    assert way_out in (found.help or "")


@pytest.mark.parametrize(
    ("text", "code", "at", "message"),
    [
        (
            "{random_apply: {ops: [rot90, {random_crop: [30, 9]}]}}",
            "SD203",
            ("ops", 1, "random_crop"),
            "height of 30",
        ),
        ("{random_choice: [[rot90, lower]]}", "SD202", (0, 1), "`lower` takes string"),
        ("{random_apply: {ops: [rot90, mixup]}}", "SD216", ("ops", 1), "their labels have to be mixed alike"),
    ],
)
def test_inner_faults_have_their_place(text: str, code: str, at: tuple[Any, ...], message: str) -> None:
    """What is wrong with an inner operation is reported there."""
    found = fault(text, SQUARE)
    assert (found.code, found.at) == (code, at)
    assert message in found.message


@pytest.mark.parametrize(
    ("entry", "code", "column", "message"),
    [
        ("{random_apply: {ops: [rot9]}}", "SD106", 44, "there is no operation `rot9`"),
        ("{random_apply: {ops: [{resize: [4, x]}]}}", "SD105", 57, "not `x`"),
        ("{random_choice: [rot90, [rot90, {crop: 1, b: 2}]]}", "SD105", 54, "one operation"),
        ("{random_apply: {ops: []}}", "SD105", 43, "ops"),
        ("{random_apply: {ops: [rot90], p: 2}}", "SD105", 55, "p"),
        ("{random_choice: {ops: [rot90], weights: [1, 2]}}", "SD105", None, "`weights` needs 1 numbers"),
        ("{random_choice: {ops: [rot90], weights: [0]}}", "SD105", None, "needs a number above 0"),
        ("{views: {ops: [rot90]}}", "SD105", None, "give either `each`"),
    ],
)
def test_entries_that_cannot_be_read(entry: str, code: str, column: int | None, message: str) -> None:
    """What an inner entry says wrong is one problem, at that entry."""
    source = "synthetic: {components: {x: 'uint8[8, 8, 3]'}, count: 4}"
    text = f"safedata: 1\nsource: {{{source}}}\nsteps:\n  - map: {{'x, y': [{{from: x}}, {entry}]}}\n"
    [problem] = safedata.check(text, host="8GiB").problems
    assert (problem.code, message in problem.message) == (code, True), problem.message
    assert problem.span is not None
    assert column is None or problem.span.column >= column


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{random_apply: {ops: [{center_crop: [20, 20]}]}}", "which no batch can hold"),
        ("{random_choice: [{center_crop: [20, 9]}, {center_crop: [9, 21]}]}", "which no batch can hold"),
        ("{random_apply: {ops: [decode_image]}}", "`decode_image` takes one element, not a batch"),
    ],
)
def test_refused_in_a_batch(text: str, message: str) -> None:
    """Ways that end in different shapes, and operations for elements, cannot stand behind a batch."""
    from safedata.problem import Fault
    from tests.ops.conformance import KNOWN_FILE

    x = KNOWN_FILE if "decode" in text else SQUARE
    with pytest.raises(Fault, match=message) as caught:
        joint.read(text).check_all((x,), 1)
    assert caught.value.code == "SD207"


def test_bytes() -> None:
    """One element holds the costliest chain, a batch the costliest beside what was chosen before it."""
    op = parse("{random_choice: [[{resize: {size: [60, 60], keep_dtype: true}}, {resize: {size: [24, 24], "
               "keep_dtype: true}}], rot90, []]}")  # fmt: skip
    y = op.infer(SQUARE)
    costly = cast("Nested", op).peaks((SQUARE,))
    assert costly[2] == 0
    assert op.workspace(SQUARE, y) == max(one or 0 for one in costly) - (y.bytes or 0) + 4096
    first, second, third = (one or 0 for one in cast("Nested", op).peaks((SQUARE,), 5))
    result = 5 * (y.bytes or 0)
    most = max(first, second + result, third + result, 3 * result)
    assert op.batch_workspace(SQUARE, y, 5) == most - result + 4096 + 5 * 32


def test_on_a_gpu() -> None:
    """It runs on a GPU where all of its operations do."""
    from tests.ops.conformance import FLOAT

    assert parse("{random_apply: {ops: [random_flip_left_right, {random_brightness: 0.1}]}}").on_gpu(FLOAT)
    assert not parse("{random_apply: {ops: [random_flip_left_right, rand_augment]}}").on_gpu(FLOAT)


@pytest.mark.tf
def test_views(tf: Any) -> None:
    """Views have draws of their own, an element of a batch the same as alone, and chains of their own sizes."""
    import numpy as np

    text = "{views: [{random_crop: [20, 20]}, [random_flip_left_right, {random_crop: [9, 8]}], []]}"
    images = np.stack(values(count=10))
    assert [str(y) for y in joint.read(text).infer_all((SQUARE,))] == [
        "uint8[20, 20, 3]",
        "uint8[9, 8, 3]",
        "uint8[24, 24, 3]",
    ]
    made = joint.run_batch(tf, text, [SQUARE], [images])
    for number in range(10):
        for one, alone in zip(made, joint.run(tf, text, [SQUARE], [images[number]], number), strict=True):
            np.testing.assert_array_equal(one[number], alone)
    twice = joint.run_batch(tf, "{views: {count: 2, ops: [{random_crop: [9, 9]}]}}", [SQUARE], [images])
    assert (twice[0] != twice[1]).any(axis=(1, 2, 3)).sum() > 7
    np.testing.assert_array_equal(made[2], images)


def test_views_of_several() -> None:
    """Views are made of one component, and each chain makes one."""
    assert joint.fault("{views: {count: 2, ops: [rot90]}}", SQUARE, SQUARE).code == "SD216"
    found = joint.fault("{views: [rot90, [rot90, {split: {num_or_size_splits: 3, axis: -1}}]]}", SQUARE)
    assert (found.code, found.at) == ("SD216", (1, 1, "split"))
    assert "this one makes 3 components" in found.message


@pytest.mark.tf
def test_batches_that_turn_out_to_differ(tf: Any) -> None:
    """Shapes that may be equal are compared in a batch."""
    x = image(Dim.at_most(24), Dim.at_most(24), 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"SD207: random_apply .*24 x 20 x 3"):
        run_batch(tf, "{random_apply: {ops: [rot90]}}", x, values((20, 24, 3), 4))


IMAGE, LABEL = image(Dim.exactly(5), Dim.exactly(4), 3), joint.numbers(6)
MASK = replace(IMAGE, kind="mask")
MIX = "{random_choice: {ops: [mixup, [cutmix, {cast: float32}], {cast: float32}], weights: [2, 2, 1]}}"


@pytest.mark.tf
def test_mixes_some_of_a_batch(tf: Any) -> None:
    """Each element of a batch is mixed in the way that its draw says, its label with it, and others stay."""
    import numpy as np

    images, labels = batch(40)
    made, shares = joint.run_batch(tf, MIX, [IMAGE, LABEL], [images, labels])
    ways = [
        joint.run_batch(tf, f"{{random_choice: [{one}]}}", [IMAGE, LABEL], [images, labels])
        for one in ("[mixup]", "[cutmix, {cast: float32}]", "{cast: float32}")
    ]
    which = [sum(drawn(tf, 1, number)[0] >= end for end in (0.4, 0.8)) for number in range(40)]
    assert set(which) == {0, 1, 2}
    for number in (
        number for number, way in enumerate(which) if way != 1
    ):  # the draws of a chain follow its place
        np.testing.assert_array_equal(made[number] == images[number], ways[2][0][number] == made[number])
        if which[number] == 0:
            np.testing.assert_array_equal(made[number], ways[0][0][number])
            np.testing.assert_array_equal(shares[number], ways[0][1][number])
        else:
            np.testing.assert_array_equal(made[number], images[number])
            np.testing.assert_array_equal(shares[number], labels[number])
    mixed = [number for number in range(40) if which[number] == 1]
    assert any((made[number] != images[number]).any() for number in mixed)
    assert (made[mixed] == np.round(made[mixed])).all()
    np.testing.assert_allclose(shares.sum(-1), 1, atol=1e-6)


@pytest.mark.tf
def test_linked_components_go_the_same_way(tf: Any) -> None:
    """An image and its mask take one way by one draw, in a batch as alone, and colours leave the mask alone."""
    import numpy as np

    text = "{random_apply: {p: 0.5, ops: [{random_choice: [flip_left_right, flip_up_down]}, random_invert]}}"
    images = np.stack(values((5, 4, 3), 20))
    made, masks = joint.run_batch(tf, text, [IMAGE, MASK], [images, images])
    flipped = 0
    for number, value in enumerate(images):
        alone = joint.run(tf, text, [IMAGE, MASK], [value, value], number)
        np.testing.assert_array_equal(made[number], alone[0])
        np.testing.assert_array_equal(masks[number], alone[1])
        assert (made[number] == masks[number]).all() or (made[number] == 255 - masks[number]).all()
        flipped += (masks[number] != value).any()
    assert 4 < flipped < 16


def test_ways_of_several_components() -> None:
    """Ways of linked components must end in as many, of the same dtypes."""
    dtypes = joint.fault("{random_apply: {ops: [mixup]}}", IMAGE, LABEL)
    assert (dtypes.code, dtypes.at) == ("SD215", ("ops", 0))
    assert "makes float32[5, 4, 3] here and uint8[5, 4, 3] where it leaves" in dtypes.message
    assert "bring the component to float32 before both ways" in (dtypes.help or "")
    number = joint.fault("{random_choice: [rot90, [rot90, {concat: -1}]]}", IMAGE, IMAGE)
    assert (number.code, number.at) == ("SD216", (1, 1, "concat"))
    assert "makes uint8[4, 5, 6] here and uint8[4, 5, 3] and uint8[4, 5, 3] with another" in number.message


def test_mixing_needs_a_batch() -> None:
    """What mixes a batch cannot stand before it, inside of others too."""
    from safedata.problem import Fault

    with pytest.raises(Fault, match="`mixup` works on a batch, and here is one element") as caught:
        joint.read("{random_apply: {ops: [{random_choice: [mixup]}]}}").check_all((IMAGE, LABEL), 0)
    assert (caught.value.code, caught.value.at) == ("SD207", ("ops", 0, "random_choice", 0))


def test_mixing_on_a_gpu() -> None:
    """Mixing some of a batch runs on a GPU where the mixing does, and is counted with all ways."""
    floats = replace(IMAGE, dtype="float32")
    op = joint.read("{random_choice: [mixup, cutmix]}")
    assert op.off_gpu((floats, LABEL)) is None
    assert op.off_gpu((replace(IMAGE, dtype="bfloat16"), LABEL)) is not None
    ys = op.infer_all((floats, LABEL))
    assert (op.batch_workspace_all((floats, LABEL), ys, 1) or 0) > 2 * sum(y.bytes or 0 for y in ys)
