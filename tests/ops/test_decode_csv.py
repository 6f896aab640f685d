"""`decode_csv`."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

import safedata
from safedata.types import Dim, Tensor
from tests.ops.conformance import parse
from tests.ops.joint import fault, numbers, read, run, run_batch

LINE = Tensor("string", length=Dim.at_most(40))
ROWS = [["a", "1"], ["", "-20"], ['say "x", y', " 3 "], ["new\nline", "+4"], ["é 日本", "0"]]


def written(row: list[str], delimiter: str = ",") -> str:
    """Return a row as Python's writer has it."""
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter, lineterminator="\r\n").writerow(row)
    return file.getvalue().removesuffix("\r\n")


@pytest.mark.tf
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "^", "-"])
def test_fields_are_those_that_were_written(tf: Any, delimiter: str) -> None:
    """The fields are what Python's writer was given, of a line as of a batch of them, whatever the delimiter."""
    text = f'{{decode_csv: {{dtypes: [string, int64], delimiter: "{delimiter}"}}}}'.replace("\t", "\\t")
    lines = [written(row, delimiter) for row in ROWS]
    for row, line in zip(ROWS, lines, strict=True):
        name, number = run(tf, text, [LINE], [line])
        assert (name.decode(), number) == (row[0], int(row[1]))
    names, found = run_batch(tf, text, [LINE], [lines])
    assert [one.decode() for one in names] == [row[0] for row in ROWS]
    assert found.tolist() == [int(row[1]) for row in ROWS]


@pytest.mark.tf
def test_defaults(tf: Any) -> None:
    """An empty field becomes its default, whose bytes are in the type; without one an empty number is an error."""
    text = "{decode_csv: {dtypes: [string, float32, int32], default: [nothing at all, 0.5, null]}}"
    name, price, count = run(tf, text, [LINE], [",,7"])
    assert (name, price, count) == (b"nothing at all", 0.5, 7)
    short = Tensor("string", length=Dim.at_most(3))
    assert [str(one) for one in read(text).infer_all((short,))] == ["string[<=14B]", "float32[]", "int32[]"]
    with pytest.raises(tf.errors.InvalidArgumentError, match="SD404: to_number: text that is no int32"):
        run(tf, text, [LINE], ["a,1,"])


@pytest.mark.tf
@pytest.mark.parametrize("line", ["", "a", "a,1,2", '"a,1', 'a"b,1', '"a"b,1', "a\nb,1"])
def test_lines_that_are_none(tf: Any, line: str) -> None:
    """A line with another number of fields, or with quotes that do not fit, is SD404 with its element."""
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="SD404: decode_csv: a line that is not 2 fields"
    ):
        run(tf, "{decode_csv: [string, string]}", [LINE], [line])


def test_what_it_takes() -> None:
    """It takes one line; defaults are as many as fields, and of their dtypes."""
    assert fault("{decode_csv: [string, string]}", numbers(2)).code == "SD203"
    assert fault("{decode_csv: [string, string]}", LINE, LINE).code == "SD216"
    for default, message in [
        ("[1]", "`default` has 1 values for 2 fields"),
        ("[1, 2]", "`default` has `1` for a field that is string"),
        ("[x, 2.5]", "`default` 2.5 is not a value of int64"),
    ]:
        with pytest.raises(ValueError, match=message):
            parse(f"{{decode_csv: {{dtypes: [string, int64], default: {default}}}}}")


@pytest.mark.tf
def test_bad_lines_are_left_out(tf: Any, tmp_path: Path) -> None:
    """In a spec the fields become components, and under `on_error: skip` a bad line is left out."""
    (tmp_path / "x.txt").write_text("a,1\nb\nc,x\nd,4\n")
    spec = """safedata: 1
runtime: {on_error: skip}
source: {text: x.txt}
steps: [{map: {"name, n": [{from: text}, {decode_csv: [string, int64]}]}}]
output: [name, n]
"""
    made = [(name.numpy(), int(n)) for name, n in safedata.load(spec, folder=tmp_path)]
    assert made == [(b"a", 1), (b"d", 4)]


@pytest.mark.tf
def test_bytes_that_are_no_utf8(tf: Any) -> None:
    """A line in another encoding has its fields too, and a bad one is named by an error that can be read."""
    name, number = run(tf, "{decode_csv: [string, int64]}", [LINE], [b"caf\xe9,1"])
    assert (name, number) == (b"caf\xe9", 1)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="SD404: decode_csv: a line that is not 2 fields"
    ):
        run(tf, "{decode_csv: [string, string]}", [LINE], [b"caf\xe9"])
