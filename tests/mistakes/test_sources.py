"""Sources that hold or read more than the spec needs."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import numpy as np
import pytest

from tests.mistakes.specs import ROOT, codes, found

END = ("batch: 8", "prefetch: 2")


def archive(path: Path, rows: int, compression: int = ZIP_DEFLATED) -> None:
    """Write an archive of `image`, 1 MB a row of zeros, and `label`."""
    with ZipFile(path, "w", compression, compresslevel=1) as file:
        for name, array in (("image", np.zeros((rows, 1000, 1000), np.uint8)), ("label", np.zeros(rows))):
            with file.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, array)


@pytest.mark.parametrize(
    ("rows", "compression", "steps", "wanted"),
    [
        (101, ZIP_DEFLATED, (), ["SD624"]),
        (101, ZIP_DEFLATED, ("map: {image: = image / 255}",), ["SD624"]),
        (90, ZIP_DEFLATED, (), []),
        (101, ZIP_STORED, (), []),
        (101, ZIP_DEFLATED, ("select: [label]",), []),
    ],
)
def test_an_archive_that_cannot_be_read_in_pieces(
    rows: int, compression: int, steps: tuple[str, ...], wanted: list[str], tmp_path: Path
) -> None:
    """SD624 comes from 100 MB of compressed arrays on that the spec uses; what is not compressed is read in pieces."""
    archive(tmp_path / "a.npz", rows, compression)
    assert codes(*steps, *END, source="numpy: {path: a.npz}", folder=tmp_path) == wanted


def parted(first: str, second: str, *, kind: str = "mix", path: str = "data/photos") -> str:
    """Return a source of two inputs with a step each, of which the second one's files may be others."""
    inputs = (
        f"{name}: {{source: {{image_folder: {{path: {folder}, labels: directory}}}}, steps: [{step}]}}"
        for name, folder, step in (("a", "data/photos", first), ("b", path, second))
    )
    return f"{kind}: {{{', '.join(inputs)}}}"


ONE, TWO = "{filter: 'label == 0'}", "{shuffle: 80}, {filter: 'label == 1'}"


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        (parted(ONE, TWO), ["SD625"]),
        (parted(ONE, "{shuffle: 80}"), []),
        (parted(ONE, "{filter: 'label == 0'}", path="data/photos/cat"), []),
        (parted(ONE, ONE, kind="concatenate"), []),
    ],
)
def test_inputs_that_read_the_same_files_for_a_part(source: str, wanted: list[str]) -> None:
    """SD625 comes for a `mix` of which two inputs filter the same files."""
    if "photos/cat" in source:
        source = source.replace("cat, labels: directory", "cat, labels: {regex: '(c)at'}")
    assert codes("select: [path]", *END, source=source, folder=ROOT / "specs") == wanted


def test_both_filters_are_shown() -> None:
    """The message names the inputs, and the second filter has a label."""
    [problem] = found("select: [path]", *END, source=parted(ONE, TWO), folder=ROOT / "specs")
    assert problem.message.startswith("`a` and `b` read the same files, 2 times in each epoch")
    assert [label.text for label in problem.labels] == ["reads all of them again"]


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        (("shuffle: all", "batch: 10"), ["SD615"]),
        (("repeat: 2", "batch: 10"), ["SD615"]),
        (("batch: 10",), []),
        (("shuffle: all",), []),
        (("shuffle: all", "batch: 10", "prefetch: 2"), []),
    ],
)
def test_batches_of_what_is_read_want_a_prefetch(steps: tuple[str, ...], wanted: list[str]) -> None:
    """SD615 needs no map where a source reads; without a sign of training nothing is said."""
    source = "numpy: {image: data/thumbnails_image.npy}"
    top = "runtime: {accept: [SD610]}"
    assert codes(*steps, source=source, folder=ROOT / "specs", top=top) == wanted
