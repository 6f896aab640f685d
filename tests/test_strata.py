"""Elements of different sizes: what is counted for many of them, from files of every kind."""

from __future__ import annotations

import csv
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import safedata
from safedata import registry
from safedata.memory import Hold
from safedata.request import raise_for
from safedata.strata import by_image, by_length, by_sample, foremost, rounded, together
from safedata.types import Dim, Encoded, Tensor
from tests.sources.test_tfrecord import framed

pytestmark = pytest.mark.usefixtures("undecided")
Spec = dict[str, Any]
LENGTHS = [min(90_000, int(200 / (1 - place / 400) ** 1.4)) for place in range(400)]
"""Bytes of 400 texts: half of them below 530, the longest 90,000."""
TEXTS = ["abcdefghi " * (length // 10) + "x" * (length % 10) for length in LENGTHS]
BESIDE = 400
"""What a buffered element takes beside its text, in glibc's heap."""


def length(tensor: Tensor) -> int | None:
    return tensor.length.most


def pixels(tensor: Tensor) -> int:
    assert tensor.encoded is not None
    return (tensor.encoded.height.most or 0) * (tensor.encoded.width.most or 0)


@given(st.lists(st.integers(0, 1 << 31), min_size=1, max_size=50), st.integers(0, 60))
def test_so_many_take_no_more_than_the_largest(lengths: list[int], count: int) -> None:
    """Never less than that, at most 3.2 % more; and those of which nobody knows count as the longest."""
    text = Tensor("string", length=Dim.at_most(max(lengths), "measured"))
    found = together(by_length(text, rounded(lengths)), count, length)
    every = sorted(lengths, reverse=True)
    exact = sum(every[:count]) + max(0, count - len(every)) * every[0]
    assert found is not None
    assert exact <= found <= exact * 33 / 32


SIDES = st.integers(1, 3000)


@settings(deadline=None)
@given(st.lists(st.tuples(SIDES, SIDES, st.integers(1, 9)), min_size=1, max_size=40), st.integers(0, 60))
def test_images_take_no_more_than_the_largest(sizes: list[tuple[int, int, int]], count: int) -> None:
    """Up to 256 different ones are exact; each is no larger in both ways than one of the foremost."""
    heights, widths = (Dim.at_most(max(one[side] for one in sizes)) for side in (0, 1))
    strata = by_image(Tensor("string", encoded=Encoded(heights, widths)), sizes)
    every = sorted((h * w for h, w, number in sizes for _ in range(number)), reverse=True)
    assert together(strata, count, pixels) == sum(every[:count]) + max(0, count - len(every)) * every[0]
    front = [one.encoded for one in foremost(strata) if one.encoded is not None]
    assert all(
        any(h <= (one.height.most or 0) and w <= (one.width.most or 0) for one in front) for h, w, _ in sizes
    )
    assert max(h * w for h, w, _ in sizes) == max(
        (one.height.most or 0) * (one.width.most or 0) for one in front
    )


def test_many_sizes_of_images_are_joined_by_neighbours() -> None:
    """Of 2,000 in no proportion the strata cover each, with 12 % more pixels at most."""
    draw = random.Random(1)
    sizes = [(draw.randint(40, 1200), draw.randint(40, 1200), 1) for _ in range(2000)]
    strata = by_image(Tensor("string", encoded=Encoded(Dim.at_most(1200), Dim.at_most(1200))), sizes)
    assert len(strata) <= 256
    assert sum(count for _, count in strata) == 2000
    for count in (1, 10, 100, 1000, 2000):
        exact = sum(sorted((h * w for h, w, _ in sizes), reverse=True)[:count])
        assert exact <= (together(strata, count, pixels) or 0) <= 1.12 * exact


def test_a_sample_stands_for_all() -> None:
    """Where a tenth was read there are ten times as many of each length, rounded up."""
    text = Tensor("string", length=Dim.at_most(100, "sampled"))
    strata = by_sample(text, Counter({100: 1, 10: 9}), 10 * (104 + 9 * 14), beside=4)
    assert [count for _, count in strata] == [10, 90]


def hold(folder: Path, source: Spec, *steps: object, step: str = "cache", **more: object) -> Hold:
    """Return the first hold of the step of this name."""
    runtime = {"allocator": "system"}
    spec = {"safedata": 1, "source": source, "steps": list(steps), "runtime": runtime, **more}
    verdict = safedata.check(yaml.safe_dump(spec, sort_keys=False), host="1TiB", folder=folder)
    raise_for(verdict)
    assert verdict.plan is not None
    return next(one.holds[0] for one in verdict.plan.steps if one.title.rpartition(": ")[2] == step)


def files(folder: Path) -> Spec:
    for number, text in enumerate(TEXTS):
        (folder / f"{number:03d}.bin").write_text(text)
    return {"files": "*.bin"}


def lines(folder: Path) -> Spec:
    (folder / "lines.txt").write_text("\n".join([*TEXTS, ""]))
    return {"text": "lines.txt"}


def json_lines(folder: Path) -> Spec:
    (folder / "lines.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    return {"jsonl": {"path": "lines.jsonl", "columns": {"text": "string"}}}


def rows(folder: Path) -> Spec:
    with (folder / "rows.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [["text", "label"], *([text, number] for number, text in enumerate(TEXTS))]
        )
    return {"csv": {"path": "rows.csv", "columns": {"text": "string"}}}


def table(folder: Path) -> Spec:
    files(folder)
    with (folder / "table.csv").open("w", newline="") as file:
        names = (f"{number:03d}.bin" for number in range(len(TEXTS)))
        csv.writer(file).writerows([["file", "said"], *zip(names, TEXTS, strict=True)])
    return {"manifest": {"path": "table.csv", "file": "file"}}


def parquet(folder: Path) -> Spec:
    base, writer = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    writer.write_table(base.table({"text": TEXTS}), folder / "rows.parquet")
    return {"parquet": "rows.parquet"}


def message(number: int, data: bytes) -> bytes:
    """Return one field of a protobuf message, with its length."""
    size, length = bytearray(), len(data)
    while length > 127:
        size.append(length & 127 | 128)
        length >>= 7
    return bytes([number << 3 | 2, *size, length]) + data


def records(folder: Path) -> Spec:
    examples = (
        message(1, message(1, message(1, b"text") + message(2, message(1, message(1, text.encode())))))
        for text in TEXTS
    )
    (folder / "data.tfrecord").write_bytes(framed(*examples))
    return {"tfrecord": {"path": "data.tfrecord", "features": {"text": "string"}}}


SOURCES = (files, lines, json_lines, rows, parquet, records)


@pytest.mark.parametrize("make", SOURCES)
def test_a_cache_of_any_source_counts_what_there_is(tmp_path: Path, make: Callable[[Path], Spec]) -> None:
    """400 texts of 200 B to 90 kB, 0.8 MiB of them in all: not 400 times the longest, 36 MB."""
    found = hold(tmp_path, make(tmp_path), {"cache": "memory"})
    assert sum(LENGTHS) <= (found.bytes or 0) <= 1.05 * sum(LENGTHS) + len(TEXTS) * 2 * BESIDE
    assert "on average" in found.why
    assert found.uneven == len(TEXTS)


@pytest.mark.parametrize("make", SOURCES)
def test_a_buffer_counts_the_largest(tmp_path: Path, make: Callable[[Path], Spec]) -> None:
    """Any forty elements may be in it, so it takes what the forty longest do, and ready batches no more."""
    longest = sum(sorted(LENGTHS)[-40:])
    source = make(tmp_path)
    ahead = hold(tmp_path, source, {"prefetch": 40}, {"map": {"number": "= 1"}}, step="prefetch")
    assert longest <= (ahead.bytes or 0) <= 1.05 * longest + 40 * 3 * BESIDE
    batch = hold(tmp_path, source, {"batch": 40}, {"prefetch": 1}, step="prefetch")
    assert longest <= (batch.bytes or 0) <= 1.05 * longest + 40 * 3 * BESIDE


def test_texts_beside_a_file_count_too(tmp_path: Path) -> None:
    """A table's texts differ as the files do that it names."""
    found = hold(tmp_path, table(tmp_path), {"cache": "memory"})
    assert 2 * sum(LENGTHS) <= (found.bytes or 0) <= 2.1 * sum(LENGTHS) + len(TEXTS) * 3 * BESIDE


@pytest.mark.parametrize("make", [lines, json_lines, rows, parquet, records])
def test_a_measurement_keeps_the_sizes(
    tmp_path: Path, make: Callable[[Path], Spec], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of files too large for a check it says the same as reading all of them."""
    source = make(tmp_path)
    read = hold(tmp_path, source, {"cache": "memory"}).bytes
    small = {
        "safedata.sources.lines.text.WHOLE": 1000,
        "safedata.sources.lines.jsonl.WHOLE": 1000,
        "safedata.sources.lines._lines.WHOLE": 1000,
        "safedata.sources.csv.csv.WHOLE": 1000,
        "safedata.sources.parquet.parquet.WHOLE": 1000,
        "safedata.sources.tfrecord.tfrecord.PARSED_BYTES": 1000,
    }
    for name, limit in small.items():
        monkeypatch.setattr(name, limit)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    spec = {"safedata": 1, "source": source, "steps": [{"batch": 4}]}
    [found] = safedata.measure(yaml.safe_dump(spec), folder=tmp_path).measured
    assert found.read == 1
    again = hold(tmp_path, source, {"cache": "memory"})
    assert again.evidence == "measured"
    assert read is not None
    assert read <= (again.bytes or 0) <= 1.04 * read


@pytest.mark.parametrize("make", [lines, json_lines, rows, parquet])
def test_a_sample_is_an_estimate_of_the_same(
    tmp_path: Path, make: Callable[[Path], Spec], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a part was read, there are more like it: in a buffer of unknown elements, too."""
    draw = random.Random(2)
    shuffled = draw.sample(TEXTS, len(TEXTS))
    monkeypatch.setattr(f"{__name__}.TEXTS", shuffled)
    source = make(tmp_path)
    for name in ("lines.text", "lines.jsonl", "lines._lines", "csv.csv", "parquet.parquet"):
        monkeypatch.setattr(f"safedata.sources.{name}.WHOLE", 1 << 19)
    found = hold(tmp_path, source, {"prefetch": 40}, {"map": {"number": "= 1"}}, step="prefetch")
    assert found.evidence == "sampled"
    assert (found.bytes or 0) < 0.7 * 40 * max(LENGTHS)


def test_a_sample_is_no_bound_beside_a_declared_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the spec says how long a line may be, and some were read, every other one may be that long."""
    monkeypatch.setattr("safedata.sources.lines.text.WHOLE", 1 << 19)
    monkeypatch.setattr("safedata.sources.lines._lines.WHOLE", 1 << 19)
    [path] = lines(tmp_path).values()
    source = {"text": {"path": path, "max_bytes": "90 kB", "count": len(TEXTS)}}
    found = hold(tmp_path, source, {"prefetch": 40}, {"map": {"number": "= 1"}}, step="prefetch")
    assert found.evidence == "declared"
    assert (found.bytes or 0) >= 40 * 90_000
    assert not found.uneven


PHOTOS = [(100 + 7 * (place % 13), 500 - 9 * (place % 41)) for place in range(60)]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of images of many sizes."""
    folder = tmp_path_factory.mktemp("photos")
    for number, (height, width) in enumerate(PHOTOS):
        Image.new("RGB", (width, height)).save(folder / f"{number:02d}.png")
    return folder


DECODE = {"map": {"data": ["decode_image"]}}


def test_decoded_images_count_as_large_as_they_are(photos: Path) -> None:
    """Through every operation whose result has a bound for each: nothing is higher and wider than a photo is."""
    exact, slack = sum(3 * height * width for height, width in PHOTOS), len(PHOTOS) * 5000
    source, cache = {"files": "*.png"}, {"cache": "memory"}
    found = hold(photos, source, DECODE, cache)
    assert exact <= (found.bytes or 0) <= exact + slack
    found = hold(photos, source, DECODE, {"map": {"data": [{"cast": "float32"}]}}, cache)
    assert 4 * exact <= (found.bytes or 0) <= 4 * exact + slack
    assert hold(photos, source, DECODE, {"map": {"data": [{"resize": [8, 8]}]}}, cache).uneven == 0


def test_measured_images_keep_their_sizes(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of more files than a check opens, a measurement says how many are how large, and so do records of images."""
    exact = sum(3 * height * width for height, width in PHOTOS)
    monkeypatch.setattr("safedata.sources.files._images.MANY_FILES", 20)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    spec = {"safedata": 1, "source": {"files": "*.png"}, "steps": [{"batch": 4}]}
    [found] = safedata.measure(yaml.safe_dump(spec), folder=photos).measured
    assert found.read == len(PHOTOS)
    cached = hold(photos, {"files": "*.png"}, DECODE, {"cache": "memory"})
    assert cached.evidence == "measured"
    assert exact <= (cached.bytes or 0) <= 1.06 * exact
    examples = (
        message(1, message(1, message(1, b"data") + message(2, message(1, message(1, path.read_bytes())))))
        for path in sorted(photos.iterdir())
    )
    (tmp_path / "data.tfrecord").write_bytes(framed(*examples))
    source = {"tfrecord": {"path": "data.tfrecord", "features": {"data": "string"}}}
    read = hold(tmp_path, source, DECODE, {"cache": "memory"})
    assert exact <= (read.bytes or 0) <= exact + len(PHOTOS) * 5000
    monkeypatch.setattr("safedata.sources.tfrecord.tfrecord.PARSED_BYTES", 1000)
    assert safedata.measure(yaml.safe_dump({**spec, "source": source}), folder=tmp_path).measured
    again = hold(tmp_path, source, DECODE, {"cache": "memory"})
    assert again.evidence == "measured"
    assert exact <= (again.bytes or 0) <= 1.06 * exact + len(PHOTOS) * 5000


def test_calls_take_what_the_largest_image_does(photos: Path) -> None:
    """Not one as high as the highest and as wide as the widest, which is 1.2 times as large."""
    largest = max(3 * height * width for height, width in PHOTOS)
    box = 3 * max(height for height, _ in PHOTOS) * max(width for _, width in PHOTOS)
    spec = {"steps": [{**DECODE, "parallel": 1}, {"map": {"data": [{"resize": [8, 8]}]}}, {"batch": 4}]}
    text = yaml.safe_dump({"safedata": 1, "source": {"files": "*.png"}, **spec}, sort_keys=False)
    verdict = safedata.check(text, host="1TiB", folder=photos)
    assert verdict.plan is not None
    step = next(one for one in verdict.plan.steps if "map" in one.title)
    taken = step.holds[0].bytes or 0
    assert largest <= taken
    assert box > 1.2 * largest


SOUND: Sequence[tuple[object, ...]] = (
    ({"repeat": 2}, {"prefetch": 500}),
    ({"prefetch": 3}, {"repeat": 2}, {"prefetch": 500}),
    ({"window": {"size": 4, "shift": 2}}, {"flatten": "text"}, {"prefetch": 300}),
    ({"batch": 7}, "unbatch", {"prefetch": 300}),
)


@pytest.mark.parametrize("steps", SOUND)
def test_elements_that_come_twice_count_as_the_largest(tmp_path: Path, steps: tuple[object, ...]) -> None:
    """Behind whatever repeats elements, or puts them together, every one may be the longest."""
    behind = {"map": {"number": "= 1"}}
    spec = {
        "safedata": 1,
        "source": lines(tmp_path),
        "steps": [*steps, behind],
        "runtime": {"allocator": "system"},
    }
    verdict = safedata.check(yaml.safe_dump(spec, sort_keys=False), host="1TiB", folder=tmp_path)
    assert verdict.plan is not None
    step = [one for one in verdict.plan.steps if one.title == "prefetch"][-1]
    assert (step.holds[0].bytes or 0) >= 300 * max(LENGTHS)


KEPT: dict[str, tuple[object, ...]] = {
    "shuffle": ({"shuffle": 9},),
    "cache": ({"cache": "memory"},),
    "skip": ({"skip": 3},),
    "take": ({"take": 390},),
    "shard": ({"shard": {"count": 2, "index": 1}},),
    "split": ({"split": {"part": "a", "parts": {"a": 0.5, "b": 0.5}}},),
    "filter": ({"filter": "length(text) > 250"},),
    "prefetch": ({"prefetch": 3},),
    "rename": ({"rename": {"text": "said"}},),
    "select": ({"enumerate": "number"}, {"select": "text"}),
    "drop": ({"enumerate": "number"}, {"drop": "number"}),
    "enumerate": ({"enumerate": "number"},),
    "map": ({"map": {"number": "= length(text)"}},),
    "assert": ({"assert": "length(text) > 0"},),
}


def test_every_step_that_keeps_sizes_is_tried() -> None:
    """A stage that says of itself that elements leave it once at most is in the table above."""
    stages = (registry.stage(name) for name in registry.names("stages"))
    assert {one.key() for one in stages if one.once} == set(KEPT)


@pytest.mark.parametrize("name", KEPT)
@pytest.mark.tf
def test_elements_leave_such_a_step_once(tf: Any, tmp_path: Path, name: str) -> None:
    """What is known of an epoch's elements holds behind it: none of them leaves twice, and the cache is no larger."""
    source = lines(tmp_path)
    component = "said" if name == "rename" else "text"
    text = yaml.safe_dump(
        {"safedata": 1, "source": source, "steps": list(KEPT[name]), "output": [component]}, sort_keys=False
    )
    seen = Counter(row[0] for row in safedata.load(text, folder=tmp_path).as_numpy_iterator())
    every = Counter(text.encode() for text in TEXTS)
    assert seen
    assert not seen - every
    if name not in ("cache", "shuffle", "filter"):  # a cache behind them is something to warn of, or as large
        found = hold(tmp_path, source, *KEPT[name], {"cache": "memory"})
        assert (found.bytes or 0) < 2 * sum(LENGTHS)


def test_inputs_of_a_combinator_keep_theirs(tmp_path: Path, photos: Path) -> None:
    """Elements of a mix are those of all inputs; what `zip` pairs has the sizes of both; the box of all is larger."""
    exact = sum(3 * height * width for height, width in PHOTOS)
    images = {"source": {"files": "*.png"}, "steps": [DECODE, {"select": "data"}]}
    both = [images, {**images, "steps": [*images["steps"], {"take": 10}]}]
    found = hold(photos, {"concatenate": both}, {"cache": "memory"}).bytes or 0
    assert exact <= found <= 2 * exact
    masks = {**images, "steps": [*images["steps"], {"rename": {"data": "mask"}}]}
    found = hold(photos, {"zip": {"image": images, "mask": masks}}, {"cache": "memory"}).bytes or 0
    assert 2 * exact <= found <= 2 * exact + len(PHOTOS) * 10_000


@pytest.mark.parametrize(("first", "steps"), [*product((True, False), (10, 100))])
def test_holes_of_uneven_texts_follow_their_sizes(tmp_path: Path, first: bool, steps: int) -> None:
    """What a shuffle's freed texts leave is a part of the largest that are in it, wherever they came from."""
    source = lines(tmp_path) if first else rows(tmp_path)
    found = hold(tmp_path, source, {"shuffle": steps}, {"map": {"number": "= 1"}}, step="shuffle")
    longest = sum(sorted(LENGTHS)[-steps:])
    assert longest <= (found.bytes or 0) <= 1.2 * longest + steps * 3 * BESIDE


def test_a_cache_on_disk_counts_what_there_is(photos: Path, tmp_path: Path) -> None:
    """Texts as they are, images of many shapes as texts with their shapes; and what is read from there is known too."""
    cache = {"cache": {"path": str(tmp_path / "store")}}
    found = hold(tmp_path, lines(tmp_path), cache)
    assert found.place == "disk"
    assert sum(LENGTHS) <= (found.bytes or 0) <= 1.05 * sum(LENGTHS) + len(TEXTS) * 40
    exact = sum(3 * height * width for height, width in PHOTOS)
    found = hold(photos, {"files": "*.png"}, DECODE, {"select": "data"}, cache)
    assert exact <= (found.bytes or 0) <= exact + len(PHOTOS) * 1000
    steps = ({"rename": {"text": "said"}}, {"prefetch": 40}, {"map": {"number": "= 1"}})
    longest = sum(sorted(LENGTHS)[-40:])
    ahead = hold(tmp_path, lines(tmp_path), cache, *steps, step="prefetch")
    assert longest <= (ahead.bytes or 0) <= 1.05 * longest + 40 * 3 * BESIDE


@pytest.mark.tf
def test_an_entry_is_no_larger_than_was_said(tf: Any, photos: Path, tmp_path: Path) -> None:
    """What `build` writes of uneven elements is within what was counted for the disk, and near it."""
    steps = [DECODE, {"select": "data"}, {"cache": {"path": str(tmp_path / "store")}}]
    spec = yaml.safe_dump({"safedata": 1, "source": {"files": "*.png"}, "steps": steps}, sort_keys=False)
    said = hold(photos, {"files": "*.png"}, *steps)
    for _ in safedata.load(spec, folder=photos).take(1):
        pass
    written = sum(path.stat().st_size for path in (tmp_path / "store").rglob("*") if path.is_file())
    assert 0.95 * (said.bytes or 0) < written < (said.bytes or 0) + 20_000
