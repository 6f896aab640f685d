"""`manifest`: tables, types of columns, faults, and the graph."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from safedata.problem import Fault
from safedata.scope import Scope
from safedata.sources.base import Inspected
from safedata.sources.files._columns import inferred, kind_of
from safedata.sources.files.manifest import Manifest
from safedata.types import Dim
from tests import reference
from tests.sources.conformance import run
from tests.sources.test_headers import encode

PNG = encode("PNG", (4, 3))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with two images."""
    (tmp_path / "a.png").write_bytes(PNG)
    (tmp_path / "b.png").write_bytes(PNG)
    return tmp_path


def look(root: Path, text: str, name: str = "m.csv", on_error: Any = "fail", /, **fields: Any) -> Inspected:
    (root / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    return Manifest.model_validate({"path": name, **fields}).inspect(Scope(str(root), on_error=on_error))


def types(found: Inspected) -> dict[str, str]:
    return {name: str(one) for name, one in found.root.infer(Scope("")).element.items()}


def fault(root: Path, text: str, name: str = "m.csv", **fields: Any) -> Fault:
    with pytest.raises(Fault, match=r".") as caught:
        look(root, text, name, **fields)
    return caught.value


@pytest.mark.tf
def test_elements_are_those_of_the_reference(tf: Any, specs: Path) -> None:
    """Types hold for every element: the file's bytes, then the columns, the path last."""
    scope = Scope(str(specs), cpus=2)
    rows = run(tf, Manifest(path="data/photos.csv").inspect(scope), scope)
    assert rows == reference.read_manifest(specs / "data/photos.csv")
    assert list(rows[0]) == ["image", "label", "width", "height", "path"]


@pytest.mark.tf
def test_all_dtypes_reach_the_graph(tf: Any, root: Path) -> None:
    """Each inferred and declared dtype is the one of the elements; paths may be absolute or relative."""
    text = f"path,n,x,ok,name,small,wide\na.png,-3,0.1,true,é,7,1e300\n{root}/b.png,4,1e3,False,,8,2\n"
    declared = {"small": "uint8", "wide": "float64"}
    found = look(root, text, columns=declared, **{"as": "bytes"})
    rows = run(tf, found, Scope(str(root)))
    assert [row["bytes"] for row in rows] == [PNG, PNG]
    names = ("n", "x", "ok", "name", "small", "wide")
    assert [rows[0][name].dtype.name if name != "name" else "bytes" for name in names] == [
        "int64", "float32", "bool", "bytes", "uint8", "float64",
    ]  # fmt: skip
    assert (rows[0]["name"], rows[1]["name"], rows[1]["ok"]) == ("é".encode(), b"", False)


@pytest.mark.tf
def test_root_and_file_name_where_the_bytes_are(tf: Any, root: Path) -> None:
    """`root` is where paths start, `file` the column that has them; a run names the row."""
    (root / "t").mkdir()
    found = look(root, "file\tn\nb.png\t1\n", "t/m.tsv", root=".", file="file")
    assert [list(row) for row in run(tf, found, Scope(str(root)))] == [["image", "n", "file"]]
    assert found.root.describe(0) == "t/m.tsv row 1: b.png"


def test_types_are_found_by_all_values(root: Path) -> None:
    """One value that does not fit makes a wider type; ranges are those of the values."""
    found = look(root, "path,i,f,t,b\na.png,1,1,1,true\nb.png,2,2.5,x,FALSE\n")
    assert types(found) == {
        "path": "string[<=5B]",
        "i": "int64[]",
        "f": "float32[]",
        "t": "string[<=1B]",
        "b": "bool[]",
    }
    assert str(found.root.infer(Scope("")).element["f"].range) == "1..2.5"


def test_float32_ranges_hold_what_is_stored(root: Path) -> None:
    """The range of a float32 column is that of the rounded numbers."""
    element = look(root, "path,f\na.png,0.1\n").root.infer(Scope("")).element
    assert element["f"].range is not None
    assert element["f"].range.high > 0.1


@pytest.mark.parametrize(
    ("values", "text", "dtype"),
    [
        (["1", " -2 "], True, "int64"),
        (["1", "2"], False, "string"),
        (["9223372036854775808"], True, "string"),
        (["1", ".5", "nan", "-inf", "2e-3"], True, "float32"),
        (["true", "False"], True, "bool"),
        (["true", "1"], True, "string"),
        (["", ""], True, "string"),
        (["a", "", "1"], True, "string"),
        ([1, 2.5], False, "float32"),
        ([True, False], False, "bool"),
        ([None, "a"], False, "string"),
    ],
)
def test_dtype_is_the_narrowest(values: list[Any], text: bool, dtype: str) -> None:
    """A column gets the narrowest dtype that all its values are of."""
    assert inferred(values, text=text) == dtype


def test_kinds_of_values() -> None:
    """Numbers are known by their looks in text, by their types in JSON."""
    looks = {"0x1": "text", "1_000": "text", "1e5": "float", "-": "text", " ": "empty", "٣": "text"}
    assert {value: kind_of(value) for value in looks} == looks
    assert [kind_of(value) for value in (None, True, 1, 1.0, [0])] == [
        "empty",
        "bool",
        "int",
        "float",
        "nested",
    ]


def test_jsonl_has_the_types_of_its_values(root: Path) -> None:
    """A line of jsonl is a row; text that looks like a number stays text."""
    lines = '{"path": "a.png", "id": "007", "n": 1}\n\n{"path": "b.png", "id": "8", "n": 2.5}\n'
    assert types(look(root, lines, "m.jsonl")) == {
        "path": "string[<=5B]",
        "id": "string[<=3B]",
        "n": "float32[]",
    }


@pytest.mark.parametrize(
    ("text", "name", "columns", "message"),
    [
        (
            "path,n\na.png,1\nb.png,\n",
            "m.csv",
            {},
            "m.csv row 2, column `n`: a value is missing, and the others are int64",
        ),
        ("path,n\na.png,1\nb.png,x\n", "m.csv", {"n": "int64"}, "m.csv row 2, column `n`: `x` is not int64"),
        ("path,n\na.png,256\n", "m.csv", {"n": "uint8"}, "`256` is not uint8"),
        ("path,n\na.png,1e39\n", "m.csv", {"n": "float32"}, "`1e39` is not float32"),
        ("path,n\na.png,1e999\n", "m.csv", {"n": "float64"}, "`1e999` is not float64"),
        ("path,n\na.png,2\n", "m.csv", {"n": "bool"}, "`2` is not bool"),
        ('{"path": "a.png", "n": [1]}\n', "m.jsonl", {}, "`[1]` is a list or a mapping"),
        (
            '{"path": "a.png", "n": 1}\n{"path": "b.png", "n": "x"}\n',
            "m.jsonl",
            {},
            "row 1, column `n`: `1` stands beside",
        ),
        ("path,n\na.png\n", "m.csv", {}, "m.csv row 1 has 1 values, and the header names 2"),
        ('path\n"a.png\n', "m.csv", {}, "m.csv line 2 cannot be read: unexpected end of data"),
        ("{\n", "m.jsonl", {}, "m.jsonl line 1 is not JSON"),
        ("[1]\n", "m.jsonl", {}, "m.jsonl line 1 is not a mapping"),
        ("path,n,n\na.png,1,1\n", "m.csv", {}, "m.csv has two columns `n`"),
        ("path\n\udcff.png\n", "m.csv", {}, "`m.csv` is not UTF-8 text"),
    ],
)
def test_bad_tables_name_the_row(
    root: Path, text: str, name: str, columns: dict[str, str], message: str
) -> None:
    """A value or a row that does not fit is told with its row and column."""
    found = fault(root, text, name, columns=columns)
    assert found.code == "SD404"
    assert re.search(re.escape(message), found.message), found.message
    assert found.at == (("columns", "n") if columns else ("path",))


def test_fields_must_fit_the_table(root: Path) -> None:
    """A field that names a column which is not there, or a name twice, is SD107 at that field."""
    text = "path,image,label\na.png,1,2\n"
    assert fault(root, text, file="pth").at == ("file",)
    assert fault(root, text, file="pth").help == "did you mean `path`?"
    assert fault(root, text, columns={"lable": "int64"}).at == ("columns", "lable")
    assert (fault(root, text).code, fault(root, text).at) == ("SD107", ("as",))
    assert fault(root, text, "m.xls").code == "SD107"
    assert fault(root, "path\n").code == "SD403"
    assert fault(root, "").code == "SD403"


def test_missing_and_damaged_files_name_their_rows(root: Path) -> None:
    """Rows whose file is missing, empty or no image are told together, or counted under `skip`."""
    (root / "b.png").write_bytes(b"text")
    text = "path\na.png\nb.png\nc.png\n\nd/\n"
    found = fault(root, text)
    assert found.message == "3 of 4 rows are bad data: `row 2: b.png`, `row 3: c.png`, `row 4: d/`"
    assert found.notes[1] == "`row 3: c.png`: no such file or directory"
    [note] = look(root, text, "m.csv", "skip").notes
    assert note.startswith("3 of 4 rows are bad and will be left out")
    wrong = fault(root, "path\nx/a.png\n")
    assert wrong.message == "no file that `m.csv` names can be read"
    assert wrong.help == f"paths are taken to be relative to `{root}`; `root` names another folder"
    assert fault(root, "path\ngs://b/a.png\n").code == "SD406"


def test_columns_without_a_name_are_left_out(root: Path) -> None:
    """An index column without a name, as some tools write it, does not stop anybody; a note says so."""
    found = look(root, "\ufeff,path,#x\n0,a.png,1\n")
    assert list(types(found)) == ["path"]
    assert found.notes[0] == "column 1 has no name and was left out"
    assert "names with `#` are internal" in found.notes[1]


def test_files_bound_the_bytes(root: Path) -> None:
    """The largest file bounds the bytes; files that are no images have no pixels."""
    (root / "c.bin").write_bytes(b"x" * 7)
    [read] = look(root, "path\nc.bin\n").then
    data = read.type  # type: ignore[attr-defined]  # a Read
    assert (data.length, data.encoded) == (Dim.at_most(7, "measured"), None)


def test_fingerprint_is_of_the_table_and_its_files(root: Path) -> None:
    """A fingerprint changes with the table and with each file that it names."""
    text = "path\na.png\n"
    first = look(root, text)
    assert [os.path.basename(path) for path in first.files] == ["m.csv", "a.png"]
    os.utime(root / "a.png", ns=(1, 1))
    second = look(root, text).fingerprint
    third = look(root, "path\na.png\nb.png\n").fingerprint
    assert len({first.fingerprint, second, third}) == 3


def test_rows_are_held_in_memory(root: Path) -> None:
    """Every column counts, as Python's objects even where no step needs it."""
    text = "path,note\n" + f"a.png,{'x' * 1000}\n" * 100
    found = look(root, text)
    scope = Scope("")

    def held(root: Any) -> int:
        return next(root.holds(root.infer(scope), scope)).bytes or 0

    assert held(found.root) > 3 * 100 * 1000
    assert 100 * 1000 < held(found.root.keep(frozenset({"path"}))) < 2 * 100 * 1000
