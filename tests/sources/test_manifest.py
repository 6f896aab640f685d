"""`manifest`: tables, types of columns, faults, and the graph."""

from __future__ import annotations

import json
import os
import re
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from safedata.problem import Fault
from safedata.scope import Scope
from safedata.sources.base import Inspected
from safedata.sources.files._columns import inferred, kind_of
from safedata.sources.files._lists import list_column
from safedata.sources.files.manifest import Manifest
from safedata.types import Dim
from safedata.typetext import parse_type
from tests import reference
from tests.fresh import peaks
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
        (
            '{"path": "a.png", "n": [1]}\n',
            "m.jsonl",
            {"n": "string"},
            "`[1]` is a list or a mapping, and the",
        ),
        ('{"path": "a.png", "n": [1]}\n', "m.jsonl", {"n": "int64"}, "`[1]` is a list or a mapping, and the"),
        (
            '{"path": "a.png", "n": [1]}\n{"path": "b.png", "n": 1}',
            "m.jsonl",
            {},
            "row 2, column `n`: `n` is `1`",
        ),
        ('{"path": "a.png", "n": [1]}\n', "m.jsonl", {"n": "int64[?, 2]"}, "`n` is `1`, not a list"),
        (
            '{"path": "a.png", "n": [1, 2]}\n',
            "m.jsonl",
            {"n": "int64[<=1]"},
            "has the shape [2], and is int64",
        ),
        ('{"path": "a.png", "n": [[1], [1, 2]]}\n', "m.jsonl", {}, "`n` has rows of different lengths"),
        (
            '{"path": "a.png", "n": [[]]}\n',
            "m.jsonl",
            {},
            "row 1, column `n`: the lists of all rows are empty",
        ),
        (
            '{"path": "a.png", "n": [1, "x"]}\n',
            "m.jsonl",
            {},
            "several kinds: int64 in row 1, string in row 1",
        ),
        ('{"path": "a.png", "n": [null]}\n', "m.jsonl", {}, "row 1, column `n`: a list has a `null` in it"),
        ('{"path": "a.png", "n": [99999999999999999999]}\n', "m.jsonl", {}, "does not fit int64"),
        ("path,n\na.png,[1\n", "m.csv", {"n": "int64[?]"}, "`[1` is no list as JSON has it"),
        ("path,n\na.png,\n", "m.csv", {"n": "int64[?]"}, "`` is no list as JSON has it"),
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


BOXES: list[list[list[float]]] = [[], [[0, 0, 1, 1]], [[0.5, 0, 1, 2], [0, 0, 3, 4]]]
LISTS: list[dict[str, Any]] = [
    {"path": "a.png", "boxes": boxes, "cls": [7] * len(boxes), "words": ["é"] * len(boxes), "size": [3, 4]}
    for boxes in BOXES
]
TYPES = {"boxes": "float32[<=2, 4]", "cls": "int64[<=2]", "words": "string[<=2B][<=2]", "size": "int64[2]"}


def as_csv(rows: list[dict[str, Any]]) -> str:
    lines = [",".join(rows[0])]
    for row in rows:
        values = [one if isinstance(one, str) else json.dumps(one) for one in row.values()]
        lines.append(",".join('"' + value.replace('"', '""') + '"' for value in values))
    return "\n".join(lines)


@pytest.mark.tf
@pytest.mark.parametrize("name", ["m.csv", "m.jsonl"])
def test_lists_reach_the_graph(tf: Any, root: Path, name: str) -> None:
    """Boxes and other lists are those of the row, an image without any has none, and all have the declared types."""
    text = as_csv(LISTS) if name == "m.csv" else "\n".join(map(json.dumps, LISTS))
    columns = {"boxes": "float32[<=20, 4]", "cls": "int64[?]", "words": "string[?][?]", "size": "int64[2]"}
    found = look(root, text, name, columns=columns)
    assert types(found) == {"path": "string[<=5B]", **TYPES, "boxes": "float32[<=20, 4]"}
    rows = run(tf, found, Scope(str(root)))
    for row, want in zip(rows, LISTS, strict=True):
        assert row["boxes"].shape == (len(want["boxes"]), 4)
        assert row["boxes"].tolist() == want["boxes"]
        assert (row["cls"].tolist(), row["size"].tolist()) == (want["cls"], want["size"])
        assert [word.decode() for word in row["words"]] == want["words"]


@pytest.mark.tf
def test_lists_may_all_be_empty(tf: Any, root: Path) -> None:
    """A declared column of which no row has anything in its list has lists of nothing, of every dtype."""
    row = {"path": "a.png", "boxes": [], "cls": [], "words": [], "bits": []}
    columns = {"boxes": "float32[<=20, 4]", "cls": "int64[?]", "words": "string[?][?]", "bits": "bool[<=2]"}
    found = look(root, "\n".join([json.dumps(row)] * 2), "m.jsonl", columns=columns)
    rows = run(tf, found, Scope(str(root)))
    assert [row[name].shape for row in rows for name in columns] == [(0, 4), (0,), (0,), (0,)] * 2


@pytest.mark.tf
def test_lists_have_all_dtypes(tf: Any, root: Path) -> None:
    """Numbers of every dtype come as they stand in the table, also where all lists have one size."""
    names = (
        "bool",
        "uint8",
        "int8",
        "uint16",
        "int16",
        "uint32",
        "int32",
        "uint64",
        "int64",
        "float32",
        "float64",
    )
    row = {"path": "a.png", **{name: [True, False] if name == "bool" else [1, 0] for name in names}}
    for size in ("2", "<=3"):
        found = look(root, json.dumps(row), "m.jsonl", columns={name: f"{name}[{size}]" for name in names})
        [made] = run(tf, found, Scope(str(root)))
        assert [made[name].dtype.name for name in names] == list(names)
        assert all(made[name].tolist() == [1, 0] for name in names)


def test_types_of_lists_are_found_by_all_values(root: Path) -> None:
    """In a jsonl dimensions are those of all rows; inner ones are exact where the lists that are not empty agree."""
    found = look(root, "\n".join(map(json.dumps, LISTS)), "m.jsonl")
    assert types(found) == {"path": "string[<=5B]", **TYPES}
    assert str(found.root.infer(Scope("")).element["boxes"].range) == "0..4"


def test_mappings_are_left_out(root: Path) -> None:
    """No component can be a mapping: such a column is left out unless it is declared, and a note says so."""
    text = '{"path": "a.png", "meta": {"a": 1}, "objects": [{"a": 1}]}\n'
    found = look(root, text, "m.jsonl")
    assert list(types(found)) == ["path"]
    assert [note.partition(" has")[0] for note in found.notes] == ["column `meta`", "column `objects`"]
    assert fault(root, text, "m.jsonl", columns={"meta": "string"}).help == "mend the value"


def test_the_way_out_is_a_type_that_fits(root: Path) -> None:
    """Lists that are declared otherwise are told with the type that all of them have, and then the spec is fine."""
    text = "\n".join(map(json.dumps, LISTS))
    for declared in ("string", "float32[<=1, 4]"):
        found = fault(root, text, "m.jsonl", columns={"boxes": declared})
        assert found.help == 'mend the value, or write `columns: {boxes: "float32[<=2, 4]"}`'
    assert types(look(root, text, "m.jsonl", columns={"boxes": "float32[<=2, 4]"}))["boxes"] == TYPES["boxes"]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("int46", "did you mean `int64`"),
        ("int64[]", "is of single values"),
        ("float32[4,]", "is not a dimension"),
    ],
)
def test_types_of_columns_are_types(written: str, message: str) -> None:
    """A type that no column can have is refused with what is meant."""
    with pytest.raises(ValidationError, match=message):
        Manifest.model_validate({"path": "m.csv", "columns": {"n": written}})


@pytest.mark.parametrize("kind", ["boxes", "words"])
def test_lists_take_as_objects_what_is_counted(kind: str) -> None:
    """What reading the lists of a table allocates is bounded by what a column of lists counts, and not by far."""
    boxes = [[[number / 7, 0.25, row / 3, 1e-3] for number in range(row % 9)] for row in range(2000)]
    words = [[f"{number}{'w' * (row % 50)}" for number in range(row % 9)] for row in range(2000)]
    texts = [json.dumps(one) for one in (boxes if kind == "boxes" else words)]
    tensor = parse_type("float32[?, 4]" if kind == "boxes" else "string[?][?]")
    tracemalloc.start()
    try:
        column = list_column("x", [json.loads(text) for text in texts], tensor, text=False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= column.python_bytes() <= 1.5 * peak


@pytest.mark.tf
@pytest.mark.slow
def test_a_table_of_lists_stays_in_its_bound(tmp_path: Path) -> None:
    """A process of its own that reads a table of boxes and words takes no more than the verdict says."""
    (tmp_path / "a.bin").write_bytes(b"bytes")
    rows = [
        {
            "path": "a.bin",
            "boxes": [[row / 7, 0.5, 1.5, 2.5]] * (row % 9),
            "words": ["w" * (row % 40)] * (row % 5),
        }
        for row in range(60_000)
    ]
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    spec = f"safedata: 1\nsource: {{manifest: {{path: {tmp_path}/m.jsonl}}}}\nsteps: [{{drop: image}}]"
    found = peaks(spec)
    assert found["tensorflow"] < found["measured"] <= found["estimate"]


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
        holds = root.holds(root.infer(scope), scope)
        return sum(hold.bytes or 0 for hold in holds if "table" in hold.why)

    assert held(found.root) > 3 * 100 * 1000
    assert 100 * 1000 < held(found.root.keep(frozenset({"path"}))) < 2 * 100 * 1000
