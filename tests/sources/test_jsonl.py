"""`jsonl`: columns, shapes, bad lines."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import safedata
from safedata.lowering import Lowering
from safedata.problem import Fault
from safedata.scope import Scope
from safedata.sources.lines import _lines
from safedata.sources.lines._json_graph import CHUNK, FEW, LINES, ParseJson
from safedata.sources.lines._json_rows import Reader
from safedata.sources.lines._json_values import Column
from safedata.sources.lines.jsonl import Jsonl
from safedata.types import Dim
from safedata.typetext import parse_type
from tests.sources.records import look, run, types

COLUMNS = {"n": "int64", "x": "float32", "s": "string", "b": "bool", "t": "int32[?]", "m": "float64[2, ?]"}
ROWS: list[dict[str, Any]] = [
    {"n": 1, "x": 0.5, "s": "añb", "b": True, "t": [1, 2, 3], "m": [[1, 2], [3, 4]], "other": {"a": [None]}},
    {"n": -(2**63), "x": 7, "s": "", "b": False, "t": [], "m": [[], []]},
    {"n": 2**63 - 1, "x": -1e3, "s": "\u0000\ud800", "b": False, "t": [0], "m": [[0.1], [0.2]]},
]


def open_json(folder: Path, *parts: list[Any], on_error: Any = "fail", **fields: Any) -> Any:
    for number, part in enumerate(parts):
        text = "".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in part).encode()
        data = gzip.compress(text) if fields.get("compression") == "gzip" else text
        (folder / f"{number}.jsonl").write_bytes(data)
    return look(Jsonl, folder, on_error, **{"path": "*.jsonl", "columns": COLUMNS, **fields})


def test_types_are_those_declared_and_seen(tmp_path: Path) -> None:
    """What the types leave open is bounded by the lines; every line has its place, blank ones left out."""
    found = open_json(tmp_path, ["", *ROWS[:2], "  "], ROWS[2:])
    assert str(types(found)) == (
        "n: int64[], x: float32[], s: string[<=4B], b: bool[], t: int32[<=3], m: float64[2, <=2]"
    )
    assert str(types(found).cardinality) == "exactly 3"
    assert types(found).weakest == "measured"
    places = [found.root.describe(number).rpartition("/")[2] for number in range(3)]
    assert places == ["0.jsonl line 2", "0.jsonl line 3", "1.jsonl line 1"]


@pytest.mark.tf
@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_values_are_pythons(tf: Any, tmp_path: Path, compression: str) -> None:
    """Numbers, text and lists in the graph are those that Python reads."""
    found = open_json(tmp_path, ROWS[:2], [" ", ROWS[2]], compression=compression)
    for row, want in zip(run(tf, found), ROWS, strict=True):
        assert row["s"] == want["s"].encode("utf-8", "surrogatepass")
        for name in "nxbtm":
            np.testing.assert_array_equal(
                row[name], np.array(want[name], row[name].dtype).reshape(row[name].shape)
            )


@pytest.mark.tf
def test_defaults(tf: Any, tmp_path: Path) -> None:
    """A value that is missing or null becomes its default, whose size counts."""
    fields: dict[str, Any] = {
        "columns": {"s": "string", "t": "int64[?]"},
        "default": {"s": "none at all", "t": [7, 8]},
    }
    found = open_json(tmp_path, [{"s": "a"}, {"t": [1], "s": None}], **fields)
    assert str(types(found)) == "s: string[<=11B], t: int64[<=2]"
    rows = [(row["s"], row["t"].tolist()) for row in run(tf, found)]
    assert rows == [(b"a", [7, 8]), (b"none at all", [1])]


BAD = [
    ('{"n": 1', "it is no JSON: expecting ',' delimiter, column 8"),
    ("[1]", "it is no mapping, but `[1]`"),
    ("{}", "`n` is missing"),
    ('{"n": null}', "`n` is missing"),
    ('{"n": "1"}', '`n` has `"1"`, which is not int8'),
    ('{"n": true}', "`n` has `true`, which is not int8"),
    ('{"n": 1.0}', "`n` has `1.0`, which is not int8"),
    ('{"n": 128}', "`n` has `128`, which is not int8"),
    ('{"n": [1]}', "`n` is a list, not one value"),
    ('{"n": 1, "t": 5}', "`t` is `5`, not a list"),
    ('{"n": 1, "t": [[1]]}', "`t` has more dimensions"),
    ('{"n": 1, "t": ["a", "b", "c"]}', "`t` has the shape [3], and is string[<=2B][<=2]"),
    ('{"n": 1, "t": ["abc"]}', "`t` has 3 bytes, and is string[<=2B][<=2]"),
    ('{"n": 1, "t": [], "x": 1e39}', "`x` has `1e+39`, which is not float32"),
    ('{"n": ' + "9" * 5000 + "}", "it is no JSON that can be read"),
    ("[" * 100_000, "it is no JSON that can be read"),
]
BAD_ROWS = [
    ("[[], [1, 2]]", "rows of different lengths"),
    ("[[]]", "the shape [1, 0]"),
    ("[[1]]", "the shape [1, 1]"),
]
SMALL: dict[str, Any] = {
    "columns": {"n": "int8", "t": "string[<=2][<=2]", "x": "float32"},
    "default": {"x": 0.5},
}


@pytest.mark.parametrize(("line", "reason"), BAD)
def test_bad_lines_are_named(tmp_path: Path, line: str, reason: str) -> None:
    """A line that is not what the spec says is named with what it has."""
    with pytest.raises(Fault) as caught:
        open_json(tmp_path, ['{"n": 1, "t": []}', line], **SMALL)
    assert caught.value.code == "SD404"
    assert caught.value.message.partition("line 2: ")[2].startswith(reason)


@pytest.mark.parametrize(("value", "reason"), BAD_ROWS)
def test_rows_that_do_not_fit_are_named(tmp_path: Path, value: str, reason: str) -> None:
    """Only an empty list takes its inner dimensions from the type; an empty row has none of its values."""
    with pytest.raises(Fault, match=re.escape(reason)):
        open_json(tmp_path, [f'{{"b": {value}}}'], columns={"b": "float32[?, 2]"})


@pytest.mark.tf
@pytest.mark.parametrize("written", ["float32[<=3, 4]", "float32[?, 4]", "float32[?, 4, ?]"])
def test_an_empty_list_has_the_shape_of_its_type(tf: Any, tmp_path: Path, written: str) -> None:
    """An image without boxes has the shape [0, 4], as a value of a line and as a default."""
    rank = written.count(",") + 1
    box = np.arange(8.0).reshape((1, 4, 2)[:rank] if rank == 3 else (2, 4)).tolist()
    found = open_json(
        tmp_path, [{"b": []}, {"b": box}, {}], columns={"b": written}, default={"b": []}, on_error="fail"
    )
    rows = [row["b"] for row in run(tf, found)]
    assert [row.shape for row in rows] == [(0, 4, 0)[:rank], np.shape(box), (0, 4, 0)[:rank]]


@pytest.mark.tf
def test_bad_lines_are_left_out(tf: Any, tmp_path: Path) -> None:
    """Under `on_error: skip` every one of them is left out and recorded, and the others stay."""
    lines = ['{"n": 0, "t": ["a"]}', *(line for line, _ in BAD), '{"n": 2, "t": []}']
    found = open_json(tmp_path, lines, on_error="skip", **SMALL)
    assert found.notes[0].startswith(f"{len(BAD)} lines or more will be left out")
    skipped: list[int] = []
    assert [int(row["n"]) for row in run(tf, found, "skip", skipped)] == [0, 2]
    assert skipped == list(range(1, len(BAD) + 1))


@pytest.mark.tf
def test_a_line_that_went_bad_is_an_error_with_its_place(tf: Any, tmp_path: Path) -> None:
    """A file that changed after the check is caught at run time, and the message names the line."""
    found = open_json(tmp_path, [{"n": 1}, {"n": 2}], columns={"n": "int64"})
    (tmp_path / "0.jsonl").write_text('{"n": 1}\n{"n":[]}\n')
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"SD404.*`n` is a list.*0\.jsonl line 2"):
        run(tf, found)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("nts"), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(JSON.map(json.dumps) | st.text('{}[]",:n1 ', max_size=8), min_size=1, max_size=4))
def test_hostile_lines_are_a_fault_or_types(tmp_path: Path, lines: list[str]) -> None:
    """Whatever stands in a file is a problem with its place, or fits."""
    found, code = None, ""
    try:
        found = open_json(
            tmp_path, [line.replace("\n", "") for line in lines], columns={"n": "float64", "t": "int64[?]"}
        )
    except Fault as fault:
        code = fault.code
    if found is None:
        assert code in ("SD403", "SD404")
        return
    assert types(found).cardinality.count == sum(bool(line.strip()) for line in lines)


@pytest.mark.parametrize(
    ("fields", "code", "at"),
    [
        ({"columns": {"n": "complex64"}}, "SD202", ("columns", "n")),
        ({"columns": {"n": "int64[a]"}}, "SD105", ("columns", "n")),
        ({"columns": {"#n": "int64"}}, "SD105", ("columns", "#n")),
        ({"columns": {"n": "int64"}, "default": {"m": 1}}, "SD201", ("default", "m")),
        ({"columns": {"n": "int64"}, "default": {"n": "1"}}, "SD105", ("default", "n")),
        ({"columns": {"n": "int64"}, "count": 7}, "SD404", ("count",)),
    ],
)
def test_refused(tmp_path: Path, fields: dict[str, Any], code: str, at: tuple[str, ...]) -> None:
    """Types that JSON has no values for, defaults that do not fit, and a wrong count are refused."""
    with pytest.raises(Fault, match=r".") as caught:
        open_json(tmp_path, [{"n": 1}], **fields)
    assert (caught.value.code, caught.value.at) == (code, at)


def test_measured_lines_are_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample says so; what `safedata measure` keeps of a file says the same as reading it."""
    monkeypatch.setattr("safedata.sources.lines.jsonl.WHOLE", 100)
    monkeypatch.setattr(_lines, "WHOLE", 100)
    monkeypatch.setattr(_lines, "CHUNK", 64)
    rows: list[Any] = [*ROWS * 20, "", {"n": "no"}]
    found = open_json(tmp_path, rows)
    assert types(found).weakest == "sampled"
    source = Jsonl.model_validate({"path": "*.jsonl", "columns": COLUMNS})
    [work] = source.to_measure(Scope(str(tmp_path)))
    value = work.read(work.files[0].path, lambda _: None)
    work.check(json.loads(json.dumps(value)))
    assert (value["count"], value["runs"], value["columns"][2]) == (61, [[1, 60], [62, 1]], [4])
    count, [(where, reason)] = work.damaged({"a.jsonl": value})
    assert (count, where, reason) == (1, "`a.jsonl` line 62", '`n` has `"no"`, which is not int64')


@pytest.mark.tf
def test_many_lines_cross_at_once(tf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python is called once for each full chunk of short lines, and once for the rest."""
    sizes: list[int] = []
    read = Reader.__call__

    def counted(reader: Reader, lines: Any) -> list[Any]:
        sizes.append(len(lines))
        return read(reader, lines)

    monkeypatch.setattr(Reader, "__call__", counted)
    rows = [{"n": number, "t": [number] * (number % 3)} for number in range(2 * LINES + 5)]
    found = open_json(tmp_path, rows, columns={"n": "int64", "t": "int64[?]"})
    assert [(int(row["n"]), row["t"].tolist()) for row in run(tf, found)] == [(r["n"], r["t"]) for r in rows]
    assert sorted(sizes) == [5, LINES, LINES]  # calls at once end in any order


@pytest.mark.parametrize(
    ("length", "most", "lines"),
    [
        (10, "1", LINES),
        (CHUNK // 32, "1", 32),
        (CHUNK, "1", 8),
        (10, str(CHUNK // 16), FEW),
        (9 * CHUNK, "1", 1),
    ],
)
def test_a_chunk_is_bounded_in_bytes(length: int, most: str, lines: int) -> None:
    """Neither the lines of a chunk nor what they become take more than eight times its size, but one line crosses."""
    column = Column("t", parse_type(f"int64[<={most}]"))
    node = ParseJson((column,), Dim.at_most(length), 3, "measured")
    assert node.at_once == lines
    chunk, _ = node.resident()
    assert chunk.bytes is not None
    assert chunk.bytes > lines * max(length, 8 * int(most))


@pytest.mark.tf
def test_what_stands_before_a_bad_line_comes_first(tf: Any, tmp_path: Path) -> None:
    """Lines that crossed with a bad one are handed on before it is an error, and `take` may end before it."""
    found = open_json(tmp_path, [{"n": number} for number in range(9)], columns={"n": "int64"})
    long = '{"n": ' + " " * 100 + "5}"
    (tmp_path / "0.jsonl").write_text(
        "".join(f"{one}\n" for one in ['{"n": 0}', '{"n": 1}', long, *["{}"] * 6])
    )
    stream = found.root.infer(Scope(""))
    low = Lowering(tf, stream, stream, 0)
    data = found.then[0].lower(found.root.lower(low), low)
    assert [int(row["n"]) for row in data.take(2)] == [0, 1]
    seen: list[int] = []
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"SD501: the line is longer than 8 bytes.*measured"
    ):
        seen.extend(int(row["n"]) for row in data)
    assert seen == [0, 1]


@pytest.mark.tf
def test_an_iterator_is_saved_in_the_middle_of_a_chunk(tf: Any, tmp_path: Path) -> None:
    """An iterator that was saved goes on with the next line, lists of any length and texts included."""
    rows = [{"t": ["ab"] * (number % 4), "n": number} for number in range(LINES + 9)]
    found = open_json(tmp_path, rows, columns={"n": "int64", "t": "string[?][?]"})
    stream = found.root.infer(Scope(""))
    low = Lowering(tf, stream, stream, 0)
    data = found.then[0].lower(found.root.lower(low), low)
    iterator = iter(data)
    for _ in range(7):
        next(iterator)
    path = tf.train.Checkpoint(i=iterator).save(str(tmp_path / "saved"))
    again = iter(data)
    tf.train.Checkpoint(i=again).restore(path)
    left = [(int(row["n"]), [one.decode() for one in row["t"].numpy()]) for row in again]
    assert left == [(row["n"], row["t"]) for row in rows[7:]]


@pytest.mark.tf
def test_in_a_zip_a_bad_line_keeps_its_place(tf: Any, tmp_path: Path) -> None:
    """Under `on_error: skip` the partner of a bad line is left out with it, and the others keep theirs."""
    (tmp_path / "a.jsonl").write_text('{"n": 0}\n{"n": "x"}\n{"n": 2}\n')
    spec = """
safedata: 1
source: {zip: {a: {source: {jsonl: {path: a.jsonl, columns: {n: int64}}}}, b: {source: {range: 3}}}}
runtime: {on_error: skip}
"""
    with safedata.open(spec, folder=str(tmp_path)) as pipeline:
        rows = [tuple(int(one) for one in row.values()) for row in pipeline.dataset]
        assert rows == [(0, 0), (2, 2)]


def test_a_type_that_is_a_mapping_is_told_what_columns_takes(tmp_path: Path) -> None:
    """The keys are the user's, so what the field takes is said beside what is wrong with one of its values."""
    text = "safedata: 1\nsource: {jsonl: {path: a.jsonl, columns: {text: {type: string, max_bytes: 400}}}}\n"
    [problem] = safedata.check(text, host="8GiB", folder=tmp_path).problems
    assert (problem.code, problem.message) == ("SD105", "`text` takes text, not a mapping")
    assert problem.notes[0].startswith("`columns`: the keys to read with their types: `label: int64`")
