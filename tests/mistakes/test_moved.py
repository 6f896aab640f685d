"""Images that are moved without what belongs to them."""

from __future__ import annotations

import pytest

from tests.mistakes.specs import codes, found

PAIR = 'synthetic: {components: {image: "uint8[8, 8, 3]", target: "uint8[8, 8, 3]"}, count: 100}'
MASK = 'synthetic: {components: {image: "uint8[8, 8, 3]", %s: %s}, count: 100}'

TWICE = "{image: [{random_apply: {p: 0.5, ops: [%s]}}], target: [{random_apply: {p: 0.5, ops: [%s]}}]}"


def pair(*chains: str) -> list[str]:
    return codes(
        "shuffle: all", *(f"map: {chain}" for chain in chains), "batch: 10", "prefetch: 2", source=PAIR
    )


@pytest.mark.parametrize(
    ("chains", "wanted"),
    [
        (("{image: [random_flip_left_right], target: [random_flip_left_right]}",), ["SD618"]),
        (("{image: [random_flip_left_right]}", "{target: [random_flip_left_right]}"), ["SD618"]),
        (("{image: [{random_crop: [4, 4]}], target: [{random_crop: [4, 4]}]}",), ["SD618"]),
        (("{image: [random_rot90], target: [random_rot90]}",), ["SD618"]),
        (
            (TWICE % ("rot90", "rot90"),),
            ["SD618"],
        ),
        (
            (TWICE % ("{random_hue: 0.1}", "{random_hue: 0.1}"),),
            [],
        ),
        (("{image: [{random_brightness: 9}], target: [{random_brightness: 9}]}",), []),
        (("{'image, target': [random_flip_left_right]}",), []),
        (
            (
                "{'image, target': [rot90]}",
                "{image: [random_flip_left_right], target: [random_flip_left_right]}",
            ),
            ["SD618"],
        ),
        (
            ("{image: [{random_apply: {ops: [random_flip_left_right]}}], target: [random_flip_left_right]}",),
            ["SD618"],
        ),
        (("{image: [random_flip_left_right], target: [{random_crop: [4, 4]}]}",), []),
        (
            ("{one: [{from: image}, random_flip_left_right], two: [{from: image}, random_flip_left_right]}",),
            [],
        ),
        (("{both: '= concat(image, target, axis=2)'}", "{both: [random_flip_left_right]}"), []),
    ],
)
def test_two_components_of_the_source_are_moved_apart(chains: tuple[str, ...], wanted: list[str]) -> None:
    """SD618 comes where one operation moves two components with a draw each; two views of one may differ."""
    assert pair(*chains) == wanted


@pytest.mark.parametrize(
    ("name", "kind", "severity"),
    [
        ("labels", '{type: "uint8[8, 8, 1]", kind: mask}', "error"),
        ("mask", '"uint8[8, 8, 1]"', "warning"),
        ("bbox", '"float32[4]"', "warning"),
    ],
)
def test_what_belongs_to_an_image_stays_behind(name: str, kind: str, severity: str) -> None:
    """By its kind a mask that stays behind is an error, by its name alone a warning."""
    steps = ("shuffle: all", "map: {image: [random_flip_left_right]}", "batch: 10", "prefetch: 2")
    [problem] = found(*steps, source=MASK % (name, kind))
    assert (problem.code, problem.severity) == ("SD619", severity)
    assert problem.message == f"`random_flip_left_right` moves `image`, and `{name}` stays where it was"


@pytest.mark.parametrize(
    "steps",
    [
        ("map: {image: [{random_brightness: 9}]}",),
        ("map: {image: [random_flip_left_right]}", "drop: mask"),
        ("map: {mask: [random_flip_left_right]}",),
        ("map: {'image, mask': [random_flip_left_right]}",),
        ("map: {image: [{resize: [4, 4]}]}",),
    ],
)
def test_what_is_not_moved_leaves_nothing_behind(steps: tuple[str, ...]) -> None:
    """Changes of values, masks that do not leave, and masks moved alone are not SD619."""
    source = MASK % ("mask", '"uint8[8, 8, 1]"')
    assert not codes("shuffle: all", *steps, "batch: 10", "prefetch: 2", source=source)


KIND = MASK % ("labels", '{type: "uint8[8, 8, 1]", kind: mask}')


@pytest.mark.parametrize(
    "op", ["flip_left_right", "rot90", "transpose_image", "{reverse: 1}", "{resize_with_crop_or_pad: [4, 4]}"]
)
@pytest.mark.parametrize("mask", ["", ", labels: '= labels > 0'", ", labels: [{cast: int32}]"])
def test_what_is_turned_the_same_way_leaves_a_mask_behind(op: str, mask: str) -> None:
    """A move without a draw is a warning, whatever is done to the values of the mask."""
    [problem] = found(
        "shuffle: all", f"map: {{image: [{op}]{mask}}}", "batch: 10", "prefetch: 2", source=KIND
    )
    assert (problem.code, problem.severity) == ("SD619", "warning")
    assert (problem.help or "").startswith("give `labels` the same `")


@pytest.mark.parametrize(
    "chains",
    [
        "{image: [rot90], labels: [rot90]}",
        "{'image, labels': [rot90]}",
        "{image: [flip_left_right], labels: '= labels[:, ::-1]'}",
        "{image: [flip_left_right], labels: [{reverse: 1}]}",
        "{image: [{reverse: 2}]}",
        "{image: [{pad_image: {padding: 2}}]}",
        "{labels: [flip_left_right]}",
    ],
)
def test_what_is_turned_with_its_mask_is_in_step(chains: str) -> None:
    """Masks that are moved too, in any words, channels in another order, and a border are not SD619."""
    assert not codes("shuffle: all", f"map: {chains}", "batch: 10", "prefetch: 2", source=KIND)


def test_a_sequence_turned_round_is_no_image() -> None:
    """`reverse` of tokens says nothing about a mask beside them."""
    source = 'synthetic: {components: {tokens: "int64[8]", mask: "bool[8]"}, count: 100}'
    assert not codes("shuffle: all", "map: {tokens: [reverse]}", "batch: 10", "prefetch: 2", source=source)
