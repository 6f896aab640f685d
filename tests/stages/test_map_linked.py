"""`map` with chains on several components: linked ones, joined ones, parts."""

from __future__ import annotations

from typing import Any

import pytest

import safedata
from safedata.cardinality import exactly
from safedata.problem import Fault, Problem
from safedata.types import Dim, Stream, Tensor, image

PAIR = """\
safedata: 1
runtime: {{accept: [SD618, SD619]}}
source:
  synthetic:
    components:
      image: {{type: "uint8[{size}, 3]", kind: image}}
      label: int64[]
      small: {{type: "uint8[8, 8, 1]", kind: mask}}
    count: {count}
    vary: true
steps:
  - map:
      - mask: [{{from: image}}, {{slice: {{stop: 1, axis: -1}}}}, {{set_kind: mask}}]
        twin: [{{from: image}}]
        alone: [{{from: image}}]
"""
MOVES = [
    "random_flip_left_right",
    "random_flip_up_down",
    "{random_crop: [7, 5]}",
    "{random_resized_crop: {size: [9, 8], method: nearest}}",
    "{random_rotation: {factor: 0.2, interpolation: nearest}}",
    "{random_affine: {rotation_factor: 0.1, zoom_factor: 0.3, width_factor: 0.2, interpolation: nearest}}",
    "{random_zoom: {height_factor: 0.4, interpolation: nearest}}",
    "{scale_jitter: {size: [10, 9], scale: [0.5, 2.0], method: nearest}}",
    "{resize: {size: [5, 17], method: nearest}}",
    "{resize_with_pad: {size: [20, 9], method: nearest}}",
    "{resize_with_crop_or_pad: [20, 9]}",
    "{resize_keep_aspect: {short_side: 7, long_side: 14, method: nearest}}",
    "{pad_image: {multiple: 8}}",
    "{center_crop: [6, 5]}",
    "{random_apply: {p: 0.5, ops: [random_flip_left_right, {random_translation: {height_factor: 0.3, "
    "width_factor: 0.3, interpolation: nearest}}]}}",
    "{random_choice: [random_flip_left_right, [rot90, rot90], []]}",
    "{rand_augment: {num_ops: 1, interpolation: nearest}}",
]


def spec(*lines: str, size: str = "12, 11", count: int = 12) -> str:
    """Return a spec whose map goes on with these groups and other steps."""
    return PAIR.format(size=size, count=count) + "".join(f"{line}\n" for line in lines)


def elements(*lines: str, **more: Any) -> list[dict[str, Any]]:
    """Return the elements of a spec."""
    return list(safedata.load(spec(*lines, **more)).as_numpy_iterator())


def problems(*lines: str, **more: Any) -> list[Problem]:
    """Return the errors of a spec, on a machine with room."""
    found = safedata.check(spec(*lines, **more), host="64GiB").problems
    return [one for one in found if one.severity == "error"]


@pytest.mark.tf
@pytest.mark.parametrize("move", MOVES)
def test_one_draw_moves_all(tf: Any, move: str) -> None:
    """A mask made of an image's first channel is that of the moved image, and a twin is moved alike."""
    import numpy as np

    made = elements(f"      - image, mask, twin: [{move}]")
    moved = 0
    for one in made:
        np.testing.assert_array_equal(one["image"], one["twin"])
        changed = one["mask"].shape != (12, 11, 1) or (one["mask"] != one["alone"][..., :1]).any()
        if "rand_augment" not in move or changed:  # else it may have changed colours
            np.testing.assert_array_equal(one["image"][..., :1], one["mask"])
        moved += changed
    assert moved or move.startswith("{pad")


@pytest.mark.tf
def test_the_draw_is_that_of_one_alone(tf: Any) -> None:
    """The image is what it would be in a chain of its own."""
    import numpy as np

    chain = "[random_flip_left_right, {random_crop: [7, 5]}, {random_brightness: 20}]"
    alone = elements(f"      - image: {chain}")
    linked = elements(f"      - image, mask: {chain}")
    for one, other in zip(alone, linked, strict=True):
        np.testing.assert_array_equal(one["image"], other["image"])


@pytest.mark.tf
def test_a_batch_gives_what_elements_give(tf: Any) -> None:
    """Linked components behind `batch` are moved as before it."""
    import numpy as np

    chain = (
        "[random_flip_left_right, {random_apply: {p: 0.5, ops: [random_flip_up_down]}}, "
        "{random_choice: {ops: [{random_brightness: 20}, rot90, []], weights: [1, 1, 2]}}, {random_crop: [7, 5]}]"
    )
    step = f"  - map: {{'image, mask': {chain}}}"
    before, behind = (
        elements(*steps, size="12, 12") for steps in ((step, "  - batch: 4"), ("  - batch: 4", step))
    )
    for one, other in zip(before, behind, strict=True):
        np.testing.assert_array_equal(one["image"], other["image"])
        np.testing.assert_array_equal(one["mask"], other["mask"])


@pytest.mark.tf
def test_a_mask_keeps_its_classes(tf: Any) -> None:
    """Pixels of a mask are the nearest ones, its values are left alone, borders get `mask_value`."""
    import numpy as np

    chain = (
        "[{random_brightness: 30}, {resize: [30, 31]}, {random_rotation: {factor: 0.3, fill_mode: constant, "
        "fill_value: 7, mask_value: 255}}, {rescale: [0, 1]}, "
        "{pad_image: {size: [40, 40], value: 0.5, mask_value: 254}}]"
    )
    for one in elements(f"      - image, mask: {chain}", count=4):
        assert one["image"].dtype == np.float32
        assert one["mask"].dtype == np.uint8
        assert set(one["mask"].ravel()) <= {*one["alone"][..., 0].ravel(), 254, 255}
        assert (one["mask"][30:] == 254).all()
        assert (one["image"][30:] == 0.5).all()


@pytest.mark.tf
def test_sizes_are_compared_at_run_time(tf: Any) -> None:
    """Sizes that may be equal are compared element by element, and the message has the element."""
    lines = (
        "      - image: [{random_apply: {p: 1.0, ops: [{center_crop: [6, 6]}]}}]",
        "      - image, mask: [{random_crop: [4, 4]}]",
    )
    with pytest.raises(
        Exception, match=r"(?s)image and mask must have one height and one width.*6 x 6, 12 x 11"
    ):
        elements(*lines)


@pytest.mark.parametrize(
    ("key", "chain", "code", "message", "way_out"),
    [
        ("image, small", "[{random_crop: [4, 4]}]", "SD217", "their sizes differ", "bring both to one size"),
        ("image, label", "[random_flip_left_right]", "SD203", "takes an image", None),
        ("image, alone", "[concat]", "SD216", "makes 1 component, and `image, alone` names 2", "name 1"),
        (
            "image",
            "[{split: 3}]",
            "SD216",
            "makes 3 components, and `image` names 1",
            "`image, other: [...]`",
        ),
        ("image, alone", "= image", "SD216", "an expression makes one component", "an expression each"),
        ("image, image", "[rot90]", "SD105", "names the component `image` twice", "name each once"),
        ("image,", "[rot90]", "SD105", "is not a name for a component", None),
        ("image, alone", "[mixup]", "SD207", "works on a batch, and here is one element", "behind `batch`"),
        (
            "x",
            "[{from: [image, imag]}, concat]",
            "SD201",
            "no component `imag` here",
            "did you mean `image`?",
        ),
        ("x", "[{from: []}, concat]", "SD105", "one component, a list of several", "`{from: image}`"),
        (
            "x",
            "[{from: [image, a, image]}, concat]",
            "SD105",
            "names the component `image` twice",
            "name each once",
        ),
    ],
)
def test_refused(key: str, chain: str, code: str, message: str, way_out: str | None) -> None:
    """What cannot be linked is one error, at the chain, with a way out."""
    [problem] = problems(f"      - {key}: {chain}")
    assert problem.code == code
    assert message in problem.message
    assert way_out is None or way_out in (problem.help or "")
    assert problem.span is not None
    assert problem.span.line == 16


def test_the_component_is_named() -> None:
    """The error of one of several components says which."""
    [problem] = problems("      - image, label: [random_flip_left_right]")
    assert problem.notes == ("the component is `label`, one of those that are linked",)


def test_boxes(read: Any, scope: Any) -> None:
    """Boxes that would have to move are an error at the operation, and operations on values leave them alone."""
    x = image(Dim.exactly(9), Dim.exactly(9), 3)
    boxes = Tensor("float32", (Dim.exactly(2), Dim.exactly(4)), kind="boxes")
    before = Stream({"image": x, "boxes": boxes}, exactly(3))
    after = read("map: {'image, boxes': [{random_brightness: 20}]}").infer(before, scope)
    assert after.element["boxes"] == boxes
    with pytest.raises(Fault, match="`random_crop` does not move boxes along") as caught:
        read("map: {'image, boxes': [{random_brightness: 20}, {random_crop: [3, 3]}]}").infer(before, scope)
    assert (caught.value.code, caught.value.at) == ("SD110", ("image, boxes", 1, "random_crop"))
    assert "leave them out of the linked components" in (caught.value.help or "")


def test_two_chains_of_one_component(read: Any) -> None:
    """One group makes a component once."""
    with pytest.raises(Fault, match="two chains of one group make `b`"):
        read("map: {'a, b': [rot90], 'b, c': [rot90]}")


def test_needs(read: Any) -> None:
    """All that a chain starts from must come in, and what it makes need not."""
    step = read("map: [{'a, b': [rot90], x: [{from: [c, d]}, concat]}, {'p, q': [{from: x}, shift_split]}]")
    assert step.needs(frozenset({"p", "e"})) == {"a", "b", "c", "d", "e"}


def test_one_required_field_missing() -> None:
    """An operation that needs a field and has none is an error at its name."""
    [problem] = problems("      - image: [resize]")
    assert problem.code == "SD104"


def test_bytes_of_linked_components(read: Any, scope: Any) -> None:
    """Two linked images hold what two chains hold."""
    x = image(Dim.exactly(100), Dim.exactly(100), 3)
    before = Stream({"a": x, "b": x}, exactly(3))
    linked, apart = (
        step.call_bytes(before, step.infer(before, scope), scope)
        for step in (
            read("map: {'a, b': [{resize: [50, 50]}, {random_crop: [9, 9]}]}"),
            read(
                "map: {a: [{resize: [50, 50]}, {random_crop: [9, 9]}], b: [{resize: [50, 50]}, {random_crop: [9, 9]}]}"
            ),
        )
    )
    assert linked == apart
    joined = read("map: {x: [{from: [a, b]}, concat, {cast: float32}]}")
    assert joined.call_bytes(before, joined.infer(before, scope), scope) == 2 * 30_000 + 60_000 + 240_000


@pytest.mark.tf
def test_views_differ(tf: Any) -> None:
    """Two views of one image have draws of their own."""
    made = elements("      - one, two: [{from: image}, {views: {count: 2, ops: [{random_crop: [5, 5]}]}}]")
    assert sum((one["one"] != one["two"]).any() for one in made) > 6


@pytest.mark.tf
def test_explain(tf: Any, capsys: Any) -> None:
    """A report names the components of a chain together, once."""
    from safedata.report.steps import chains

    verdict = safedata.check(spec("      - image, mask: [random_flip_left_right]"), host="64GiB")
    assert verdict.plan is not None
    lines = [line for step in verdict.plan.steps for line in chains(step)]
    assert lines[-1] == "image, mask: random_flip_left_right"


@pytest.mark.parametrize(
    ("written", "message", "way_out"),
    [
        ("{image, mask: [rot90]}", "`image` has no operations", '`"image, mask": [...]`'),
        (
            "{image, twin, mask: [rot90]}",
            "`image` and `twin` have no operations",
            '`"image, twin, mask": [...]`',
        ),
        ("{mask: [rot90], image: }", "`image` has no operations", "write `image: [...]`"),
    ],
)
def test_names_without_quotes(written: str, message: str, way_out: str) -> None:
    """In braces YAML takes names that a comma parts for names without a value, which is one error, at the first."""
    [problem] = problems(f"  - map: {written}")
    assert (problem.code, problem.message) == ("SD105", message)
    assert way_out in (problem.help or "")
    assert problem.span is not None
    assert problem.span.column == written.index("image") + 10


@pytest.mark.parametrize(
    ("chain", "advised"),
    [("[paid_by, lower]", True), ("paid_by", True), ("[lower, paid_by]", False), ("[{paid_by: 3}]", False)],
)
def test_a_components_name_in_place_of_an_operation(chain: str, advised: bool) -> None:
    """Where a chain begins with a name alone, the help says how a component is taken."""
    source = "synthetic: {components: {paid_by: 'string[<=9B]'}, count: 4}"
    text = f"safedata: 1\nsource: {{{source}}}\nsteps:\n  - map: {{new: {chain}}}\n"
    found = next(one for one in safedata.check(text, host="8GiB").problems if one.code == "SD106")
    assert ("start the chain with `{from: paid_by}`" in (found.help or "")) == advised
