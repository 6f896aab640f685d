"""`interleave` of file sources: several files in turn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import safedata
from safedata.compile import compile_plan
from safedata.scope import Scope
from safedata.sources.fixed_length import FixedLength
from safedata.sources.lines.text import Text
from safedata.sources.tfrecord.tfrecord import Tfrecord
from tests.sources.records import look, run

COUNTS = (3, 5, 0, 2)
WAYS = [(2, 1), (3, 2), (4, 1), (100, 7)]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for file, count in enumerate(COUNTS):
        (tmp_path / f"{file}.txt").write_text("".join(f"{file}{line}\n" for line in range(count)))
        (tmp_path / f"{file}.bin").write_bytes(bytes(16 * file + number for number in range(count)))
    return tmp_path


def turns(cycle: int, block: int, *, empty: bool = True) -> list[tuple[int, int]]:
    """Return the order that the field describes: a block of each open file in turn, another file where one ended."""
    left = {file: list(range(count)) for file, count in enumerate(COUNTS) if count or empty}
    waiting, order, at = list(left), list[tuple[int, int]](), 0
    slots: list[int | None] = [None] * cycle
    while waiting or any(slot is not None for slot in slots):
        file = slots[at]
        if file is None and waiting:
            file = slots[at] = waiting.pop(0)
        if file is not None:
            taken = [left[file].pop(0) for _ in range(min(block, len(left[file])))]
            order += [(file, number) for number in taken]
            if len(taken) < block:
                slots[at] = None
        at = (at + 1) % cycle
    return order


@pytest.mark.tf
@pytest.mark.parametrize(("cycle", "block"), WAYS)
def test_files_take_turns(tf: Any, files: Path, cycle: int, block: int) -> None:
    """A block comes from each of `cycle` open files in turn; one that ends makes room for the next."""
    said = {"cycle": cycle, "block": block}
    order = turns(cycle, block)
    lines = run_indexed(tf, look(Text, files, path="*.txt", interleave=said))
    assert [row["text"].decode() for row in lines] == [f"{file}{number}" for file, number in order]
    found = run_indexed(tf, look(FixedLength, files, path="*.bin", record_bytes=1, interleave=said))
    assert [row["bytes"] for row in found] == [bytes([16 * file + number]) for file, number in order]


def run_indexed(tf: Any, inspected: Any) -> list[Any]:
    """Return all elements, each of which says by its index where it comes from."""
    from dataclasses import replace

    from safedata.internal.keys import Keep
    from safedata.lowering import INDEX, Lowering

    scope = Scope("")
    root = inspected.root.numbered()
    stream = root.infer(scope)
    low = Lowering(tf, stream, stream, 0, origin=lambda index: root.origin(tf, index))
    data = root.lower(low)
    for node in (*inspected.then, Keep(frozenset({"text", "bytes", INDEX}))):
        before, stream = stream, node.infer(stream, scope)
        data = node.lower(data, replace(low, before=before, after=stream))
    assert list(data.element_spec) == list(stream.element)
    rows = [{name: value.numpy() for name, value in row.items()} for row in data]
    assert len(rows) == stream.cardinality.count == int(data.cardinality())
    for row in rows:
        where = root.describe(int(row[INDEX]))
        assert where == root.origin(tf, tf.constant(row[INDEX])).numpy().decode()
        path, _, number = where.rsplit(" ", 2)
        text = row.get("text", b"").decode() or f"{row['bytes'][0] >> 4}{row['bytes'][0] & 15}"
        first = 1 if "text" in row else 0
        assert f"{Path(path).stem}{int(number) - first}" == text
    return rows


@pytest.mark.tf
def test_one_file_at_a_time_is_as_without(tf: Any, files: Path) -> None:
    """A cycle of one file, or of the only file there is, changes neither the elements nor what is held."""
    plain = look(Text, files, path="*.txt")
    assert look(Text, files, path="*.txt", interleave=1).root == plain.root
    assert [row["text"] for row in run(tf, look(Text, files, path="1.txt", interleave=8))] == [
        f"1{line}".encode() for line in range(5)
    ]


@pytest.mark.tf
def test_draws_stay_with_their_elements(tf: Any, files: Path) -> None:
    """An element draws the same whether files take turns or not: its index is its place in the files."""

    def drawn(interleave: int) -> set[tuple[bytes, float]]:
        text = f"""
safedata: 1
source: {{text: {{path: "*.txt", interleave: {interleave}}}}}
steps:
  - map: {{x: [{{from: text}}, to_number, {{cast: float32}}, {{reshape: [1, 1, 1]}}, {{random_brightness: 3}}]}}
"""
        verdict = safedata.check(text, folder=files)
        assert verdict.plan is not None, verdict.problems
        dataset = compile_plan(verdict.plan).dataset
        return {(row["text"].numpy(), row["x"].numpy().item()) for row in dataset}

    assert drawn(3) == drawn(1)


def test_every_open_file_is_counted(files: Path) -> None:
    """The reader's holds count once for each file that is open at once, and no more files are open than there are."""
    scope = Scope(str(files))

    def held(interleave: int) -> int:
        root = look(Text, files, path="*.txt", interleave=interleave).root
        return sum(hold.bytes or 0 for hold in root.holds(root.infer(scope), scope))

    assert held(3) - held(2) == held(4) - held(3) > held(1)
    assert held(4) == held(400)


@pytest.mark.tf
def test_damaged_records_are_left_out_of_their_own_file(tf: Any, tmp_path: Path) -> None:
    """Under `on_error: skip` what is lost in one file is named by file and record, and the others go on."""
    for name in "ab":
        with tf.io.TFRecordWriter(str(tmp_path / f"{name}.tfrecord")) as writer:
            for number in range(4):
                feature = tf.train.Feature(int64_list=tf.train.Int64List(value=[number]))
                example = tf.train.Example(features=tf.train.Features(feature={"n": feature}))
                writer.write(example.SerializeToString())
    inspected = look(Tfrecord, tmp_path, path="*.tfrecord", features={"n": "int64"}, interleave=2)
    assert [int(row["n"]) for row in run_plain(tf, inspected)] == [0, 0, 1, 1, 2, 2, 3, 3]
    text = """
safedata: 1
source: {tfrecord: {path: "*.tfrecord", features: {n: int64}, interleave: 2}}
runtime: {on_error: skip}
"""
    verdict = safedata.check(text, folder=tmp_path)
    assert verdict.plan is not None, verdict.problems
    data = bytearray((tmp_path / "a.tfrecord").read_bytes())
    data[len(data) // 2 + 14] ^= 255
    (tmp_path / "a.tfrecord").write_bytes(bytes(data))
    compiled = compile_plan(verdict.plan)
    assert [int(row["n"]) for row in compiled.dataset] == [0, 0, 1, 1, 2, 3, 3]
    assert [one.split(", byte")[0] for one in compiled.skips.described()] == [
        f"{tmp_path}/a.tfrecord record 2"
    ]


def run_plain(tf: Any, inspected: Any) -> list[Any]:
    from dataclasses import replace

    from safedata.lowering import Lowering

    scope, root = Scope(""), inspected.root
    stream = root.infer(scope)
    low = Lowering(tf, stream, stream, 0)
    data = root.lower(low)
    for node in inspected.then:
        before, stream = stream, node.infer(stream, scope)
        data = node.lower(data, replace(low, before=before, after=stream))
    return list(data)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("0", "`interleave` takes a number of at least 1, not `0`"),
        ("{cycle: 2, block: 0}", "`block` takes a number of at least 1, not `0`"),
        ("{cycel: 2}", "`interleave` needs `cycle`"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(files: Path, value: str, message: str) -> None:
    """A cycle and a block are 1 or more, and a wrong key is named."""
    verdict = safedata.check(
        f"safedata: 1\nsource: {{text: {{path: '*.txt', interleave: {value}}}}}\n", folder=files
    )
    assert message in [one.message for one in verdict.problems]
