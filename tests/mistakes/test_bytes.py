"""Buffers that hold more than they need to."""

from __future__ import annotations

import re

import pytest

from tests.mistakes.specs import ROOT, codes, found, images

END = ("batch: 32", "prefetch: 2")
FLOAT = "map: {image: [{cast: float32}, {rescale: [0, 1]}]}"
BYTES = 'synthetic: {components: {image: "uint8[224, 224, 3]"}, count: 2000}'
JPEG = 'synthetic: {components: {image: "string[<=16KiB]"}, count: 2000}'
DECODE = "map: {image: [{decode_image: {channels: 3, max_size: [300, 300]}}, {resize: [224, 224]}]}"


@pytest.mark.parametrize(
    ("steps", "source", "wanted"),
    [
        ((FLOAT, "shuffle: 1000", *END), BYTES, ["SD612"]),
        (("shuffle: 1000", FLOAT, *END), BYTES, []),
        ((FLOAT, "shuffle: 25", *END), BYTES, []),
        ((DECODE, "shuffle: 1000", *END), JPEG, ["SD612"]),
        ((FLOAT, "select: [image]", "shuffle: 1000", *END), BYTES, ["SD612"]),
        (("map: {image: [{cast: uint8}]}", "shuffle: 1000", *END), BYTES, []),
        ((FLOAT, "shuffle: 1GiB", *END), BYTES, ["SD612"]),
        ((FLOAT, "shuffle: 100MiB", *END), BYTES, []),
        ((FLOAT, "filter: mean(image) > 0.1", "shuffle: 1000", *END), BYTES, ["SD612"]),
        ((FLOAT, "assert: mean(image) >= 0", "shuffle: 1000", *END), BYTES, ["SD612"]),
        ((FLOAT, "enumerate: number", "shuffle: 1000", *END), BYTES, ["SD612"]),
        ((FLOAT, "take: 1500", "prefetch: 2", "shuffle: 1000", *END), BYTES, ["SD612"]),
        ((FLOAT, "take: 50", "shuffle: 1000", *END), BYTES, []),
        ((FLOAT, "filter: mean(image) > 0.1", "take: 1500", "shuffle: 1000", *END), BYTES, []),
        (
            (FLOAT, "cache: memory", "map: {image: [flip_left_right]}", "shuffle: 1000", *END),
            BYTES,
            ["SD612", "SD613"],
        ),
        (("cache: memory", FLOAT, "shuffle: 1000", *END), BYTES, ["SD612"]),
    ],
)
def test_a_shuffle_behind_a_map_that_widens_could_stand_before_it(
    steps: tuple[str, ...], source: str, wanted: list[str]
) -> None:
    """SD612 comes where 64 MiB and half of the buffer would be saved by moving it, and nothing keeps it there."""
    assert codes(*steps, source=source) == wanted


def test_a_shuffle_of_decoded_files_could_hold_their_paths() -> None:
    """In front of the map a shuffle of files holds paths, for reading moves behind it as well."""
    photos = "image_folder: {path: data/photos}"
    steps = ("map: {image: [decode_image, {resize: [512, 512]}]}", "shuffle: all", "batch: 8", "prefetch: 2")
    [problem] = found(*steps, source=photos, folder=ROOT / "specs")
    assert problem.code == "SD612"
    assert problem.message.endswith("KiB")
    assert "path: string" in problem.notes[0]


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        ((FLOAT, "cache: memory", *END), ["SD613"]),
        (("cache: memory", FLOAT, *END), []),
        ((FLOAT, "take: 10", "cache: memory", *END), []),
        (
            ("map: [{image: [{cast: float32}]}, {image: [{rescale: [0, 1]}]}]", "cache: memory", *END),
            ["SD613"],
        ),
        (
            (
                "map: {image: [{cast: float32}]}",
                FLOAT.replace("cast: float32", "cast: float64"),
                "cache: memory",
            ),
            ["SD613"],
        ),
        (("map: {image: [{resize: [200, 200]}, {rescale: [0, 1]}]}", "cache: memory", *END), ["SD613"]),
        (("map: {image: [{resize: {size: [200, 200], keep_dtype: true}}]}", "cache: memory", *END), []),
        (("map: {image: [{resize: {size: [200, 200], method: bicubic}}]}", "cache: memory", *END), []),
        (("map: {image: = image / 255}", "cache: memory", *END), ["SD613"]),
        (("map: {x: = image / 255}", "drop: image", "cache: memory", *END), ["SD613"]),
        (("map: {image: [{from: = image / 255}, {cast: float64}]}", "cache: memory", *END), ["SD613"]),
        (("map: {image: [{cast: int64}]}", "cache: memory", *END), ["SD613"]),
        (("map: {image: '= image[:200] / 255'}", "cache: memory", *END), []),
        (("map: [{mean: = mean(image)}, {image: = image - mean}]", "cache: memory", *END), []),
        (("map: {image: '= image + uniform(0.0, 1.0)'}", "cache: memory", *END), ["SD601"]),
        (("map: [{image: [{cast: float32}]}, {mean: = mean(image)}]", "cache: memory", *END), []),
        ((FLOAT, "filter: mean(image) > 0.1", "cache: memory", *END), []),
        ((FLOAT, "rename: {image: x}", "cache: memory", *END), []),
        ((FLOAT, "batch: 32", "cache: memory", "prefetch: 2"), ["SD613"]),
    ],
)
def test_a_cache_of_floats_that_were_bytes(steps: tuple[str, ...], wanted: list[str]) -> None:
    """SD613 comes where only operations on values lie between, and nothing else reads what they make."""
    assert codes(*steps, source=BYTES) == wanted


def test_an_expression_behind_decoding_is_moved_by_its_text() -> None:
    """The help names an expression as the spec has it, and the decoded image stays before the cache."""
    decode = "map: {image: [{decode_image: {channels: 3, max_size: [200, 200]}}]}"
    [problem] = found(decode, "map: {image: = image / 255}", "cache: memory", "prefetch: 2", source=JPEG)
    assert problem.help == "move `= image / 255` behind `cache`"


def test_class_numbers_take_less_than_their_vectors() -> None:
    """`one_hot` before a cache is SD613 where its vectors are most of what is kept; few classes are not."""
    source = 'synthetic: {components: {label: "int64[]"}, count: 100_000}'
    for depth, wanted in ((1000, ["SD613"]), (3, [])):
        assert codes(f"map: {{label: {{one_hot: {depth}}}}}", "cache: memory", *END, source=source) == wanted


def test_wide_dtypes_are_worked_out_from_the_types() -> None:
    """The message has both sizes; their factor is that of the dtypes."""
    [problem] = found(FLOAT, "cache: memory", *END, source=BYTES)
    payload = 2000 * 224 * 224 * 3 / 2**20
    found_sizes = re.fullmatch(
        r"`cache` holds `image` as float32: ([\d.]+) GiB; as uint8 it would be ([\d.]+) MiB", problem.message
    )
    assert found_sizes is not None
    rounded = 0.005  # of the two decimals
    assert 4 * payload / 1024 - rounded <= float(found_sizes[1]) < 4.2 * payload / 1024
    assert payload <= float(found_sizes[2]) < 1.05 * payload
    assert re.search(r"(3\.9|4\.0) times what uint8 takes", problem.label)
    assert problem.help == "move `cast` and `rescale` behind `cache`"


def test_a_resize_would_have_to_round() -> None:
    """Where `resize` made the floats, the help keeps its dtype and the note says what that costs."""
    steps = ("map: {image: [{resize: [200, 200]}, {rescale: [0, 1]}]}", "cache: memory", *END)
    [problem] = found(*steps, source=BYTES)
    assert problem.help == "give `resize` `keep_dtype: true` and move `rescale` behind `cache`"
    assert problem.notes == ("`keep_dtype` rounds to whole values: at most half a step of 255",)


@pytest.mark.parametrize(
    ("between", "wanted"),
    [
        (["filter: label > 3"], "move this `map` behind `shuffle: 1000`"),
        (["take: 1500"], "move this `map` behind `shuffle: 1000`"),
        (
            ["map: {image: = image * 2}", "enumerate: n"],
            "move this `map` and the maps behind it behind `shuffle: 1000`",
        ),
        (["filter: mean(image) > 0.1"], "move `shuffle: 1000` before this `map`"),
        (["prefetch: 2"], "move `shuffle: 1000` before this `map`"),
    ],
)
def test_the_map_moves_where_the_shuffle_cannot(between: list[str], wanted: str) -> None:
    """What goes by places, or leaves out by what no map made, stays before the shuffle, and the map goes behind it."""
    steps = (FLOAT, *between, "shuffle: 1000", *END)
    source = 'synthetic: {components: {image: "uint8[224, 224, 3]", label: "int64[]"}, count: 2000}'
    [problem] = found(*steps, source=source)
    assert (problem.code, problem.help) == ("SD612", f"{wanted}: the elements and their draws stay the same")


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        (("prefetch: 2", "batch: 10"), ["SD614"]),
        (("batch: 10", "prefetch: 2", "repeat: 2"), ["SD614"]),
        (("batch: 10", "prefetch: 2", "cache: memory"), ["SD614"]),
        (("prefetch: 8", "batch: 10", "prefetch: 2"), []),
        (("prefetch: 8", "cache: memory", "batch: 10", "prefetch: 2"), ["SD614"]),
        (("prefetch: 8", "select: [image]", "cache: memory", "batch: 10", "prefetch: 2"), ["SD614"]),
        (("prefetch: 8", "map: {image: [{cast: int32}]}", "cache: memory", "batch: 10", "prefetch: 2"), []),
        (("cache: memory", "prefetch: 8", "batch: 10", "prefetch: 2"), []),
        (("batch: 10", "prefetch: 2", "take: 3"), []),
        (("prefetch: 2", "window: 10"), ["SD614"]),
        (("prefetch: 2", "rejection_resample: {label: label, target_dist: [1, 1]}", "batch: 10"), ["SD614"]),
        (("batch: 10", "prefetch: 2", "select: [image]"), []),
    ],
)
def test_work_behind_the_last_prefetch_is_waited_for(steps: tuple[str, ...], wanted: list[str]) -> None:
    """SD614 comes where a step that works stands behind the last `prefetch`."""
    assert codes(*steps) == wanted


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        (("shuffle: all", "map: {image: [{cast: float32}]}", "batch: 10"), ["SD615"]),
        (("map: {image: [random_flip_left_right]}", "batch: 10"), ["SD615"]),
        (("map: {image: [{cast: float32}]}", "batch: 10", "repeat"), ["SD615"]),
        (("map: {image: [{cast: float32}]}", "batch: 10"), []),
        (("shuffle: all", "batch: 10"), []),
        (("shuffle: all", "map: {image: [{cast: float32}]}"), []),
    ],
)
def test_training_wants_a_prefetch(steps: tuple[str, ...], wanted: list[str]) -> None:
    """SD615 comes for batches of mapped elements in a spec that shuffles, draws or repeats."""
    assert codes(*steps) == wanted


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        (("batch: 32", "prefetch: 32"), ["SD616"]),
        (("batch: 32", "prefetch: 9"), []),
        (("batch: 32", "prefetch: 2"), []),
        (("batch: 32", "prefetch: 1GiB"), []),
        (("batch: 2", "prefetch: 10"), []),
    ],
)
def test_many_batches_ready_are_too_many(steps: tuple[str, ...], wanted: list[str]) -> None:
    """SD616 comes from ten on, where two would hold 64 MiB less; a buffer given in bytes is meant."""
    assert codes(*steps, source=images(10_000)) == wanted


def test_a_prefetch_as_large_as_the_batch_is_taken_for_elements() -> None:
    """The note says where the number comes from."""
    [problem] = found("batch: 32", "prefetch: 32", source=images(10_000))
    assert problem.notes == ("32 is the size of a batch; `prefetch` counts batches",)


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        (("batch: 10", "unbatch", "batch: 20"), ["SD617"]),
        (("batch: 10", "map: {image: [{cast: float32}]}", "unbatch", "batch: 20"), []),
        (("batch: 10", "unbatch"), []),
        (("batch: {size: 10, drop_remainder: true}", "batch: 2", "unbatch"), []),
    ],
)
def test_batches_taken_apart_unused(steps: tuple[str, ...], wanted: list[str]) -> None:
    """SD617 comes for an `unbatch` of batches that no map has seen, with another batch behind it."""
    assert codes(*steps) == wanted


IMAGE = 'synthetic: {components: {image: {type: "uint8[8, 8, 3]", kind: image}, label: "int64[]"}, count: 9}'


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        (("map: {image: = image / 255}", "map: {image: = image / 255}"), ["SD623"]),
        (("map: [{image: = image / 255}, {image: = (image - 0.5) / 255}]",), ["SD623"]),
        (("map: {image: {rescale: [0, 1]}}", "map: {image: = image * 0.003921568627451 + 1}"), ["SD623"]),
        (("map: {image: {normalize: imagenet}}", "map: {image: = image / 256.0}"), ["SD623"]),
        (("map: {image: = image / 255}", "map: {x: [{from: = image / 255}, {cast: float64}]}"), ["SD623"]),
        (("map: {image: = image / 255}", "map: {image: = (image - 0.5) / 0.5}"), []),
        (("map: {image: = image / 255}", "map: {image: = image * 255}", "map: {image: = image / 255}"), []),
        (("map: {image: = image / 255}", "map: {share: = label / 255}"), []),
        (("map: {image: = image / 255}",), []),
    ],
)
def test_dividing_by_255_twice(steps: tuple[str, ...], wanted: list[str]) -> None:
    """SD623 comes where an expression divides an image by 255 whose values are known to be scaled."""
    assert codes(*steps, source=IMAGE) == wanted


def test_dividing_twice_is_said_with_the_range() -> None:
    """The message has the component and the range that it has before the second division."""
    [problem] = found("map: {image: = image / 255}", "map: {image: = image / 255}", source=IMAGE)
    assert (problem.severity, problem.span and problem.span.line) == ("error", 7)
    assert problem.message == "`image` is divided by 255, and its values are 0..1 already"


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        (("map: {image: = image / 255}", "map: {image: = image / 255}"), ["SD623"]),
        (("batch: 2", "map: {image: = image / 255}", "map: {image: = image / 255}"), ["SD623"]),
        (("map: {image: = image / 255 / 255}",), ["SD623"]),
        (("map: {image: [{from: = image / 255}, {resize: [4, 4]}]}", "map: {x: = image / 255}"), ["SD623"]),
        (("map: {image: = image / 255}", "map: {image: = image / 127.5 - 1}"), []),
        (("map: {part: = float32(age) / 255}", "map: {part: = part / 255}"), []),
        (("map: {image: = image / 65025.0}",), []),
    ],
)
def test_dividing_bytes_of_no_kind_twice(steps: tuple[str, ...], wanted: list[str]) -> None:
    """A component without a kind that has an image's dimensions is one, in a batch and in one expression too."""
    source = 'synthetic: {components: {image: "uint8[8, 8, 3]", age: "uint8[]"}, count: 9}'
    assert codes(*steps, source=source) == wanted


@pytest.mark.parametrize(
    ("shape", "wanted"), [("8, 8, 3", "error"), ("8, 8", "warning"), ("8, 8, 7", "warning")]
)
def test_what_may_be_no_image_is_warned_of(shape: str, wanted: str) -> None:
    """Without a kind it takes one, three or four channels to be surely an image."""
    source = f'synthetic: {{components: {{x: "uint8[{shape}]"}}, count: 9}}'
    [problem] = found("map: {x: = x / 255}", "map: {x: = x / 255}", source=source)
    assert (problem.code, problem.severity) == ("SD623", wanted)
