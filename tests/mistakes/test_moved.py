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
