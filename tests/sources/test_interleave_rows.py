"""`interleave` of sources of rows, and files that are read at once."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

import safedata
from safedata.compile import compile_plan
from safedata.scope import Scope
from safedata.sources.csv.csv import Csv
from safedata.sources.parquet.parquet import Parquet
from tests.sources.records import look
from tests.sources.test_interleave import COUNTS, turns
from tests.sources.test_tfds import FEATURES, example, framed, mapping

pa: Any = pytest.importorskip("pyarrow")
pq: Any = importlib.import_module("pyarrow.parquet")

SOURCES = {
    "jsonl": "jsonl: {{path: '*.jsonl', columns: {{x: int64}}{0}}}",
    "csv": "csv: {{path: '*.csv'{0}}}",
    "parquet": "parquet: {{path: '*.parquet', columns: [x, text]{0}}}",
    "text": "text: {{path: '*.txt'{0}}}",
    "tfds": "tfds: {{path: ., features: {{x: id}}{0}}}",
}
WAYS = ["{cycle: 2}", "{cycle: 3, block: 2}", "{cycle: 3, block: 2, parallel: 2}", "{cycle: 4, parallel: 4}"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of every kind, each with so many rows that are numbered `file * 16 + row`."""
    folder = tmp_path_factory.mktemp("rows")
    for file, count in enumerate(COUNTS):
        rows = [16 * file + row for row in range(count)]
        texts = "".join(f'{row},"a\nb"\n' for row in rows)
        (folder / f"{file}.csv").write_text(f"x,text\n{texts}")
        (folder / f"{file}.jsonl").write_text("".join(f'{{"x": {row}}}\n\n' for row in rows))
        (folder / f"{file}.txt").write_text("".join(f"{row}\n" for row in rows))
        table = {
            "x": pa.array(rows, pa.int64()),
            "text": pa.array(["t"] * count, pa.string()),
            "more": pa.array([0.0] * count, pa.float64()),
        }
        pq.write_table(pa.table(table), folder / f"{file}.parquet", row_group_size=2)
        data = b"".join(framed(example(row)) for row in rows)
        (folder / f"toy-train.tfrecord-0000{file}-of-0000{len(COUNTS)}").write_bytes(data)
    split = {"name": "train", "shardLengths": [str(count) for count in COUNTS]}
    info = {"name": "toy", "fileFormat": "tfrecord", "splits": [split]}
    (folder / "dataset_info.json").write_text(json.dumps(info))
    (folder / "features.json").write_text(json.dumps(mapping(FEATURES)))
    return folder


def spec(kind: str, interleave: str = "", more: str = "") -> str:
    said = f", interleave: {interleave}" if interleave else ""
    return f"safedata: 1\nsource: {{{SOURCES[kind].format(said)}}}\n{more}"


def order(folder: Path, text: str) -> list[tuple[int, int]]:
    rows = safedata.load(text, folder=folder).as_numpy_iterator()
    return [divmod(int(row["x" if "x" in row else "text"]), 16) for row in rows]


@pytest.mark.tf
@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("way", WAYS)
def test_rows_take_turns(tf: Any, files: Path, kind: str, way: str) -> None:
    """A block of rows comes from each open file in turn, in the same order however many are read at once."""
    cycle = int(way[8])
    block = 2 if "block" in way else 1
    nothing = kind != "tfds"  # a shard without records is in no split
    assert order(files, spec(kind, way)) == turns(cycle, block, empty=nothing)


@pytest.mark.tf
def test_part_of_a_split_takes_turns(tf: Any, files: Path) -> None:
    """Of each shard the records that the split selects come, a shard that is named twice both times."""
    text = spec("tfds", "3").replace("path: .", 'path: ., split: "train[1:6]+train[7:]+train[:2]"')
    first, second, third, fourth = [(0, 1), (0, 2)], [(1, 0), (1, 1), (1, 2)], [(1, 4)], [(3, 0), (3, 1)]
    fifth = [(0, 0), (0, 1)]
    made = order(files, text)
    assert sorted(made) == sorted([*first, *second, *third, *fourth, *fifth])
    assert made[:3] == [first[0], second[0], third[0]]


@pytest.mark.tf
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "tfds"])
def test_draws_stay_with_their_rows(tf: Any, files: Path, kind: str) -> None:
    """A row draws the same whether files take turns or not: its index is its place in the files."""
    draw = "[{from: x}, {cast: float32}, {reshape: [1, 1, 1]}, {random_brightness: 3}]"
    more = f"steps: [{{map: {{y: {draw}}}}}]\n"

    def drawn(way: str) -> set[tuple[int, float]]:
        rows = safedata.load(spec(kind, way, more), folder=files).as_numpy_iterator()
        return {(int(row["x"]), row["y"].item()) for row in rows}

    assert drawn("{cycle: 3, parallel: 2}") == drawn("")


@pytest.mark.tf
@pytest.mark.parametrize("way", ["{cycle: 1, shuffle: true}", "{cycle: 2, shuffle: true, parallel: 2}"])
def test_files_come_in_another_order_in_each_epoch(tf: Any, files: Path, way: str) -> None:
    """Shuffled files give the same rows, those of each in their order, and with one seed the same in each run."""
    text = spec("parquet", way, "runtime: {seed: 3}\n")

    def epochs() -> list[list[tuple[int, int]]]:
        dataset = safedata.load(text, folder=files)
        return [[divmod(int(row["x"]), 16) for row in dataset] for _ in range(6)]

    made = epochs()
    assert all(sorted(one) == sorted(turns(1, 1)) for one in made)
    assert all([row for row in one if row[0] == 1] == [(1, row) for row in range(COUNTS[1])] for one in made)
    assert len({tuple(one) for one in made}) > 2
    assert epochs() == made


@pytest.mark.tf
def test_a_bad_row_is_named_by_its_own_file(tf: Any, files: Path, tmp_path: Path) -> None:
    """What is left out of files that take turns is named by file and row, and the other rows stay."""
    for name, rows in (("a", [1, None, 3]), ("b", [4, 5])):
        pq.write_table(pa.table({"x": rows}), tmp_path / f"{name}.parquet")
    text = spec("parquet", "2", "runtime: {on_error: skip}\n").replace(", text]", "]")
    verdict = safedata.check(text, folder=tmp_path)
    assert verdict.plan is not None, verdict.problems
    compiled = compile_plan(verdict.plan)
    assert [int(row["x"]) for row in compiled.dataset] == [1, 4, 5, 3]
    assert compiled.skips.described() == [f"{tmp_path}/a.parquet row 1"]


def test_only_what_each_file_takes_is_counted_again(files: Path) -> None:
    """Columns that nothing needs are not read, pyarrow counts once, and rows that wait for their turn count too."""
    scope = Scope(str(files))

    def held(**fields: Any) -> int:
        root = look(Parquet, files, path="*.parquet", **fields).root.keep(frozenset({"x"}))
        assert list(root.infer(scope).element) == ["x"]
        return sum(hold.bytes or 0 for hold in root.holds(root.infer(scope), scope))

    more = held(interleave=3) - held(interleave=2)
    assert more == held(interleave=4) - held(interleave=3)
    assert 0 < more < held()
    assert held(interleave={"cycle": 2, "parallel": 2}) > held(interleave=2)
    csv = [look(Csv, files, path="*.csv", interleave=cycle).root for cycle in (2, 3)]
    two, three = (sum(hold.bytes or 0 for hold in one.holds(one.infer(scope), scope)) for one in csv)
    assert three > two


@pytest.mark.parametrize("kind", SOURCES)
def test_no_more_files_are_read_at_once_than_are_open(files: Path, kind: str) -> None:
    """`parallel` above `cycle` is refused, with the number that it can be."""
    found = safedata.check(spec(kind, "{cycle: 2, parallel: 3}"), folder=files).problems
    assert any("`parallel` is at most `cycle`, 2" in one.message for one in found), found
