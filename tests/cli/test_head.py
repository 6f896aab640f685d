from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from safedata.head import Row
from safedata.problem import DataError
from safedata.report.head import describe, kind, row_object
from safedata.report.sheet import Scale, contact_sheet, image_component, pixels, save, scale_of
from safedata.types import UINT8_RANGE, Dim, Tensor, ValueRange
from safedata.typetext import parse_type

if TYPE_CHECKING:
    from tests.cli.conftest import Command

PICTURES = """\
safedata: 1
source:
  synthetic: {components: {image: {type: "uint8[8, 6, 3]", kind: image}, name: "string[4]"}, count: infinite}
steps: [{batch: 2}]
"""


@pytest.mark.tf
def test_rows_of_the_first_batches(run: Command, counting: Path) -> None:
    """As many rows as asked for are shown, of as many batches as that takes."""
    ran = run("head", counting, "-n", "3", "--set", "size=2", "--host", "64GiB")
    assert (ran.status, ran.err) == (0, "")
    titles = [text for text in ran.out.splitlines() if text.startswith("batch")]
    assert titles == ["batch 0, row 0", "batch 0, row 1", "batch 1, row 0"]


@pytest.mark.tf
def test_an_endless_spec_and_its_picture(run: Command, counting: Path) -> None:
    """Of an endless spec only what is asked for is drawn, and its images are put on one sheet."""
    counting.write_text(PICTURES, encoding="utf-8")
    ran = run("head", counting, "-n", "3", "--image", "out.png")
    assert ran.status == 0
    assert "wrote 3 images of `image` to out.png" in ran.err
    with Image.open("out.png") as sheet:
        assert sheet.format == "PNG"
    assert sorted(path.name for path in Path().iterdir()) == ["counting.yaml", "out.png"]


@pytest.mark.tf
def test_elements_as_json(run: Command, counting: Path) -> None:
    """Each row is an object with its place, types and values."""
    counting.write_text("safedata: 1\nsource: {range: 3}\n", encoding="utf-8")
    found = json.loads(run("head", counting, "-n", "2", "--format", "json").out)
    assert [one["components"]["value"]["value"] for one in found] == [0, 1]
    assert (found[1]["batch"], found[1]["row"]) == (1, [])


def test_no_picture_among_the_components(run: Command, counting: Path) -> None:
    """`--image` for a spec without images is a wrong command line, found before anything runs."""
    ran = run("head", counting, "--image", "out.png", "--host", "64GiB")
    assert (ran.status, ran.out) == (2, "")
    assert "no component is a picture" in ran.err
    assert "value: int64[]" in ran.err


@pytest.mark.parametrize(
    ("value", "type_", "text"),
    [
        (np.int64(3), "int64[]", "3"),
        (np.bool_(True), "bool[]", "true"),
        (b"caf\xc3\xa9", "string[]", '"café"'),
        (b"\xff\xd8\xff\xe0....", "string[]", "JPEG, 8 bytes"),
        (b"\x00\x01\x02\x03\xff", "string[]", "00 01 02 03, 5 bytes"),
        (b"x" * 100, "string[]", '"' + "x" * 70 + "…"),
        (np.array([[1, 2], [3, 4]], np.int32), "int32[2, 2]", "[[1, 2], [3, 4]]"),
        (np.array([b"a", b"b"], object), "string[2]", '["a", "b"]'),
        (np.arange(100, dtype=np.uint8), "uint8[100]", "min 0, mean 49.5, max 99"),
        (np.arange(100) < 25, "bool[100]", "true 25, of 100"),
        (np.array([np.nan] * 20, np.float32), "float32[20]", "nan 20"),
        (np.array([], np.float32), "float32[0]", "[]"),
    ],
)
def test_values_as_text(value: Any, type_: str, text: str) -> None:
    """Small values are shown in full, large ones by what they are like, bytes by what they begin with."""
    assert (kind(value), describe(value)) == (type_, text)


def test_json_has_no_number_that_json_lacks() -> None:
    """NaN and infinity become text."""
    values = {"x": np.array([np.nan, np.inf, 1.0]), "y": np.array([np.inf] * 17)}
    components: Any = row_object(Row(0, (), values))["components"]
    assert components["x"]["value"] == ["nan", "inf", 1.0]
    assert components["y"]["max"] == "inf"
    json.dumps(components, allow_nan=False)


def test_the_picture_among_components() -> None:
    """The kind `image` comes before what only has the shape of one; batches of text are none."""
    picture = Tensor("float32", tuple(Dim.exactly(n) for n in (4, 4, 3)), kind="image")
    types = {"label": parse_type("int64[4]"), "map": parse_type("uint8[4, 4, 1]"), "photo": picture}
    assert image_component(types) == "photo"
    assert image_component({"map": types["map"]}) == "map"
    assert image_component({"label": types["label"], "odd": parse_type("uint8[4, 4, 2]")}) is None


@pytest.mark.parametrize(
    ("range_", "dtype", "scale"),
    [
        (UINT8_RANGE, "float32", Scale(0, 255, False)),
        (ValueRange(-1, 1), "float32", Scale(-1, 1, False)),
        (None, "uint8", Scale(0, 255, False)),
        (ValueRange(-2, 2), "float32", Scale(-0.5, 1.5, True)),
        (None, "float32", Scale(-0.5, 1.5, True)),
    ],
)
def test_what_is_black_and_what_is_white(range_: ValueRange | None, dtype: str, scale: Scale) -> None:
    """The type's range decides where it is a usual one, else the values do, and NaN and infinity do not."""
    values = np.array([[[-0.5]], [[1.5]], [[np.nan]], [[np.inf]]], np.float32)
    assert scale_of(Tensor(dtype, range=range_), [values]) == scale


def test_pixels_of_a_range() -> None:
    """The ends of the range become 0 and 255, what lies outside is cut off, NaN is black."""
    values = np.array([-1.0, 0.0, 1.0, 3.0, np.nan])
    assert pixels(values, Scale(-1, 1, False)).tolist() == [0, 128, 255, 255, 0]
    assert pixels(np.ones(2), Scale(1, 1, True)).tolist() == [0, 0]


def test_a_sheet_of_every_kind_of_picture(tmp_path: Path) -> None:
    """Gray, colour, with alpha, larger than a tile, and empty ones all have their place."""
    shapes = [(5, 9, 1), (300, 20, 3), (4, 4, 4), (0, 4, 3)]
    rows = [
        Row(number, (), {"image": np.full(shape, 200, np.uint8), "name": "größe".encode()})
        for number, shape in enumerate(shapes)
    ]
    sheet = contact_sheet(rows, "image", Scale(0, 255, False))
    assert sheet.size == (408, 486)
    assert sheet.getpixel((104, 104)) == (200, 200, 200)
    save(sheet, str(tmp_path / "sheet.JPG"))
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.JPG"]


def test_a_sheet_that_cannot_be_written(tmp_path: Path) -> None:
    """A folder that is not there is an error that names the picture."""
    with pytest.raises(DataError, match=r"cannot write the picture .*gone"):
        save(Image.new("RGB", (4, 4)), str(tmp_path / "gone" / "sheet.png"))
