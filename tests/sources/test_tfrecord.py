"""`tfrecord`: headers, records, features, damage."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import safedata
from safedata.problem import DataError, Fault
from safedata.sources._survey import Survey
from safedata.sources.tfrecord._crc32c import crc32c, masked
from safedata.sources.tfrecord._example import parse_record
from safedata.sources.tfrecord.tfrecord import Tfrecord
from safedata.types import Dim
from tests import reference
from tests.sources.records import look, outcome, run, types

PACK: dict[str, Callable[[bytes], bytes]] = {"none": bytes, "gzip": gzip.compress, "zlib": zlib.compress}


def framed(*records: bytes) -> bytes:
    parts = []
    for record in records:
        size = len(record).to_bytes(8, "little")
        parts += [size, masked(size).to_bytes(4, "little"), record, masked(record).to_bytes(4, "little")]
    return b"".join(parts)


def field(number: int, data: bytes) -> bytes:
    """One field with a length; short enough for the tests' messages."""
    size = len(data)
    return (
        bytes([number << 3 | 2])
        + (bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7]))
        + data
    )


def example(**features: list[Any]) -> bytes:
    """A serialized `tf.train.Example` of small whole numbers and strings, made by hand."""
    entries = b""
    for key, values in features.items():
        if values and isinstance(values[0], bytes):
            feature = field(1, b"".join(field(1, one) for one in values))
        else:
            feature = field(3, field(1, bytes(values)))
        entries += field(1, field(1, key.encode()) + field(2, feature))
    return field(1, entries)


def write(
    folder: Path, *records: bytes, pack: Callable[[bytes], bytes] = bytes, name: str = "a.tfrecord"
) -> Path:
    path = folder / name
    path.write_bytes(pack(framed(*records)))
    return path


def open_records(folder: Path, on_error: Any = "fail", **fields: Any) -> Any:
    return look(Tfrecord, folder, on_error, **{"path": "*.tfrecord", "features": {"a": "int64"}, **fields})


def test_checksums_are_crc_32c() -> None:
    """The check value of CRC-32C, and that of the standard's 32 zero bytes."""
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA


@pytest.mark.tf
def test_messages_are_read_as_protobuf_reads_them(tf: Any) -> None:
    """Counts, lengths and dtypes agree with TensorFlow's own messages, negative numbers included."""
    train = tf.train
    made = train.Example(
        features=train.Features(
            feature={
                "i": train.Feature(int64_list=train.Int64List(value=[1, -1, 2**62, 300])),
                "f": train.Feature(float_list=train.FloatList(value=[0.5] * 7)),
                "b": train.Feature(bytes_list=train.BytesList(value=[b"", b"x" * 500])),
                "none": train.Feature(),
            }
        )
    ).SerializeToString()
    found = parse_record(made).features
    assert {key: (one.dtype, one.count, one.longest) for key, one in found.items()} == {
        "i": ("int64", 4, 0),
        "f": ("float32", 7, 0),
        "b": ("string", 2, 500),
        "none": (None, 0, 0),
    }


@pytest.mark.tf
def test_it_reads_what_the_reference_reads(tf: Any, specs: Path) -> None:
    """Every record of the shipped shards, in order, with measured bounds and the sizes of the images."""
    features = {
        "image": {"dtype": "string", "key": "image/encoded"},
        "label": {"dtype": "int64", "key": "image/class/label"},
        "hist": {"kind": "variable", "dtype": "float32", "key": "image/histogram"},
    }
    found = look(Tfrecord, specs / "data", path="photos-*.tfrecord", features=features)
    expected = reference.read_tfrecord(specs / "data" / "photos-*.tfrecord")
    rows = run(tf, found)
    keys = {name: str(one["key"]) for name, one in features.items()}
    assert all(
        (row[name] == want[keys[name]]).all() if name == "hist" else row[name] == want[keys[name]]
        for row, want in zip(rows, expected, strict=True)
        for name in keys
    )
    element = types(found).element
    assert element["image"].length == Dim.at_most(
        max(len(row["image/encoded"]) for row in expected), "measured"
    )
    assert element["hist"].shape == (
        Dim.at_most(max(len(r["image/histogram"]) for r in expected), "measured"),
    )
    encoded = element["image"].encoded
    assert encoded is not None
    assert encoded.formats == {"jpeg"}
    assert encoded.height.most == max(row["image/height"] for row in expected)


@pytest.mark.tf
@pytest.mark.parametrize("compression", PACK)
def test_compression_makes_no_difference(tf: Any, tmp_path: Path, compression: str) -> None:
    """A compressed file has the records, the count and the bounds of the plain one."""
    records = [example(a=[n], s=[b"x" * n]) for n in range(100)]
    write(tmp_path, *records, pack=PACK[compression])
    found = open_records(tmp_path, compression=compression, features={"a": "int64", "s": "string"})
    assert [int(row["a"]) for row in run(tf, found)] == list(range(100))
    assert types(found).element["s"].length == Dim.at_most(99, "measured")


@pytest.mark.tf
def test_every_kind_of_feature(tf: Any, tmp_path: Path) -> None:
    """Fixed with a shape or a default, variable, ragged by lengths or splits; each within its bounds."""
    write(
        tmp_path,
        example(a=[1, 2], w=[5, 6, 7], v=[5, 6, 7], n=[2, 0, 1], s=[0, 2, 2, 3]),
        example(a=[3, 4], w=[9], v=[9], n=[1], s=[0, 1], d=[8]),
    )
    features = {
        "a": "int64[2]",
        "d": {"dtype": "int64", "default": 42},
        "w": "int64[<=3]",
        "r": {"dtype": "int64", "kind": "ragged", "key": "v", "row_lengths": "n"},
        "q": {"dtype": "int64", "kind": "ragged", "key": "v", "row_splits": "s"},
    }
    rows = run(tf, open_records(tmp_path, features=features))
    assert [row["r"] for row in rows] == [[[5, 6], [], [7]], [[9]]]
    assert [row["q"] for row in rows] == [row["r"] for row in rows]
    assert [int(row["d"]) for row in rows] == [42, 8]
    assert [row["w"].tolist() for row in rows] == [[5, 6, 7], [9]]


@pytest.mark.tf
def test_sequence_examples(tf: Any, tmp_path: Path) -> None:
    """Steps become a first dimension of at most the most steps; the other features come from the context."""
    train = tf.train

    def sequence(steps: int) -> bytes:
        step = [train.Feature(float_list=train.FloatList(value=[n, n + 0.5])) for n in range(steps)]
        lists = train.FeatureLists(feature_list={"x": train.FeatureList(feature=step)})
        label = train.Features(feature={"y": train.Feature(int64_list=train.Int64List(value=[steps]))})
        return train.SequenceExample(context=label, feature_lists=lists).SerializeToString()  # type: ignore[no-any-return] # protobuf has no stubs

    write(tmp_path, sequence(3), sequence(0))
    features = {"x": {"kind": "sequence", "dtype": "float32", "shape": [2]}, "y": "int64"}
    found = open_records(tmp_path, features=features)
    assert types(found).element["x"].shape == (Dim.at_most(3, "measured"), Dim.exactly(2))
    assert [row["x"].tolist() for row in run(tf, found)] == [[[0, 0.5], [1, 1.5], [2, 2.5]], []]


@pytest.mark.parametrize(
    ("features", "code", "says"),
    [
        ({"lable": "int64"}, "SD201", "no record has a feature `lable`"),
        ({"label": "float32"}, "SD202", "`label` is stored as int64, not float32"),
        ({"label": "int64[3]"}, "SD203", "1 values in each record, and its shape 3"),
        ({"label": "int64", "v": "int64[2]"}, "SD203", "1 to 3 values, and its shape 2"),
        ({"v": "int64[<=2]"}, "SD404", "record 0, byte 0 has 3 values in `v`, over the 2 of `max`"),
        ({"only": "int64"}, "SD404", r"record 1, byte \d+ has no feature `only`"),
        ({"label": {"dtype": "int64", "max": 3}}, "SD103", "takes no `max`"),
        (
            {"label": "int64", "b": {"dtype": "int64", "key": "label"}},
            "SD105",
            "read the same feature `label`",
        ),
        ({"label": {"dtype": "int64", "kind": "ragged"}}, "SD104", "`row_lengths` or `row_splits`"),
    ],
)
def test_features_are_held_against_the_records(tmp_path: Path, features: Any, code: str, says: str) -> None:
    """What a spec says of a feature and no record has, or some record has not, is a fault with its place."""
    write(tmp_path, example(label=[1], v=[1, 2, 3], only=[1]), example(label=[2], v=[1]))
    with pytest.raises(Fault, match=says) as caught:
        open_records(tmp_path, features=features)
    assert caught.value.code == code


@pytest.mark.parametrize("on_error", ["fail", "skip"])
def test_truncation_is_found_without_tensorflow(tmp_path: Path, on_error: str) -> None:
    """A file that is cut off is a fault with record and byte; under `skip` a note that says what is lost."""
    record = example(a=[1])
    path = write(tmp_path, record, record)
    path.write_bytes(path.read_bytes()[:-3])
    says = f"3 bytes of record 1, byte {len(record) + 16}, are missing"
    if on_error == "fail":
        with pytest.raises(Fault, match=says):
            open_records(tmp_path)
    else:
        [note] = open_records(tmp_path, on_error).notes
        assert says in note


def test_the_wrong_compression_is_named(tmp_path: Path) -> None:
    """A gzip file read as a plain one says what it looks like."""
    write(tmp_path, example(a=[1]), pack=gzip.compress)
    with pytest.raises(Fault, match="wrong checksum in front of record 0, byte 0") as caught:
        open_records(tmp_path)
    assert caught.value.help == "it looks like gzip: add `compression: gzip`"


@pytest.mark.tf
def test_a_damaged_record_is_traced_to_its_file(tf: Any, tmp_path: Path) -> None:
    """TensorFlow names an offset and no file; the file is found by its checksum."""
    record = example(a=[1])
    write(tmp_path, record, record, name="a.tfrecord")
    path = write(tmp_path, record, record, name="b.tfrecord")
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    found = open_records(tmp_path, features={"a": {"dtype": "int64", "default": 0}})
    with pytest.raises(tf.errors.DataLossError, match="corrupted record at") as caught:
        run(tf, found)
    assert found.root.diagnose(str(caught.value)) == f"{path}, byte {len(record) + 16}"
    assert found.root.diagnose("something else") is None


@pytest.mark.tf
@pytest.mark.parametrize("compression", sorted(PACK))
@pytest.mark.parametrize("record", [b"\xff\xfe no example", b"\x0a\x03\xff\xff\xff", b"text"])
def test_a_record_that_is_no_example_is_named(
    tf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compression: str, record: bytes
) -> None:
    """One that a check's sample has passed over is named when the run meets it, whatever its bytes are."""
    monkeypatch.setattr(Survey, "add", lambda self, data, where: _add(self, data, where, record))
    sound = example(a=[1])
    write(tmp_path, sound, pack=PACK[compression])
    path = write(tmp_path, sound, record, sound, pack=PACK[compression], name="b.tfrecord")
    byte = "byte" if compression == "none" else "decompressed byte"
    found = f"{path} record 1, {byte} {len(sound) + 16}: the record is no serialized example"
    told = found if record[:1] == b"\x0a" else f"a record that is no example, in {path} record 1"
    for features, wanted in (
        ("a: int64", told),
        ("a: int64, s: {dtype: int64, kind: sequence, max: 2}", found),
    ):
        source = f"tfrecord: {{path: '*.tfrecord', compression: {compression}, features: {{{features}}}}}"
        with pytest.raises(DataError) as caught:
            safedata.profile(f"safedata: 1\nsource: {{{source}}}", folder=tmp_path)
        [problem] = caught.value.problems
        assert (problem.code, problem.message) == ("SD404", wanted)


def _add(survey: Survey, data: bytes, where: str, without: bytes) -> None:
    if data != without:
        _ADD(survey, data, where)


_ADD = Survey.add


@pytest.mark.tf
def test_skipped_records_are_counted_and_named(tf: Any, tmp_path: Path) -> None:
    """Under `skip` every damaged record is recorded by its place, and those behind it come."""
    records = [example(a=[n]) for n in range(5)]
    path = write(tmp_path, *records, name="a.tfrecord")
    data = bytearray(path.read_bytes())
    data[3 * (len(records[0]) + 16) + 14] ^= 1
    path.write_bytes(data)
    write(tmp_path, example(a=[9]), b"\xff no example", name="b.tfrecord")
    found = open_records(tmp_path, "skip")
    skipped: list[int] = []
    assert [int(row["a"]) for row in run(tf, found, "skip", skipped)] == [0, 1, 2, 4, 9]
    assert sorted(skipped) == [3, 6]
    assert found.root.describe(3) == f"{path} record 3, byte {3 * (len(records[0]) + 16)}"


@pytest.mark.tf
def test_a_declared_bound_holds_at_run_time(tf: Any, tmp_path: Path) -> None:
    """A record that grew after the check stops the run, with the file and record named."""
    path = write(tmp_path, example(a=[1], s=[b"xx"]))
    found = open_records(tmp_path, features={"s": "string[<=2 B]"})
    path.write_bytes(framed(example(a=[1], s=[b"xxx"])))
    with pytest.raises(tf.errors.InvalidArgumentError, match="SD501: record: bytes must be at most"):
        run(tf, found)


def test_a_check_imports_neither_tensorflow_nor_numpy(specs: Path) -> None:
    """Records are inspected in pure Python."""
    import subprocess
    import sys

    code = (
        "import sys; from safedata.sources.tfrecord.tfrecord import Tfrecord as T; from safedata.scope import Scope;"
        "T.model_validate({'path': 'photos-*.tfrecord', 'features': {'a': {'dtype': 'string',"
        f"'key': 'image/encoded'}}}}}}).inspect(Scope({str(specs / 'data')!r}));"
        "print(sorted({'tensorflow', 'numpy'} & set(sys.modules)))"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(PACK)), st.binary(max_size=60), st.integers(0, 150), st.booleans(), st.booleans()
)
def test_damage_is_a_fault_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, compression: str, junk: bytes, at: int, inside: bool, skip: bool
) -> None:
    """Whatever stands in a file or in a record, a check gives types or a fault."""
    record = example(a=[1], s=[b"text"])
    if inside:
        record = record[: at % len(record)] + junk + record[at % len(record) + len(junk) :]
    data = PACK[compression](framed(record, record))
    if not inside:
        data = data[:at] + junk + data[at + len(junk) :]
    path = tmp_path_factory.mktemp("t") / "a.tfrecord"
    path.write_bytes(data)
    code = outcome(
        lambda: types(open_records(path.parent, "skip" if skip else "fail", compression=compression))
    )
    assert code in {None, "SD201", "SD202", "SD203", "SD403", "SD404"}
