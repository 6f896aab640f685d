"""`parquet`: columns, nulls, bounds, and a row group that is never held whole."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import safedata
from safedata.measured import CorruptError
from safedata.problem import Fault
from safedata.scope import Scope
from safedata.sources.parquet._footer import Chunk, FooterError, read_groups
from safedata.sources.parquet._pages import PageError, read_pages
from safedata.sources.parquet.parquet import Parquet
from tests.sources.records import look, outcome, run, types

pa: Any = pytest.importorskip("pyarrow")
pq: Any = importlib.import_module("pyarrow.parquet")

NUMBERS = {
    "b": (pa.bool_(), "bool", [True, False, True]),
    "u1": (pa.uint8(), "uint8", [0, 255, 7]),
    "i2": (pa.int16(), "int16", [-(2**15), 1, 2**15 - 1]),
    "u8": (pa.uint64(), "uint64", [0, 2**64 - 1, 3]),
    "i8": (pa.int64(), "int64", [-(2**63), 0, 2**63 - 1]),
    "f2": (pa.float16(), "float16", [0.5, -2.0, 65504.0]),
    "f4": (pa.float32(), "float32", [0.5, -2.0, 1e30]),
    "f8": (pa.float64(), "float64", [0.1, -2.0, 1e300]),
    "day": (pa.date32(), "int32", [0, -3, 20_000]),
    "at": (pa.timestamp("us", "UTC"), "int64", [0, -5, 2**40]),
    "noon": (pa.time32("ms"), "int32", [0, 5, 43_200_000]),
    "span": (pa.duration("s"), "int64", [1, 2, 3]),
}
TEXTS = {
    "s": (pa.string(), ["a", "", "añb"]),
    "large": (pa.large_binary(), [b"\0\xff", b"x" * 100, b""]),
    "fixed": (pa.binary(2), [b"ab", b"cd", b"\0\0"]),
    "word": (pa.dictionary(pa.int8(), pa.string()), ["yes", "no", "yes"]),
}
LISTS = {
    "ints": (pa.list_(pa.int64()), [[1, 2, 3], [], [4]]),
    "words": (pa.large_list(pa.string()), [["a"], ["bc", ""], []]),
    "pairs": (pa.list_(pa.float32(), 2), [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
}


def open_parquet(folder: Path, *tables: Any, on_error: Any = "fail", groups: int = 2, **fields: Any) -> Any:
    for number, table in enumerate(tables):
        made = table if isinstance(table, pa.Table) else pa.table(table)
        pq.write_table(made, folder / f"{number}.parquet", row_group_size=groups)
    return look(Parquet, folder, on_error, **{"path": "*.parquet", **fields})


def array(values: Any, kind: Any) -> Any:
    if pa.types.is_temporal(kind):
        return pa.array(values, pa.int32() if kind.bit_width == 32 else pa.int64()).view(kind)
    return pa.array(values, kind)


@pytest.mark.tf
def test_every_type_is_read(tf: Any, tmp_path: Path) -> None:
    """Numbers, times, text and lists come out as they were written, file by file and in order."""
    given: dict[str, Any] = (
        {name: (kind, values) for name, (kind, _, values) in NUMBERS.items()} | TEXTS | LISTS
    )
    table = pa.table({name: array(values, kind) for name, (kind, values) in given.items()})
    found = open_parquet(tmp_path, table, table.slice(1))
    element = types(found).element
    assert {name: element[name].dtype for name in NUMBERS} == {n: one[1] for n, one in NUMBERS.items()}
    assert [str(element[name]) for name in ("s", "words", "pairs")] == [
        "string[<=4B]",
        "string[<=2B][<=2]",
        "float32[2]",
    ]
    rows = run(tf, found)
    assert len(rows) == 5
    for place, row in enumerate(rows):
        for name, (_, values) in given.items():
            want = values[place if place < 3 else place - 2]
            assert _plain(row[name]) == _plain(want), name


def _plain(value: Any) -> Any:
    if isinstance(value, list) or len(getattr(value, "shape", "")):
        return [_plain(one) for one in value]
    value = value.encode() if isinstance(value, str) else value
    return value if isinstance(value, bytes) else float(value) if isinstance(value, float) else value


def test_fields_of_structs_are_columns(tmp_path: Path) -> None:
    """A field stands behind a dot; the struct itself, and what else no component can be, is refused."""
    table = {"image": [{"bytes": b"abc", "path": "a"}, {"bytes": b"", "path": "b"}], "label": [0, 1]}
    found = open_parquet(tmp_path, table, columns={"image": "image.bytes", "y": "label"})
    assert str(types(found)) == "image: string[<=3B], y: int64[]"
    with pytest.raises(Fault, match=r"`image` is struct<.*, which no component can be") as caught:
        open_parquet(tmp_path, table)
    assert caught.value.help == "name its fields: `columns: {name: image.bytes}`"


NULLS: dict[str, Any] = {
    "n": pa.array([1, None, 3, None], pa.int8()),
    "s": pa.array(["a", "b", None, "d"]),
    "t": pa.array([[1], None, [2, 3], []]),
    "p": pa.array([None, [1, 2], [3, 4], [5, 6]], pa.list_(pa.int64(), 2)),
    "h": pa.array([None, 1.5, 2.5, 3.5], pa.float16()),
}
FILLED = {"n": 9, "s": "none", "t": [7, 8, 9], "p": [0, 0], "h": 0.5}


@pytest.mark.tf
def test_nulls_become_the_default(tf: Any, tmp_path: Path) -> None:
    """A null becomes its column's default, whose size counts."""
    found = open_parquet(tmp_path, NULLS, default=FILLED)
    assert str(types(found)) == "n: int8[], s: string[<=4B], t: int64[<=3], p: int64[2], h: float16[]"
    rows = [{name: _plain(value) for name, value in row.items()} for row in run(tf, found)]
    assert [row["n"] for row in rows] == [1, 9, 3, 9]
    assert [row["s"] for row in rows] == [b"a", b"b", b"none", b"d"]
    assert [row["t"] for row in rows] == [[1], [7, 8, 9], [2, 3], []]
    assert [row["p"] for row in rows] == [[0, 0], [1, 2], [3, 4], [5, 6]]
    assert [row["h"] for row in rows] == [0.5, 1.5, 2.5, 3.5]


@pytest.mark.parametrize(
    ("column", "says"),
    [
        ("n", "2 values are missing in `n`, row group 0 first"),
        ("s", "a value is missing in `s`, row 2 first"),
        ("t", "a value is missing in `t`, row 1 first"),
    ],
)
def test_a_null_without_a_default_is_an_error(tmp_path: Path, column: str, says: str) -> None:
    """The message names the file, and the row or the row group."""
    with pytest.raises(Fault) as caught:
        open_parquet(tmp_path, {column: NULLS[column]})
    assert caught.value.code == "SD412"
    assert caught.value.message.endswith(f"0.parquet`: {says}")
    assert "default: {" in (caught.value.help or "")


@pytest.mark.tf
def test_bad_rows_are_left_out(tf: Any, tmp_path: Path) -> None:
    """Under `on_error: skip` rows with nulls, or larger than declared, are left out and recorded."""
    table = {"t": pa.array([[1], None, [1, 2, 3], [None], [4, 5]]), "s": ["a", "b", "c", "d", "toolong"]}
    fields: dict[str, Any] = {"max": {"t": 2}, "max_bytes": {"s": "6 B"}}
    found = open_parquet(tmp_path, table, on_error="skip", **fields)
    skipped: list[int] = []
    assert [row["t"].tolist() for row in run(tf, found, "skip", skipped)] == [[1]]
    assert skipped == [1, 2, 3, 4]
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"SD404: `t` is missing.*0\.parquet row 1"):
        run(tf, open_parquet(tmp_path, table, **fields))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"SD501: `t` has 3 values, and is int64\[<=2\]"):
        run(tf, open_parquet(tmp_path, {"t": [[1], [1, 2, 3]]}, max={"t": 2}))
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"SD501: `s` has 7 bytes, and is string\[<=6B\]"
    ):
        run(tf, open_parquet(tmp_path, {"s": ["a", "toolong"]}, max_bytes={"s": "6 B"}))


@pytest.mark.tf
def test_damage_and_change_at_run_time(tf: Any, tmp_path: Path) -> None:
    """A file that was changed or damaged after the check is an error with its name, or left out as a whole."""
    column = {"n": list(range(500))}
    found = open_parquet(tmp_path, column, column, groups=100)
    skipping = look(Parquet, tmp_path, "skip", path="*.parquet")
    data = bytearray((tmp_path / "1.parquet").read_bytes())
    data[1200:1600] = b"\xff" * 400
    (tmp_path / "1.parquet").write_bytes(data)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"SD404: it cannot be read.*1\.parquet row \d"):
        run(tf, found)
    skipped: list[int] = []
    rows = run(tf, skipping, "skip", skipped)
    assert [int(row["n"]) for row in rows[:500]] == column["n"]
    assert len(rows) + len(skipped) == 1000
    pq.write_table(pa.table({"n": [1]}), tmp_path / "1.parquet")
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"has 1 rows, and had 500 when it was checked"):
        run(tf, found)


def test_bounds_come_from_values_or_are_declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files are read; of large ones a sample says so; what is declared needs no reading."""
    table = {"s": ["a" * (number % 50) for number in range(1000)], "t": [[1] * (n % 7) for n in range(1000)]}
    assert types(open_parquet(tmp_path, table, groups=100)).weakest == "measured"
    monkeypatch.setattr("safedata.sources.parquet.parquet.WHOLE", 100)
    found = open_parquet(tmp_path, table, groups=400)
    assert types(found).weakest == "sampled"
    assert found.notes == ("values of 712 of 1000 rows were read, the first ones of some row groups",)
    assert found.declare == "`max_bytes: 49 B` of `s` and `max: 6` of `t`"
    declared = open_parquet(tmp_path, table, max={"t": 9}, max_bytes={"s": "1 KiB"})
    assert str(types(declared)) == "s: string[<=1KiB], t: int64[<=9]"
    assert types(declared).weakest == "measured"
    source = Parquet.model_validate({"path": "*.parquet"})
    [work] = source.to_measure(Scope(str(tmp_path)))
    value = json.loads(json.dumps(work.read(work.files[0].path, lambda _: None)))
    work.check(value)
    lengths = [[length, 20] for length in range(50)]
    lists = [[size, 143 if size < 6 else 142] for size in range(7)]
    assert value == {"s": [0, 49, 0, -1, lengths, 0, []], "t": [6, 0, 0, -1, [], 0, lists]}
    assert work.damaged({"a": value}) == (0, [])
    with pytest.raises(CorruptError):
        work.check({"s": [0, 49, 0, -1]})


def test_reading_a_row_group_holds_a_page_of_it(tmp_path: Path) -> None:
    """The hold follows the largest pages, as their headers say, not the row group."""
    import numpy as np

    column = {"x": np.random.default_rng(0).random(1 << 19)}
    pq.write_table(pa.table(column), tmp_path / "a.parquet", use_dictionary=False, compression="none")
    found = look(Parquet, tmp_path, path="a.parquet")
    held = sum(hold.bytes or 0 for hold in list(found.root.holds(types(found), Scope("")))[1:])
    assert 200_000 < held < (1 << 22) // 2


@pytest.mark.parametrize(
    ("fields", "code", "at"),
    [
        ({"columns": ["m"]}, "SD201", ("columns", 0)),
        ({"columns": {"#n": "n"}}, "SD105", ("columns", "#n")),
        ({"columns": ["n", "n"]}, "SD105", ("columns", 1)),
        ({"default": {"m": 1}}, "SD201", ("default", "m")),
        ({"default": {"n": "x"}}, "SD105", ("default", "n")),
        ({"default": {"n": [1]}}, "SD105", ("default", "n")),
        ({"max": {"n": 3}}, "SD103", ("max", "n")),
        ({"max_bytes": {"n": "3 B"}}, "SD103", ("max_bytes", "n")),
    ],
)
def test_refused(tmp_path: Path, fields: dict[str, Any], code: str, at: tuple[str, ...]) -> None:
    """Fields that speak of no column, or of one that does not take them, are refused where they stand."""
    with pytest.raises(Fault, match=r".") as caught:
        open_parquet(tmp_path, {"n": [1, 2]}, **fields)
    assert (caught.value.code, caught.value.at) == (code, at)


def test_files_must_agree(tmp_path: Path) -> None:
    """Files with another type in a column are refused, and the message names both files."""
    with pytest.raises(Fault, match=r"1\.parquet` has double in `n`, and .*0\.parquet int64"):
        open_parquet(tmp_path, {"n": [1, 2]}, {"n": [0.5]})
    with pytest.raises(Fault, match="the files have no rows"):
        open_parquet(tmp_path, {"n": pa.array([], pa.int8())}, {"n": pa.array([], pa.int8())})


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pyarrow a check says what to install, at the source."""

    find = importlib.import_module

    def absent(name: str) -> Any:
        if name.startswith("pyarrow"):
            raise ModuleNotFoundError("no", name=name)
        return find(name)

    pq.write_table(pa.table({"n": [1]}), tmp_path / "a.parquet")
    monkeypatch.setattr("safedata.sources.parquet._schema.importlib.import_module", absent)
    text = "safedata: 1\nsource: {parquet: {path: a.parquet}}\n"
    [problem] = safedata.check(text, folder=str(tmp_path)).problems
    assert problem.code == "SD407"
    assert problem.help == "install it: `pip install 'safedata[parquet]'`"
    assert problem.span is not None
    assert problem.span.line == 2


def test_pandas_is_not_imported(tmp_path: Path) -> None:
    """Where pandas is installed reading does not import it: it would take memory that is not counted."""
    (tmp_path / "pandas.py").write_text("import sys; print('imported', file=sys.stderr)")
    pq.write_table(pa.table({**NULLS, "b": [True, None, False, None]}), tmp_path / "a.parquet")
    code = f"""
from safedata.scope import Scope
from safedata.sources.parquet.parquet import Parquet
from safedata.sources.parquet._graph import _Chunks
fields = {{"path": "a.parquet", "default": {{**{FILLED!r}, "b": True}}}}
root = Parquet.model_validate(fields).inspect(Scope({str(tmp_path)!r})).root
[chunk] = _Chunks(((root.files[0], 4),), root.reads, 10)()
print([one.tolist() for one in chunk[3:]])
"""
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.stderr == ""
    assert done.stdout.startswith(
        "[[1, 9, 3, 9], [b'a', b'b', b'none', b'd'], [1, 7, 8, 9, 2, 3], [0, 1, 4, 6, 6]"
    )
    assert done.stdout.strip().endswith("[0.5, 1.5, 2.5, 3.5], [True, True, False, True]]")


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 3000), st.booleans())
def test_hostile_files_are_a_fault_or_types(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes, at: int, cut: bool
) -> None:
    """Whatever stands in a file, a check gives types or a fault."""
    folder = tmp_path_factory.mktemp("p")
    path = folder / "a.parquet"
    pq.write_table(pa.table({"n": [1, 2], "s": ["a", "b"], "t": [[1], []]}), path)
    data = path.read_bytes()
    at %= len(data)
    path.write_bytes(data[:at] + junk + (b"" if cut else data[at + len(junk) :]))
    code = outcome(lambda: types(look(Parquet, folder, path="a.parquet")))
    assert code in {None, "SD105", "SD201", "SD202", "SD403", "SD404", "SD412"}


def _footer(data: bytes) -> range:
    return range(len(data) - 8 - int.from_bytes(data[-8:-4], "little"), len(data) - 8)


@pytest.mark.parametrize("byte", [0x7F, 0xFF, 0x01])
def test_a_footer_with_a_wrong_byte_is_a_fault_or_types(tmp_path: Path, byte: int) -> None:
    """A damaged footer may contradict itself, name places before the file or behind it: never does a check end there.

    pyarrow ends the process where numbers of levels do not fit a column, so its objects for columns are not asked.
    """
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"n": [1, 2], "s": ["a", "b"], "t": [[1], []]}), path)
    data = path.read_bytes()
    seen = set[str | None]()
    for at in _footer(data)[byte % 3 :: 3]:
        path.write_bytes(data[:at] + bytes([byte]) + data[at + 1 :])
        seen.add(outcome(lambda: types(look(Parquet, tmp_path, path="a.parquet"))))
    assert "SD404" in seen
    assert seen <= {None, "SD105", "SD201", "SD202", "SD403", "SD404", "SD412"}


def test_a_footer_says_what_pyarrow_says(tmp_path: Path) -> None:
    """Rows, sizes, places and nulls of every column chunk are those that pyarrow's own objects have."""
    table = pa.table(
        {
            "n": [1, None, 3] * 100,
            "s": pa.array(["a", "b", None] * 100).dictionary_encode(),
            "t": [[1.5], [], None] * 100,
            "d": [{"x": b"q", "y": True}] * 300,
        }
    )
    for options in ({}, {"compression": "NONE", "use_dictionary": False}, {"write_statistics": False}):
        path = tmp_path / "a.parquet"
        pq.write_table(table, path, row_group_size=120, **options)
        meta = pq.read_metadata(path)
        with path.open("rb") as file:
            groups = list(read_groups(file.fileno(), path.stat().st_size))
        assert [one.rows for one in groups] == [120, 120, 60]
        for number, group in enumerate(groups):
            assert list(group.chunks) == [_chunk(meta.row_group(number).column(place)) for place in range(5)]


def _chunk(column: Any) -> Chunk:
    """A column chunk as pyarrow has it."""
    nulls = column.statistics.null_count if column.statistics is not None else 0
    starts = [
        column.data_page_offset,
        *([column.dictionary_page_offset] if column.has_dictionary_page else []),
    ]
    return Chunk(
        column.path_in_schema,
        column.physical_type == "BYTE_ARRAY",
        column.compression != "UNCOMPRESSED",
        column.num_values,
        column.total_uncompressed_size,
        column.total_compressed_size,
        min(starts),
        column.has_dictionary_page,
        nulls,
    )


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80))
def test_hostile_footers(tmp_path_factory: pytest.TempPathFactory, junk: bytes) -> None:
    """Bytes that are no footer are an error of their own kind."""
    path = tmp_path_factory.getbasetemp() / "footer"
    path.write_bytes(junk + len(junk).to_bytes(4, "little") + b"PAR1")
    with path.open("rb") as file, contextlib.suppress(FooterError):
        assert all(group.rows >= 0 for group in read_groups(file.fileno(), len(junk) + 8))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80))
def test_hostile_page_headers(tmp_path_factory: pytest.TempPathFactory, junk: bytes) -> None:
    """Bytes that are no page header are an error of their own kind, and no header is read twice."""
    path = tmp_path_factory.getbasetemp() / "page"
    path.write_bytes(junk)
    with path.open("rb") as file:
        try:
            found = read_pages(file.fileno(), 0, len(junk), 10)
        except PageError:
            return
    assert found is None or found.count <= 10
