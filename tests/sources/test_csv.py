"""`csv`: rows, columns, quoting, damage."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from safedata.problem import Fault
from safedata.scope import Scope
from safedata.sources.csv.csv import Csv
from safedata.types import Dim
from tests import reference
from tests.sources.records import look, outcome, run, types


def open_csv(
    folder: Path, text: str | bytes, on_error: Any = "fail", name: str = "a.csv", **fields: Any
) -> Any:
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return look(Csv, folder, on_error, **{"path": name, **fields})


@pytest.mark.tf
def test_it_reads_what_the_reference_reads(tf: Any, specs: Path) -> None:
    """The rows of `iris.csv`, the dtypes inferred."""
    found = look(Csv, specs / "data", path="iris.csv")
    assert str(types(found)) == (
        "sepal_length: float32[], sepal_width: float32[], petal_length: float32[], petal_width: float32[], "
        "species: string[<=10B], label: int64[]"
    )
    expected = reference.read_iris(specs / "data" / "iris.csv")
    assert all(row == want for row, want in zip(run(tf, found), expected, strict=True))


@pytest.mark.tf
def test_quotes_and_line_breaks(tf: Any, tmp_path: Path) -> None:
    """Delimiters, quotes, line breaks and empty lines inside and outside quotes: as Python reads them."""
    text = 'id,text\r\n1,"a,b"\n\n2,"say ""hi"""\r\n3,"two\n\nlines"\n4,\n5,"NUL\0 \xff"'
    found = open_csv(tmp_path, text)
    rows = [(int(row["id"]), row["text"].decode()) for row in run(tf, found)]
    expected = list(csv.DictReader(io.StringIO(text.replace("\r", "").replace("\0", "@"), newline="")))
    assert rows == [(int(row["id"]), row["text"].replace("@", "\0")) for row in expected]
    assert [found.root.describe(n).rpartition(" ")[2] for n in range(5)] == ["2", "4", "5", "8", "9"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text('ab,"\n 1', max_size=24))
@pytest.mark.tf
def test_hostile_quoting_is_refused_or_read_as_python_does(tf: Any, tmp_path: Path, text: str) -> None:
    """Text is a fault, or the graph gives exactly the rows of Python's csv module."""
    columns = {"x": "string[<=64 B]", "y": "string[<=64 B]"}
    try:
        found = open_csv(tmp_path, text, header=False, columns=columns)
    except Fault:
        return
    expected = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    assert [[row["x"].decode(), row["y"].decode()] for row in run(tf, found)] == expected


@pytest.mark.tf
def test_bad_rows_are_left_out_and_named(tf: Any, tmp_path: Path) -> None:
    """Under `skip` rows that do not fit leave no element and are recorded by their lines."""
    text = 'a,b\n1,x\n2\n3,"y"z\n4,w,\nfive,v\n6,u\n7,"open\n'
    found = open_csv(tmp_path, text, "skip", columns={"a": "int64", "b": "string"})
    assert "rows or more will be left out" in found.notes[0]
    skipped: list[int] = []
    assert [int(row["a"]) for row in run(tf, found, "skip", skipped)] == [1, 6]
    lines = [found.root.describe(index).rpartition(" ")[2] for index in sorted(skipped)]
    assert lines == ["3", "4", "5", "6", "8"]


@pytest.mark.tf
def test_missing_values_take_their_default(tf: Any, tmp_path: Path) -> None:
    """A default stands in for an empty field, of text too; the dtype is that of the others."""
    found = open_csv(tmp_path, "a,b\n1,\n,x\n", default={"a": -1, "b": "none"})
    assert [(int(row["a"]), row["b"]) for row in run(tf, found)] == [(1, b"none"), (-1, b"x")]


@pytest.mark.tf
def test_columns_tabs_and_several_files(tf: Any, tmp_path: Path) -> None:
    """Only the columns named are read, from every file, in the dtype that is named."""
    (tmp_path / "b.tsv").write_text("a\tb\n3\t4\n")
    found = open_csv(tmp_path, "a\tb\n1\t2\n", name="a.tsv", path="*.tsv", columns={"b": "float64"})
    assert [dict(row) for row in run(tf, found)] == [{"b": 2.0}, {"b": 4.0}]
    assert found.root.describe(1) == f"{tmp_path / 'b.tsv'} line 2"


@pytest.mark.parametrize(
    ("text", "fields", "says"),
    [
        ("a,b\n1,2\n3\n", {}, "a.csv` line 3: 1 fields where there are 2 columns"),
        ("a,b\n1,2\n3,4,5\n", {}, "a.csv` line 3: 3 fields where there are 2 columns"),
        ("a\n1\nx\n", {"columns": {"a": "int64"}}, "a.csv` line 3: `a` is not int64: `x`"),
        ("a\n9999999999999999999\n", {"columns": {"a": "int64"}}, "is not int64"),
        ("a,b\n1,2\n,3\n", {}, "a.csv` line 3: `a` is missing"),
        ('a\n"x\n', {}, "a.csv` line 2: a quote that is never closed"),
        ('a\nx"y"\n', {}, "line 2: a quote inside a field"),
        ("a\n1\r2\r3\n", {}, "a carriage return inside line 2"),
        ("a,a\n1,2\n", {}, "the column `a` twice"),
        ("a\n1\n", {"columns": {"b": "int64"}}, "there is no column `b`"),
        ("a\n1\n", {"columns": {"a": "uint8"}}, "`uint8` is not a dtype that CSV is read as"),
        ("a\n1\n", {"default": {"a": "x"}}, "the default of `a` is not int64"),
        ("a\n", {}, "no rows"),
        ("", {}, "no header"),
    ],
)
def test_what_does_not_fit_is_a_fault_with_its_line(
    tmp_path: Path, text: str | bytes, fields: Any, says: str
) -> None:
    """Rows and columns that are not what the spec says are found by the check, with file and line."""
    with pytest.raises(Fault, match=says):
        open_csv(tmp_path, text, **fields)


@pytest.mark.tf
@pytest.mark.parametrize(
    "text",
    [
        b"a,b\n1,x\n2,y\n",
        b'"a",b\n1,"x\nz"\n',
        b"\na,b\n1,x\n",
        b"a,b\r\n1,\xff\0\r\n",
        b"a,b\n7,\xef\xbb\xbfx\n",
    ],
)
@pytest.mark.parametrize("header", [True, False])
def test_a_byte_order_mark_belongs_to_no_field(tf: Any, tmp_path: Path, text: bytes, header: bool) -> None:
    """A file that starts with a byte order mark reads as it does without, in the check and in the graph."""
    fields: Any = (
        {"header": header}
        if header
        else {"header": header, "columns": {"a": "string[<=9B]", "b": "string[<=9B]"}}
    )
    seen: list[Any] = []
    for mark in (b"", b"\xef\xbb\xbf"):
        found = open_csv(tmp_path, mark + text, **fields)
        rows = [(dict(row), found.root.describe(number)) for number, row in enumerate(run(tf, found))]
        seen.append((str(types(found)), rows))
    assert seen[0] == seen[1]


def test_a_long_line_is_a_long_row(tmp_path: Path) -> None:
    """A line of 10 MB bounds the row and the column; nothing else comes of it."""
    element = types(open_csv(tmp_path, "a\n" + "x" * 10_000_000 + "\n")).element
    assert element["a"].length == Dim.at_most(10_000_000, "measured")


@pytest.mark.tf
def test_large_files_are_sampled_and_say_so(tf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit of a check the bounds are estimates, and a longer row stops the run."""
    from safedata.sources.csv import csv as module

    monkeypatch.setattr(module, "WHOLE", 64)
    text = "a\n" + "xx\n" * 40
    found = open_csv(tmp_path, text)
    assert types(found).element["a"].length == Dim.at_most(2, "sampled")
    assert len(run(tf, found)) == 40
    longer = open_csv(tmp_path, text + "xxx\n")
    with pytest.raises(tf.errors.InvalidArgumentError, match="SD501: row: bytes must be at most 2"):
        run(tf, longer)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=120), st.booleans(), st.booleans())
def test_any_bytes_are_types_or_a_fault(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, header: bool, skip: bool
) -> None:
    """Whatever stands in a file, a check gives types or a fault."""
    folder = tmp_path_factory.mktemp("c")
    code = outcome(lambda: types(open_csv(folder, data, "skip" if skip else "fail", header=header)))
    assert code in {None, "SD202", "SD203", "SD403", "SD404"}


@pytest.mark.tf
@pytest.mark.parametrize("header", [True, False])
def test_a_compressed_file_is_read_as_what_it_has_inside(tf: Any, tmp_path: Path, header: bool) -> None:
    """Rows, quotes, line breaks and places are those of the file before it was compressed."""
    text = '\ufeffa,b\n1,"x\ny"\n\n2,z\n'
    columns = None if header else {"a": "string", "b": "string"}
    plain = open_csv(tmp_path, text, header=header, columns=columns)
    (tmp_path / "packed").write_bytes(gzip.compress(text.encode()))
    packed = look(Csv, tmp_path, path="packed", compression="gzip", header=header, columns=columns)
    assert types(packed) == types(plain)
    assert run(tf, packed) == run(tf, plain)
    assert packed.root.describe(1) == f"{tmp_path}/packed line {5 if header else 2}"


def test_damaged_compression_is_a_fault(tmp_path: Path) -> None:
    """A file that cannot be decompressed is said to be damaged, with the field that says how to read it."""
    (tmp_path / "packed").write_bytes(gzip.compress(b"a\n" + b"1\n" * 90_000)[:-9])
    for written in ("gzip", "zlib"):
        with pytest.raises(Fault, match=r"packed` is damaged: .+"):
            look(Csv, tmp_path, path="packed", compression=written)


def test_measuring_a_compressed_file_tells_no_more_bytes_than_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept of a compressed file is what its rows say, and the bytes told are those of the file at most."""
    monkeypatch.setattr("safedata.sources.csv.csv.WHOLE", 10)
    (tmp_path / "packed").write_bytes(gzip.compress(b"a\n" + b"12\n" * 500))
    source = Csv.model_validate({"path": "packed", "compression": "gzip"})
    [work] = source.to_measure(Scope(str(tmp_path)))
    told: list[int] = []
    assert work.read(work.files[0].path, told.append)["rows"] == 500
    assert sum(told) <= (tmp_path / "packed").stat().st_size


@pytest.mark.tf
def test_columns_by_pattern(tf: Any, tmp_path: Path) -> None:
    """A pattern reads all columns whose names match as its dtype, those named themselves as theirs; defaults alike."""
    text = "px_1,label,px_2,other,px_10\n1,a,,x,3\n4,b,5,y,6\n"
    found = open_csv(
        tmp_path, text, columns={"px_*": "int64", "px_10": "float32", "label": "string"}, default={"px_*": 7}
    )
    assert str(types(found)) == "px_1: int64[], label: string[<=1B], px_2: int64[], px_10: float32[]"
    assert run(tf, found)[0] == {"px_1": 1, "label": b"a", "px_2": 7, "px_10": 3.0}


@pytest.mark.parametrize(
    ("fields", "code", "message"),
    [
        ({"columns": {"py_*": "int64"}}, "SD201", "no column matches `py_*`"),
        ({"columns": {"p*": "int8"}}, "SD202", "`int8` is not a dtype that CSV is read as"),
        (
            {"columns": {"p*": "int64"}, "header": False},
            "SD105",
            "`p*` is a pattern, and the files have no header",
        ),
    ],
)
def test_patterns_that_do_not_fit(tmp_path: Path, fields: dict[str, Any], code: str, message: str) -> None:
    """A pattern that no column matches, and one where there are no names, is an error."""
    with pytest.raises(Fault) as caught:
        open_csv(tmp_path, "px_1\n1\n", **fields)
    assert caught.value.code == code
    assert caught.value.message.startswith(message)
