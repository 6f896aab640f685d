"""Specs for evaluation, known by their words and their last batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import safedata
from tests.mistakes.specs import ROOT, codes, images, spec

FLIP = "map: {image: [random_flip_left_right]}"
END = ("batch: 10", "prefetch: 2")
PHOTOS = "image_folder: {path: data/photos, labels: directory}"
DECODE = "map: {image: [decode_image, {resize: [32, 32]}, random_flip_left_right]}"


@pytest.mark.parametrize(
    ("top", "steps", "wanted"),
    [
        ("name: flowers-val", ("shuffle: 1000", *END), ["SD611"]),
        ("name: flowers_validation", ("shuffle: 1000", *END), ["SD611"]),
        ("name: flowers-train", ("shuffle: 1000", *END), []),
        ("name: interval", ("shuffle: 1000", *END), []),
        ("name: smoke-test", ("shuffle: 1000", *END), []),
        ("name: flowers-val", ("shuffle: 100", *END), []),
        ("name: test-set", ("shuffle: 1000", *END), ["SD611"]),
        ("name: test_data_loader", ("shuffle: 1000", *END), ["SD611"]),
        ("name: train-val-mix", ("shuffle: 1000", *END), []),
        ("name: flowers-val", ("shuffle: {buffer: 1000, reshuffle: false}", "take: 500", *END), []),
    ],
)
def test_evaluation_wants_no_large_shuffle(top: str, steps: tuple[str, ...], wanted: list[str]) -> None:
    """SD611 comes by a word of the name, for a buffer of 64 MiB or more that chooses nothing."""
    assert codes(*steps, source=images(5000), top=top) == wanted


def test_data_for_tests_is_for_evaluation(tmp_path: Path) -> None:
    """The last part of the data's path says it too."""
    for name, wanted in (("test", ["SD611"]), ("train", [])):
        np.lib.format.open_memmap(tmp_path / f"{name}.npy", "w+", np.uint8, (3000, 100, 100, 3))
        made = codes("shuffle: all", *END, source=f"numpy: {{path: {name}.npy}}", folder=tmp_path)
        assert made == wanted


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("data/val/a", ["SD620"]),
        ("data/val2017/*.jpg", ["SD620"]),
        ("val/cats/*/*.jpg", ["SD620"]),
        ("data/val/train/a", []),
        ("test_run/images/a", []),
        ("val/a/b/c", []),
    ],
)
def test_a_folder_says_that_its_data_is_for_evaluation(path: str, wanted: list[str], tmp_path: Path) -> None:
    """A folder of the split counts, as deep as one for classes below it; the part nearest to the end decides."""
    folder = tmp_path / path.replace("*/*.jpg", "one").replace("/*.jpg", "")
    folder.mkdir(parents=True)
    (folder / "a.jpg").write_bytes(b"")
    where = path if "*" in path else f"{path}/*.jpg"
    steps = ("filter: bernoulli(0.5)", *END)
    accept = "runtime: {accept: [SD610]}"
    assert codes(*steps, source=f"files: '{where}'", folder=tmp_path, top=accept) == wanted


@pytest.mark.parametrize(("name", "wanted"), [("val", ["SD620"]), ("test", []), ("flowers", [])])
def test_a_spec_in_a_file_called_val_is_for_evaluation(name: str, wanted: list[str], tmp_path: Path) -> None:
    """The name of the spec's file counts, but for `test`, which may test the spec; a name with `train` counts more."""
    for top, codes_then in (("", wanted), ("name: training", [])):
        text = spec(FLIP, *END, top=top)
        (tmp_path / f"{name}.yaml").write_text(text)
        problems = safedata.check(tmp_path / f"{name}.yaml", host="256GiB").problems
        assert [one.code for one in problems] == codes_then


@pytest.mark.parametrize(
    ("name", "op", "wanted"),
    [
        ("flowers-val", "random_flip_left_right", ["SD620"]),
        ("eval", "{random_apply: {p: 0.5, ops: [{random_brightness: 9}]}}", ["SD620"]),
        ("flowers-val", "flip_left_right", []),
        ("flowers-train", "random_flip_left_right", []),
        ("valley", "random_flip_left_right", []),
    ],
)
def test_draws_in_an_evaluation(name: str, op: str, wanted: list[str]) -> None:
    """SD620 comes for a random operation where the spec's name says that it is for evaluation."""
    text = (f"map: {{image: [{op}]}}", "batch: 10", "prefetch: 2")
    assert codes(*text, top=f"name: {name}") == wanted


def test_a_spec_for_evaluation_is_not_told_to_shuffle() -> None:
    """Draws in a spec for evaluation are one mistake, the order of the source is none."""
    given = {"source": PHOTOS, "folder": ROOT / "specs"}
    assert codes(DECODE, *END, **given) == ["SD610"]
    assert codes(DECODE, *END, top="name: eval", **given) == ["SD620"]


@pytest.mark.parametrize(
    ("before", "wanted"), [((), ["SD620"]), (("shuffle: all",), []), (("repeat: 2",), ["SD610"])]
)
@pytest.mark.parametrize("batch", ["batch", "padded_batch"])
def test_a_last_batch_that_is_filled_up_is_for_evaluation(
    batch: str, before: tuple[str, ...], wanted: list[str]
) -> None:
    """Where each element counts once and nothing is shuffled or repeated, draws are a mistake and the order is none."""
    steps = (
        "map: {image: [random_flip_left_right]}",
        f"{batch}: {{size: 10, pad_last: valid}}",
        "prefetch: 2",
    )
    found = codes(*before, DECODE, *steps, source=PHOTOS, folder=ROOT / "specs")
    assert found == wanted
