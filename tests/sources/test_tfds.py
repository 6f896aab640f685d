"""`tfds`: a prepared directory, written here by hand as TensorFlow Datasets writes it."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safedata.problem import Fault
from safedata.scope import Scope
from safedata.sources.tfds._info import Piece, Split, pieces_of
from safedata.sources.tfds.tfds import Tfds
from safedata.sources.tfrecord._crc32c import masked
from tests.sources.records import look, outcome, run, types

CORE = "tensorflow_datasets.core.features."


def tensor(dtype: str, *dims: int, encoding: str = "none") -> dict[str, Any]:
    shape = {"dimensions": [str(one) for one in dims]} if dims else {}
    value = {"dtype": dtype, "encoding": encoding, "shape": shape}
    return {"pythonClassName": CORE + "tensor_feature.Tensor", "tensor": value}


def sequence(feature: dict[str, Any], length: int = -1) -> dict[str, Any]:
    value = {"feature": feature, "length": str(length)}
    return {"pythonClassName": CORE + "sequence_feature.Sequence", "sequence": value}


def mapping(features: dict[str, Any]) -> dict[str, Any]:
    name = CORE + "features_dict.FeaturesDict"
    return {"pythonClassName": name, "featuresDict": {"features": features}}


IMAGE = {
    "pythonClassName": CORE + "image_feature.Image",
    "image": {"dtype": "uint8", "shape": {"dimensions": ["-1", "-1", "3"]}},
}
LABEL = {"pythonClassName": CORE + "class_label_feature.ClassLabel", "classLabel": {"numClasses": "3"}}
TEXT = {"pythonClassName": CORE + "text_feature.Text", "text": {}}
BOX = {
    "pythonClassName": CORE + "bounding_boxes.BBoxFeature",
    "boundingBox": {"dtype": "float32", "shape": {"dimensions": ["4"]}, "bboxFormat": "REL_YXYX"},
}
FEATURES: dict[str, Any] = {
    "id": tensor("int32"),
    "image": IMAGE,
    "label": LABEL,
    "flag": tensor("bool"),
    "x": tensor("float64", 2, 2),
    "u": tensor("uint8", -1, 2),
    "objects": sequence(mapping({"bbox": BOX, "label": LABEL})),
    "tags": sequence(TEXT),
    "three": sequence(tensor("int64"), 3),
}
REFUSED: dict[str, Any] = {
    "video": sequence(IMAGE) | {"pythonClassName": CORE + "video_feature.Video"},
    "audio": {"pythonClassName": CORE + "audio_feature.Audio", "audio": {}},
    "packed": tensor("float32", 4, encoding="zlib"),
    "ragged": sequence(sequence(tensor("int64"))),
}
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c49444154789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)


def example(number: int) -> bytes:
    """Return one serialized example of `FEATURES`."""
    objects = number % 3
    lists: dict[str, Sequence[Any]] = {
        "id": [number],
        "image": [PIXEL],
        "label": [number % 3],
        "flag": [number % 2],
        "x": [0.5, 1.5, 2.5, float(number)],
        "u": [number % 200] * 2 * objects,
        "objects/bbox": [0.0, 0.25, 0.5, 1.0] * objects,
        "objects/label": list(range(objects)),
        "tags": [b"t" * one for one in range(objects)],
        "three": [1, 2, 3],
    }
    return field(
        1, b"".join(field(1, field(1, key.encode()) + field(2, feature(v))) for key, v in lists.items())
    )


def feature(values: Sequence[Any]) -> bytes:
    if values and isinstance(values[0], bytes):
        return field(1, b"".join(field(1, one) for one in values))
    if values and isinstance(values[0], float):
        return field(2, field(1, struct.pack(f"<{len(values)}f", *values)))
    return field(3, field(1, b"".join(map(varint, values)))) if values else b""


def field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value: int) -> bytes:
    return bytes([value & 127 | 128]) + varint(value >> 7) if value > 127 else bytes([value])


def framed(data: bytes) -> bytes:
    head = struct.pack("<Q", len(data))
    return head + struct.pack("<I", masked(head)) + data + struct.pack("<I", masked(data))


def prepare(folder: Path, features: dict[str, Any] | None = None, **info: Any) -> Path:
    """Write a version's folder with the splits `train`, of 3 shards, and `test`; return it."""
    made = folder / "toy" / "1.0.0"
    made.mkdir(parents=True)
    number, splits = 0, []
    for name, lengths in (("train", (3, 4, 3)), ("test", (2,))):
        splits.append({"name": name, "shardLengths": [str(one) for one in lengths], "numBytes": "1"})
        for shard, length in enumerate(lengths):
            data = b"".join(framed(example(number + one)) for one in range(length))
            (made / f"toy-{name}.tfrecord-{shard:05d}-of-{len(lengths):05d}").write_bytes(data)
            number += length
    told = {"name": "toy", "version": "1.0.0", "fileFormat": "tfrecord", "splits": splits, **info}
    (made / "dataset_info.json").write_text(json.dumps(told))
    (made / "features.json").write_text(json.dumps(mapping(features or FEATURES)))
    return made


def test_types_are_the_datasets(tmp_path: Path) -> None:
    """Features have the dtypes and dimensions that the dataset says, bounded by its records; images stay encoded."""
    found = look(Tfds, prepare(tmp_path), path=".")
    assert str(types(found)) == (
        f"id: int32[], image: string[<={len(PIXEL)}B], label: int64[], flag: bool[], x: float64[2, 2], "
        "u: uint8[<=2, 2], objects_bbox: float32[<=2, 4], objects_label: int64[<=2], tags: string[<=1B][<=2], "
        "three: int64[3]"
    )
    assert (types(found).weakest, str(types(found).cardinality)) == ("measured", "exactly 10")
    encoded = types(found).element["image"].encoded
    assert encoded is not None
    assert encoded.formats == {"png"}


@pytest.mark.tf
def test_values_are_the_records(tf: Any, tmp_path: Path) -> None:
    """Every feature of every record comes out in its own dtype and shape."""
    for number, row in enumerate(run(tf, look(Tfds, prepare(tmp_path), path="."))):
        count = number % 3
        assert (int(row["id"]), bool(row["flag"])) == (number, bool(number % 2))
        assert row["x"].tolist() == [[0.5, 1.5], [2.5, number]]
        assert row["u"].shape == (count, 2)
        assert row["objects_bbox"].tolist() == [[0.0, 0.25, 0.5, 1.0]] * count
        assert row["tags"].tolist() == [b"t" * one for one in range(count)]


SELECTIONS = {
    "train": list(range(10)),
    "test": [10, 11],
    "train+test": list(range(12)),
    "all": list(range(12)),
    "train[:80%]": list(range(8)),
    "train[80%:]": [8, 9],
    "train[33%:66%]": [3, 4, 5, 6],
    "train[2:5]": [2, 3, 4],
    "train[-3:]": [7, 8, 9],
    "train[:-8] + test[1:]": [0, 1, 11],
    "test[50%:]+train[3:4]": [11, 3],
}


@pytest.mark.tf
@pytest.mark.parametrize("split", SELECTIONS)
def test_a_split_may_be_a_part_or_several(tf: Any, tmp_path: Path, split: str) -> None:
    """The records of a selection are TensorFlow Datasets', in order, each with its place."""
    found = look(Tfds, prepare(tmp_path), path=".", split=split, features=["id"])
    assert [int(row["id"]) for row in run(tf, found)] == SELECTIONS[split]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=5), st.integers(-40, 40), st.integers(-40, 40))
def test_a_selection_is_a_slice(lengths: list[int], start: int, stop: int) -> None:
    """`split[a:b]` has the records of Python's slice, and skips whole shards that have none of them."""
    split = Split("s", tuple(map(str, range(len(lengths)))), tuple(lengths))
    records = [(str(shard), one) for shard, length in enumerate(lengths) for one in range(length)]
    wanted = records[start:stop]
    found: list[Piece] = []
    code = ""
    try:
        found = pieces_of(f"s[{start}:{stop}]", {"s": split})
    except Fault as fault:
        code = fault.code
    if max(abs(start), abs(stop)) > len(records):
        assert code == "SD107"
        return
    assert code == ("" if wanted else "SD403")
    if not wanted:
        return
    [piece] = found
    inside = [(shard, one) for shard, n in zip(piece.shards, piece.lengths, strict=True) for one in range(n)]
    assert inside[piece.skip : piece.skip + piece.take] == wanted
    assert all(n for n in piece.lengths)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_read_is_said(tmp_path: Path, name: str) -> None:
    """A feature that is not read is refused by name, with those that are; without it the others are read."""
    made = prepare(tmp_path, FEATURES | {name: REFUSED[name]})
    with pytest.raises(Fault, match=f"the feature `{name}` is not read: ") as caught:
        look(Tfds, made, path=".")
    assert caught.value.code == "SD413"
    assert str(caught.value.help).startswith("name the others: `features: [id, image")
    assert list(types(look(Tfds, made, path=".", features={"box": "objects/bbox"})).element) == ["box"]


def test_other_files_are_said(tmp_path: Path) -> None:
    """Files that are no TFRecords are refused with the command that prepares them again."""
    made = prepare(tmp_path, fileFormat="array_record")
    with pytest.raises(Fault, match="the files are `array_record`, and only `tfrecord` is read") as caught:
        look(Tfds, made, path=".")
    assert caught.value.help == "prepare it again: `tfds build toy --file_format=tfrecord`"


def test_counts_must_agree(tmp_path: Path) -> None:
    """Files with more or fewer records than the dataset says are refused."""
    made = prepare(tmp_path)
    with (made / "toy-test.tfrecord-00000-of-00001").open("ab") as file:
        file.write(framed(example(0)))
    with pytest.raises(Fault, match=r"the files have 3 records, and `dataset_info.json` says 2"):
        look(Tfds, made, path=".", split="test")
    (made / "toy-train.tfrecord-00001-of-00003").unlink()
    with pytest.raises(Fault, match=r"toy-train.tfrecord-00001-of-00003"):
        look(Tfds, made, path=".")


@pytest.mark.tf
def test_bad_records_are_left_out(tf: Any, tmp_path: Path) -> None:
    """Under `on_error: skip` a damaged record is left out and recorded, and what follows in its shard comes."""
    made = prepare(tmp_path)
    path = made / "toy-train.tfrecord-00001-of-00003"
    data = bytearray(path.read_bytes())
    data[len(data) // 4 + 200] ^= 1  # inside the second of four records
    path.write_bytes(data)
    found = look(Tfds, made, "skip", path=".", features=["id"])
    skipped: list[int] = []
    rows = [int(row["id"]) for row in run(tf, found, "skip", skipped)]
    assert rows == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert skipped == [4]


@pytest.mark.parametrize(
    ("fields", "code", "at"),
    [
        ({"path": "nowhere"}, "SD401", ("path",)),
        ({"path": ".."}, "SD403", ("path",)),
        ({"split": "trian"}, "SD201", ("split",)),
        ({"split": "train[1:2:3]"}, "SD105", ("split",)),
        ({"split": "train[:11]"}, "SD107", ("split",)),
        ({"split": "train[:101%]"}, "SD107", ("split",)),
        ({"split": "train[3:3]"}, "SD403", ("split",)),
        ({"features": ["objects"]}, "SD201", ("features", 0)),
        ({"features": {"#a": "id"}}, "SD105", ("features", "#a")),
        ({"max": {"id": 3}}, "SD103", ("max", "id")),
        ({"max_bytes": {"idd": "3 B"}}, "SD201", ("max_bytes", "idd")),
        ({"max_bytes": {"image": "3 B"}}, "SD404", ("path",)),
    ],
)
def test_refused(tmp_path: Path, fields: dict[str, Any], code: str, at: tuple[str, ...]) -> None:
    """A folder, a selection or a field that does not fit is refused where it stands."""
    with pytest.raises(Fault, match=r".") as caught:
        look(Tfds, prepare(tmp_path), **{"path": ".", **fields})
    assert (caught.value.code, caught.value.at) == (code, at)


def test_declared_bounds(tmp_path: Path) -> None:
    """What is declared stands in the types; entries count, not the values in them."""
    fields: dict[str, Any] = {"max": {"objects_bbox": 20}, "max_size": {"image": [64, 64]}}
    element = types(look(Tfds, prepare(tmp_path), path=".", **fields)).element
    assert str(element["objects_bbox"]) == "float32[<=20, 4]"
    encoded = element["image"].encoded
    assert encoded is not None
    assert (encoded.height.most, encoded.height.evidence) == (64, "declared")


WORDS = [
    "featuresDict",
    "features",
    "sequence",
    "feature",
    "length",
    "tensor",
    "shape",
    "dimensions",
    "dtype",
]
WORDS += ["splits", "name", "shardLengths", "filepathTemplate", "fileFormat", "text", "a/b"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["-1", "3", "float32", "text", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(WORDS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(JSON, st.booleans())
def test_hostile_json_is_a_fault_or_types(
    tmp_path_factory: pytest.TempPathFactory, value: Any, info: bool
) -> None:
    """Whatever stands in the JSON files, a check gives types or a fault."""
    made = prepare(tmp_path_factory.mktemp("d"))
    name = "dataset_info.json" if info else "features.json"
    whole = {"name": "toy", "splits": [value]} if info else mapping({"a": value})
    (made / name).write_text(json.dumps(whole if isinstance(value, dict) else value))
    code = outcome(lambda: types(look(Tfds, made, path=".")))
    assert code is None or code.startswith("SD")


def test_measuring_reads_the_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a check parses a sample, `safedata measure` is given the shards of the split."""
    monkeypatch.setattr("safedata.sources.tfrecord.tfrecord.PARSED", 3)
    monkeypatch.setattr("safedata.sources.tfrecord.tfrecord.SAMPLED", 2)
    source = Tfds.model_validate({"path": ".", "split": "train[:4]"})
    [work] = source.to_measure(Scope(str(prepare(tmp_path))))
    assert [Path(file.path).name[-14:-9] for file in work.files] == ["00000", "00001"]
