"""Bad data: named with its place, or left out and counted, as `runtime.on_error` says."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from types import ModuleType

import pytest

import safedata
from safedata.problem import DataError
from safedata.run import Report
from tests.ops.conformance import encode

pytestmark = pytest.mark.tf

SPEC = """\
safedata: 1
source: {{image_folder: {{path: "{data}"}}}}
steps:
  - shuffle: {{buffer: all, seed: 1}}
  - map: {{image: [decode_image, {{resize: [8, 8]}}]}}
  - batch: 4
runtime: {{on_error: {on_error}}}
"""


@pytest.fixture
def photos(specs: Path, tmp_path: Path) -> Path:
    """A folder with twelve good photographs of two classes."""
    folder = tmp_path / "photos"
    for name in ("cat", "coffee"):
        (folder / name).mkdir(parents=True)
        for path in sorted((specs / "data" / "photos" / name).glob("*.jpg"))[:6]:
            shutil.copy(path, folder / name)
    return folder


def damage(folder: Path, how: str) -> Path:
    """Add one bad file to the folder and return it."""
    good = sorted((folder / "cat").glob("*.jpg"))[0].read_bytes()
    contents = {
        "truncated": good[: len(good) // 2],
        "empty": b"",
        "text": b"this is a shopping list, not a photograph\n" * 20,
        "html": b"<html><body>404</body></html>",
    }
    path = folder / "cat" / f"bad_{how}.jpg"
    path.write_bytes(contents[how])
    return path


def build(folder: Path, on_error: str = "fail") -> Report:
    made = safedata.build(SPEC.format(data=folder, on_error=on_error))
    assert isinstance(made, Report)
    return made


@pytest.mark.parametrize("how", ["truncated", "empty", "text", "html"])
def test_the_first_bad_file_stops_the_run_by_name(how: str, photos: Path, tf: ModuleType) -> None:
    """Under `fail` a bad file ends check or build with an error that names it."""
    bad = damage(photos, how)
    with pytest.raises(DataError, match=bad.name):
        build(photos)


def test_a_torn_file_among_images_of_one_size_is_named(tmp_path: Path, tf: ModuleType) -> None:
    """Where all sizes are exact, what cannot be decoded is named all the same: not its missing pixels."""
    for name, length in (("good.jpg", None), ("torn.jpg", 700)):
        (tmp_path / "cat").mkdir(exist_ok=True)
        (tmp_path / "cat" / name).write_bytes(encode("RGB", "JPEG")[:length])
    with pytest.raises(DataError, match=r"SD404.*torn\.jpg"):
        build(tmp_path)


@pytest.mark.parametrize("how", ["truncated", "empty", "text", "html"])
def test_a_bad_file_is_left_out_and_counted(how: str, photos: Path, tf: ModuleType) -> None:
    """Under `skip` everything else comes, and the report names what was left out."""
    bad = damage(photos, how)
    report = build(photos, "skip")
    assert report.elements == 12
    assert len(report.skipped) == 1
    assert bad.name in report.skipped[0]


def test_too_many_bad_files_stop_the_run(photos: Path, tf: ModuleType) -> None:
    """Above the stated maximum `skip` is an error too, which says how many are allowed."""
    for how in ("truncated", "text", "html"):
        damage(photos, how)
    assert len(build(photos, "{skip: {max: 3}}").skipped) == 3
    with pytest.raises(DataError, match="2"):
        build(photos, "{skip: {max: 2}}")


def test_load_names_a_truncated_file_too(photos: Path, tf: ModuleType) -> None:
    """A training loop that iterates the dataset itself sees the file's name in TensorFlow's error."""
    bad = damage(photos, "truncated")
    dataset = safedata.load(SPEC.format(data=photos, on_error="fail"))
    with pytest.raises(tf.errors.InvalidArgumentError, match=bad.name):
        list(dataset)


def test_a_file_that_vanished_after_the_check_is_named(photos: Path, tf: ModuleType) -> None:
    """What goes missing between check and run is an error with the file's name, not a silent gap."""
    gone = sorted((photos / "coffee").glob("*.jpg"))[0]
    dataset = safedata.load(SPEC.format(data=photos, on_error="fail"))
    gone.unlink()
    with pytest.raises(tf.errors.OpError, match=gone.name):
        list(dataset)


def test_a_file_that_grew_after_the_check_breaks_its_bound_by_name(photos: Path, tf: ModuleType) -> None:
    """An element larger than its type says fails with SD501 and its place: the bound is true by construction."""
    path = sorted((photos / "coffee").glob("*.jpg"))[0]
    dataset = safedata.load(SPEC.format(data=photos, on_error="fail"))
    path.write_bytes(path.read_bytes() + b"\0" * 200_000)
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"SD501.*{path.name}"):
        list(dataset)


def test_an_empty_folder_says_what_was_looked_for(tmp_path: Path) -> None:
    """No files is an error before anything is built."""
    (tmp_path / "cat").mkdir()
    verdict = safedata.check(SPEC.format(data=tmp_path, on_error="fail"))
    [problem] = verdict.problems
    assert problem.code == "SD403"


def test_a_missing_folder_says_where_it_looked(tmp_path: Path) -> None:
    """A path that does not exist is an error with the whole path."""
    verdict = safedata.check(SPEC.format(data=tmp_path / "nowhere", on_error="fail"))
    [problem] = verdict.problems
    assert problem.code == "SD401"
    assert "nowhere" in problem.message


def test_an_unreadable_file_is_named(photos: Path) -> None:
    """A file without permission is an error with its name; root, who may read everything, becomes nobody for it."""
    with tempfile.TemporaryDirectory() as folder:
        copied = Path(folder) / "photos"
        shutil.copytree(photos, copied)
        for path in (Path(folder), *copied.rglob("*")):
            path.chmod(0o755)
        spec = SPEC.format(data=copied, on_error="fail")
        assert safedata.check(spec).fits  # also loads all that a check needs, which nobody may not reach
        bad = sorted((copied / "cat").glob("*.jpg"))[0]
        bad.chmod(0)
        me = os.geteuid()
        if me == 0:
            os.seteuid(65534)
        try:
            verdict = safedata.check(spec)
        finally:
            os.seteuid(me)
    assert [problem.code for problem in verdict.problems] == ["SD402"]
    assert bad.name in verdict.problems[0].message


def test_a_corrupt_record_is_named_with_its_offset(specs: Path, tmp_path: Path, tf: ModuleType) -> None:
    """A record whose checksum is wrong stops `build` with file and byte offset."""
    for path in (specs / "data").glob("*.tfrecord"):
        shutil.copy(path, tmp_path)
    target = sorted(tmp_path.glob("*.tfrecord"))[1]
    data = bytearray(target.read_bytes())
    length = int.from_bytes(data[:8], "little")
    second = length + 16
    data[second + 12 + 40] ^= 0xFF
    target.write_bytes(bytes(data))
    spec = (specs / "photos_tfrecord.yaml").read_text().replace("data/photos-", f"{tmp_path}/photos-")
    with pytest.raises(DataError, match=rf"{target.name}.*{second}"):
        safedata.build(spec)


def test_a_csv_row_with_too_few_columns_is_named_with_its_line(specs: Path, tmp_path: Path) -> None:
    """A short row is found by the check, with file and line."""
    lines = (specs / "data" / "iris.csv").read_text().splitlines()
    lines[17] = "5.1,3.5"
    (tmp_path / "iris.csv").write_text("\n".join(lines) + "\n")
    spec = (specs / "iris_csv.yaml").read_text().replace("data/iris.csv", str(tmp_path / "iris.csv"))
    verdict = safedata.check(spec)
    assert not verdict.fits
    assert any("iris.csv" in problem.message and "18" in problem.message for problem in verdict.problems)


def test_a_function_may_speak_of_the_source(
    tmp_path: Path, tf: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a function of a step says does not make it a source's: its bad elements can be left out."""
    (tmp_path / "mine_sources.py").write_text("def f(x):\n    raise ValueError('the source is odd')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    call = '{function: "mine_sources:f", from: value, returns: {value: "int64[]"}, workspace: 1KiB}'
    text = f"safedata: 1\nsource: {{range: 2}}\nsteps: [{{call: {call}}}]\n"
    with pytest.raises(DataError, match="raised ValueError: the source is odd") as caught:
        safedata.build(text, allow=["mine_sources"])
    assert "on_error: skip" in (caught.value.problems[0].help or "")
