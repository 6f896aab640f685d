"""A bound that a spec declares is held at run time, whatever the source: a larger element is named, or left out."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import safedata
from safedata.problem import Problem
from safedata.sources.tfrecord import tfrecord

pytestmark = pytest.mark.tf

DECODER = "steps: [{filter: 'path != \"\"'}, {map: {%s: [{decode_image: {max_size: [8, 8]}}]}}]"
RECORDS = "source: {tfrecord: {path: data/r.tfrecord, features: {x: {%s}}}}"
SOURCES = {
    "image_folder": ("source: {image_folder: {path: data, labels: none}}", DECODER % "image", "c.png"),
    "files": ('source: {files: "data/*.png"}', DECODER % "data", "c.png"),
    "manifest": ("source: {manifest: {path: list.csv, as: image}}", DECODER % "image", "c.png"),
    "csv": ('source: {csv: {path: data/t.csv, columns: {x: "string[<=4B]"}}}', "", "t.csv line 4"),
    "max": (RECORDS % "dtype: int64, kind: variable, max: 4", "", "r.tfrecord record 2"),
    "max sequence": (RECORDS % "dtype: int64, kind: sequence, max: 4", "", "r.tfrecord record 2"),
    "max ragged": (
        RECORDS % "dtype: int64, kind: ragged, row_lengths: rows, max: 4, max_rows: 9",
        "",
        "r.tfrecord record 2",
    ),
    "max_rows": (
        RECORDS % "dtype: int64, kind: ragged, row_lengths: rows, max: 9, max_rows: 1",
        "",
        "r.tfrecord record 2",
    ),
    "max_bytes": (RECORDS % "dtype: string, max_bytes: 4 B", "", "r.tfrecord record 2"),
    "max_size": (
        RECORDS % "dtype: string, max_bytes: 1 KiB, max_size: [8, 8]",
        "steps: [{map: {x: [decode_image]}}]",
        "r.tfrecord record 2",
    ),
}
"""By name: the source, the steps, and how the third element, the one that is too large, is called."""


def png(size: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (size, size)).save(buffer, "PNG")
    return buffer.getvalue()


def example(tf: Any, kind: str, large: bool) -> bytes:
    """One record, over the bounds above if it is large."""
    numbers = tf.train.Feature(int64_list=tf.train.Int64List(value=range(6 if large else 2)))
    if kind == "max sequence":
        lists = tf.train.FeatureLists(
            feature_list={"x": tf.train.FeatureList(feature=[_one(tf, 1)] * (6 if large else 2))}
        )
        return bytes(tf.train.SequenceExample(feature_lists=lists).SerializeToString())
    features = {"x": numbers}
    if kind == "max ragged":
        features["rows"] = _ints(tf, [6] if large else [1, 1])
    elif kind == "max_rows":
        features["rows"] = _ints(tf, [3, 3] if large else [2])
    elif kind in ("max_bytes", "max_size"):
        data = png(16 if large else 8) if kind == "max_size" else b"x" * (6 if large else 2)
        features["x"] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[data]))
    return bytes(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())


def _one(tf: Any, value: int) -> Any:
    return _ints(tf, [value])


def _ints(tf: Any, values: list[int]) -> Any:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


@pytest.fixture
def spec(tf: Any, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A spec over four elements, of which the third is larger than declared and not in the check's sample."""
    source, steps, _ = SOURCES[request.param]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(tfrecord, "PARSED", 1)
    monkeypatch.setattr(tfrecord, "SAMPLED", 1)
    (tmp_path / "data").mkdir()
    if "tfrecord" in source:
        with tf.io.TFRecordWriter(str(tmp_path / "data/r.tfrecord")) as file:
            for number in range(4):
                file.write(example(tf, request.param, large=number == 2))
    elif "csv: {path: data" in source:
        (tmp_path / "data/t.csv").write_text("x\naa\nbb\ncccccc\ndd\n")
    else:
        for name in "abcd":
            (tmp_path / f"data/{name}.png").write_bytes(png(16 if name == "c" else 8))
        (tmp_path / "list.csv").write_text("path\n" + "".join(f"data/{name}.png\n" for name in "abcd"))
    path = tmp_path / "spec.yaml"
    path.write_text(f"safedata: 1\n{source}\n{steps}\n")
    return path


LARGE = "38 of 60 images are larger than `max_size: [50, 50]`, up to [69, 50]"


def over(folder: Path, steps: str, more: str = "") -> list[Problem]:
    """What a check says of 60 images 40 to 69 high and 50 wide, held to 50 x 50."""
    (folder / "data").mkdir(exist_ok=True)
    for number in range(60):
        Image.new("RGB", (50, 40 + number % 30)).save(folder / f"data/{number}.png")
    text = f"safedata: 1\nsource: {{image_folder: {{path: {folder}/data, labels: none}}}}\nsteps: [{steps}]\n{more}"
    return [one for one in safedata.check(text).problems if one.code == "SD404"]


DECODE = (
    "{map: {image: [{decode_image: {max_size: [50, 50]}}, {resize: [32, 32]}]}}, {batch: 8}, {prefetch: 2}"
)


def test_images_over_a_declared_size_are_found_by_the_check(tmp_path: Path) -> None:
    """Where headers were read, the check says how many images are over `max_size`, and the largest size."""
    [found] = over(tmp_path, f"{{shuffle: all}}, {DECODE}")
    assert (found.severity, found.message) == ("error", LARGE)
    assert str(found.help).startswith("declare a larger bound: `max_size: [69, 50]`")
    assert over(tmp_path, DECODE.replace("[50, 50]", "[69, 50]")) == []


@pytest.mark.parametrize(
    ("steps", "more", "note"),
    [
        (f"{{take: 9}}, {DECODE}", "", "a step before this one may have left them out"),
        (
            DECODE,
            "runtime: {on_error: {skip: {max: 3}}}",
            "they will be left out; more than 3 of them stop the run",
        ),
    ],
)
def test_images_that_may_not_come_are_a_warning(tmp_path: Path, steps: str, more: str, note: str) -> None:
    """Images over `max_size` that are left out, or may be, are a warning with their number."""
    [found] = over(tmp_path, steps, more)
    assert (found.severity, found.message, found.notes) == ("warning", LARGE, (note,))


def test_one_declared_side_is_no_measured_bound(tf: Any, tmp_path: Path) -> None:
    """Where one side is as declared and the other as measured, an image over the first is told to declare more."""
    over(tmp_path, DECODE)
    source = f"{{image_folder: {{path: {tmp_path}/data, labels: none}}}}"
    with pytest.raises(safedata.DataError, match=r"SD501.*\(declared\)") as caught:
        safedata.build(f"safedata: 1\nsource: {source}\nsteps: [{{take: 59}}, {DECODE}]\n")
    assert str(caught.value.problems[0].help).startswith("declare a larger bound, [")


def test_a_record_with_an_image_over_its_size_is_found_by_the_check(tf: Any, tmp_path: Path) -> None:
    """An image over a feature's `max_size` is SD404 with its record, as a string over `max_bytes` is."""
    with tf.io.TFRecordWriter(str(tmp_path / "r.tfrecord")) as file:
        file.write(example(tf, "max_size", large=False))
        file.write(example(tf, "max_size", large=True))
    source = (RECORDS % "dtype: string, max_bytes: 1 KiB, max_size: [8, 8]").replace("data/", f"{tmp_path}/")
    [found] = [one for one in safedata.check(f"safedata: 1\n{source}\n").problems if one.code == "SD404"]
    assert "record 1" in found.message
    assert found.message.endswith("has an image of [16, 16] in `x`, over the [8, 8] of `max_size`")


@pytest.mark.parametrize("spec", SOURCES, indirect=True)
def test_a_larger_element_fails_with_its_name_or_is_left_out(
    spec: Path, request: pytest.FixtureRequest
) -> None:
    """An element over a declared bound stops the run with its name, or is left out, counted and named."""
    where = SOURCES[request.node.callspec.params["spec"]][2]
    with pytest.raises(safedata.DataError, match=rf"SD501.*declared.*{where}") as caught:
        safedata.build(spec)
    [problem] = caught.value.problems
    assert problem.code == "SD501"
    assert str(problem.help).startswith("declare a larger bound")
    spec.write_text(spec.read_text() + "runtime: {on_error: {skip: {max: 2}}}\n")
    report = safedata.build(spec)
    assert report.elements == 3
    [skipped] = report.skipped
    assert where in skipped
