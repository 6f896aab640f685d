"""Lists of different sizes, and of texts that are parts of one: what is counted for many of them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import safedata
from safedata.memory import Hold
from safedata.request import raise_for
from safedata.stages._elements import component_bytes
from safedata.strata import by_rows, foremost, rounded, together
from safedata.types import Dim, Tensor
from tests.sources.test_tfrecord import framed
from tests.test_strata import message

pytestmark = pytest.mark.usefixtures("undecided")
Spec = dict[str, Any]

COUNTS = [min(3000, int(10 / (1 - place / 300) ** 1.4)) for place in range(300)]
"""Numbers in 300 lists: half of them below 27, the longest 3,000."""
LISTS = [list(range(count)) for count in random.Random(1).sample(COUNTS, len(COUNTS))]
BESIDE = 400
"""What a buffered element takes beside its list, in glibc's heap."""


def checked(folder: Path, source: Spec, *steps: object) -> safedata.Verdict:
    runtime = {"allocator": "system"}
    spec = {"safedata": 1, "source": source, "steps": list(steps), "runtime": runtime}
    verdict = safedata.check(yaml.safe_dump(spec, sort_keys=False), host="1TiB", folder=folder)
    raise_for(verdict)
    return verdict


def holds(folder: Path, source: Spec, *steps: object, step: str = "cache") -> list[Hold]:
    """Return the holds of the step of this name."""
    plan = checked(folder, source, *steps).plan
    assert plan is not None
    return next(list(one.holds) for one in plan.steps if one.title.rpartition(": ")[2] == step)


def json_lists(folder: Path) -> Spec:
    (folder / "lists.jsonl").write_text("".join(json.dumps({"ids": one}) + "\n" for one in LISTS))
    return {"jsonl": {"path": "lists.jsonl", "columns": {"ids": "int64[?]"}}}


def parquet(folder: Path) -> Spec:
    base, writer = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    writer.write_table(base.table({"ids": LISTS}), folder / "lists.parquet", row_group_size=100)
    return {"parquet": "lists.parquet"}


def packed(numbers: Sequence[int]) -> bytes:
    """Return numbers as protobuf packs them."""
    found = bytearray()
    for number in numbers:
        while number > 127:
            found.append(number & 127 | 128)
            number >>= 7
        found.append(number)
    return bytes(found)


def records(folder: Path) -> Spec:
    examples = (
        message(1, message(1, message(1, b"ids") + message(2, message(3, message(1, packed(one))))))
        for one in LISTS
    )
    (folder / "data.tfrecord").write_bytes(framed(*examples))
    features = {"ids": {"dtype": "int64", "kind": "variable"}}
    return {"tfrecord": {"path": "data.tfrecord", "features": features}}


SOURCES = (json_lists, parquet, records)


@given(st.lists(st.integers(0, 1 << 20), min_size=1, max_size=50), st.integers(0, 60))
def test_so_many_lists_take_no_more_than_the_largest(sizes: list[int], count: int) -> None:
    """Never less than that, at most 3.2 % more; the longest of all is the foremost."""
    tensor = Tensor("int64", (Dim.at_most(max(sizes), "measured"), Dim.exactly(2)))
    strata = by_rows(tensor, rounded(sizes))
    every = sorted(sizes, reverse=True)
    exact = 16 * (sum(every[:count]) + max(0, count - len(every)) * every[0])
    found = together(strata, count, lambda one: one.bytes)
    assert found is not None
    assert exact <= found <= exact * 33 / 32
    assert [one.shape[0].most for one in foremost(strata)] == [max(sizes)]


@pytest.mark.parametrize("make", SOURCES)
def test_a_cache_of_lists_counts_what_there_is(tmp_path: Path, make: Callable[[Path], Spec]) -> None:
    """300 lists of 10 to 3,000 numbers: not 300 times the longest, 7.2 MB."""
    exact = 8 * sum(COUNTS)
    [found] = holds(tmp_path, make(tmp_path), {"cache": "memory"})
    assert exact <= (found.bytes or 0) <= 1.05 * exact + len(LISTS) * 2 * BESIDE
    assert "on average" in found.why
    assert found.evidence == "measured"


@pytest.mark.parametrize("make", SOURCES)
def test_a_batch_of_lists_takes_what_the_longest_do(tmp_path: Path, make: Callable[[Path], Spec]) -> None:
    """Rows that are not padded lie side by side; padded ones are as long as the longest, once they are a batch."""
    longest = 8 * sum(sorted(COUNTS)[-30:])
    source = make(tmp_path)
    gathered, batch = holds(tmp_path, source, {"ragged_batch": 30}, step="ragged_batch")
    for one in (gathered, batch):
        assert longest <= (one.bytes or 0) <= 1.05 * longest + 30 * 4 * BESIDE
    gathered, batch = holds(tmp_path, source, {"padded_batch": 30}, step="padded_batch")
    assert longest <= (gathered.bytes or 0) <= 1.05 * longest + 30 * 2 * BESIDE
    assert (batch.bytes or 0) >= 8 * 30 * max(COUNTS)


@pytest.mark.parametrize("make", SOURCES)
def test_a_measurement_keeps_the_sizes_of_lists(
    tmp_path: Path, make: Callable[[Path], Spec], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of files too large for a check it says the same as reading all of them."""
    source = make(tmp_path)
    [read] = holds(tmp_path, source, {"cache": "memory"})
    for name in (
        "lines.jsonl.WHOLE",
        "lines._lines.WHOLE",
        "parquet.parquet.WHOLE",
        "tfrecord.tfrecord.PARSED_BYTES",
    ):
        monkeypatch.setattr(f"safedata.sources.{name}", 1000)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    spec = {"safedata": 1, "source": source, "steps": [{"ragged_batch": 4}]}
    [found] = safedata.measure(yaml.safe_dump(spec), folder=tmp_path).measured
    assert found.read == 1
    [again] = holds(tmp_path, source, {"cache": "memory"})
    assert again.evidence == "measured"
    assert (read.bytes or 0) <= (again.bytes or 0) <= 1.04 * (read.bytes or 0)


WORDS = ["a", "", "many words stand in this text, and none is as long as all", "Ünïcode ß", "x" * 200, " y "]
TEXTS = [" ".join(random.Random(n).choices(WORDS, k=n % 40)) for n in range(120)]


def lines(folder: Path) -> Spec:
    (folder / "lines.txt").write_text("\n".join([*(text or "-" for text in TEXTS), ""]))
    return {"text": "lines.txt"}


CHAINS: dict[str, object] = {
    "split": ["split_string"],
    "separated": [{"split_string": {"sep": "n"}}],
    "characters": [{"split_string": {"by": "characters"}}],
    "bytes": [{"split_string": {"by": "bytes"}}],
    "white space": [{"tokenize": "whitespace"}],
    "scripts": [{"tokenize": "unicode_script"}],
    "first": [{"split_string": {"max_tokens": 5}}],
    "cut": ["split_string", {"truncate": 7}],
    "chunk": ["split_string", {"random_chunk": 7}],
    "sliced": ["split_string", {"slice": {"start": 1, "stop": 9}}],
    "padded": [
        "split_string",
        {"truncate": 50},
        {"pad_to": {"length": 50, "value": "[nothing here, and long]"}},
    ],
    "marked": [
        "split_string",
        {"add_tokens": {"bos": "[a beginning of more than 22]", "eos": "[end]"}},
    ],
    "upper": ["split_string", {"upper": "utf-8"}],
    "lower": ["split_string", "lower"],
    "stripped": [{"split_string": {"sep": "t"}}, "strip"],
    "parts": ["split_string", {"substr": {"len": 4}}],
    "filled": [
        {"split_string": {"sep": "n"}},
        {"fill_missing": {"missing": "", "value": "[it was empty, and is not]"}},
    ],
    "turned": ["split_string", {"reverse": 0}],
    "more dimensions": ["split_string", {"expand_dims": 0}],
    "shape": ["split_string", {"truncate": 6}, {"pad_to": 6}, {"reshape": [2, 3]}],
    "expression": '= split(text, " ", 30)',
}
"""Operations on the parts of texts."""
CLOSE = {
    "split",
    "separated",
    "white space",
    "cut",
    "chunk",
    "sliced",
    "turned",
    "lower",
    "stripped",
    "parts",
    "first",
}
"""Those behind which all parts have no more bytes than the longest text."""


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.tf
def test_parts_take_no_more_than_is_said(tf: Any, tmp_path: Path, name: str) -> None:
    """Not as often the longest as there are parts; through every operation, element by element and in batches."""
    source, steps = lines(tmp_path), [{"map": {"text": CHAINS[name]}}]
    longest = max(len(text.encode()) for text in TEXTS)
    for more, count in (([], 1), ([{"ragged_batch": 16}], 16)):
        verdict = checked(tmp_path, source, *steps, *more)
        assert verdict.plan is not None
        tensor = verdict.plan.result.element["text"]
        spec = {"safedata": 1, "source": source, "steps": [*steps, *more]}
        most = 0
        for element in safedata.load(yaml.safe_dump(spec), folder=tmp_path):
            value = element["text"]
            flat = value.flat_values if isinstance(value, tf.RaggedTensor) else value
            parts = [len(one) for one in flat.numpy().ravel()]
            most = max(most, sum(parts))
            assert sum(size > 22 for size in parts) <= (tensor.long_strings or 0)
        assert most <= (tensor.text or 0)
        if name in CLOSE:
            assert tensor.text == count * longest


@pytest.mark.parametrize("joined", [{"concat": 0}, {"stack": 0}])
@pytest.mark.tf
def test_joined_parts_are_those_of_all(tf: Any, tmp_path: Path, joined: object) -> None:
    """Several components' parts have the bytes of all of them together."""
    source = lines(tmp_path)
    cut = [{"truncate": 6}, {"pad_to": 6}]
    steps = [
        {
            "map": {
                "one": [{"from": "text"}, "split_string", *cut],
                "text": [{"split_string": {"sep": "n"}}, *cut],
            }
        },
        {"map": {"both": [{"from": ["one", "text"]}, joined]}},
    ]
    plan = checked(tmp_path, source, *steps).plan
    assert plan is not None
    text = yaml.safe_dump({"safedata": 1, "source": source, "steps": steps}, sort_keys=False)
    found = [one["both"].numpy() for one in safedata.load(text, folder=tmp_path)]
    longest = max(len(text.encode()) for text in TEXTS)
    assert max(sum(map(len, one.ravel())) for one in found) <= (plan.result.element["both"].text or 0)
    assert plan.result.element["both"].text == 2 * longest


@pytest.mark.parametrize("pooled", [False, True])
@settings(deadline=None)
@given(st.lists(st.integers(0, 300_000), min_size=1, max_size=12))
def test_blocks_of_parts_are_counted(pooled: bool, sizes: list[int]) -> None:
    """Each of more than 22 bytes has a block, rounded to 16 and with a header; large ones have pages of their own."""
    parts = Tensor("string", (Dim.at_most(len(sizes)),), Dim.at_most(max(sizes))).of_one(sum(sizes))
    blocks = sum(-(-(size + 1) // 16) * 16 + 16 for size in sizes if size > 22)
    exact = 24 * len(sizes) + blocks + sum(4096 for size in sizes if size >= 128 << 10)
    apart = Tensor("string", parts.shape, parts.length)
    found = component_bytes(parts, pooled=pooled)
    assert exact <= (found or 0) <= (component_bytes(apart, pooled=pooled) or 0)


def test_another_shape_or_length_ends_what_is_said_of_parts() -> None:
    """What nobody says of the new type does not hold for it."""
    from safedata.records import replace

    parts = Tensor("string", (Dim.at_most(100),), Dim.at_most(1000)).of_one(1000)
    assert parts.text == 1000
    assert parts.with_leading(Dim.exactly(8)).text == 8000
    assert parts.with_leading(Dim.exactly(8)).without_leading(1).text == 1000
    assert parts.with_leading(Dim.at_most(None)).text is None
    assert replace(parts, kind=None).text == 1000
    assert replace(parts, shape=(Dim.at_most(100),)).text == 100_000
    assert replace(parts, length=Dim.at_most(1000)).text == 100_000
    assert parts.join(Tensor("string", (Dim.at_most(3),), Dim.at_most(7))).text == 100_000
    assert parts.join(replace(parts, length=Dim.at_most(50)).of_one(3000)).text == 3000
    assert Tensor("string", (Dim.at_most(9),)).of_one(80).text == 80
    assert Tensor("int64", (Dim.at_most(9),)).of_one(80).parts is None


LABELS = [["tag " * (number % 9) for number in range(count % 50)] for count in COUNTS]


def labelled_lines(folder: Path) -> Spec:
    (folder / "labels.jsonl").write_text("".join(json.dumps({"of": one}) + "\n" for one in LABELS))
    return {"jsonl": {"path": "labels.jsonl", "columns": {"of": "string[?][?]"}}}


def labelled_rows(folder: Path) -> Spec:
    base, writer = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    writer.write_table(base.table({"of": LABELS}), folder / "labels.parquet")
    return {"parquet": "labels.parquet"}


def labelled_records(folder: Path) -> Spec:
    examples = (
        message(
            1,
            message(
                1,
                message(1, b"of")
                + message(2, message(1, b"".join(message(1, text.encode()) for text in one))),
            ),
        )
        for one in LABELS
    )
    (folder / "labels.tfrecord").write_bytes(framed(*examples))
    return {
        "tfrecord": {"path": "labels.tfrecord", "features": {"of": {"dtype": "string", "kind": "variable"}}}
    }


@pytest.mark.parametrize("make", [labelled_lines, labelled_rows, labelled_records])
def test_texts_of_a_list_lie_in_its_record(tmp_path: Path, make: Callable[[Path], Spec]) -> None:
    """Of files that were read whole; not as often the longest text as there are texts in the longest list."""
    plan = checked(tmp_path, make(tmp_path), {"ragged_batch": 4}).plan
    assert plan is not None
    tensor = plan.result.element["of"]
    exact = max(sum(map(len, one)) for one in LABELS)
    assert 4 * exact <= (tensor.text or 0) <= 4 * (exact + 49 * 6 + 40)
    assert (tensor.text or 0) < 4 * 49 * 32


def test_a_sample_says_nothing_of_all_texts_of_a_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each list of those that were not read may have as many texts as another one, and as long ones as a third."""
    for name in ("lines.jsonl.WHOLE", "lines._lines.WHOLE"):
        monkeypatch.setattr(f"safedata.sources.{name}", 1000)
    plan = checked(tmp_path, labelled_lines(tmp_path), {"ragged_batch": 4}).plan
    assert plan is not None
    tensor = plan.result.element["of"]
    assert tensor.parts is None
    assert tensor.evidence == "sampled"


@pytest.mark.parametrize("steps", [(), ({"map": {"ids": [{"truncate": 100}]}},)])
def test_sizes_that_were_seen_hold_beside_another_bound(tmp_path: Path, steps: tuple[object, ...]) -> None:
    """What was declared, or what an operation promises, bounds each list; what all take rests on what was seen."""
    source = records(tmp_path)
    source["tfrecord"]["features"]["ids"]["max"] = 5000
    exact = 8 * sum(min(count, 100) if steps else count for count in COUNTS)
    [found] = holds(tmp_path, source, *steps, {"cache": "memory"})
    assert exact <= (found.bytes or 0) <= 1.05 * exact + len(LISTS) * 2 * BESIDE
    assert found.evidence == "measured"
    if not steps:
        plan = checked(tmp_path, source).plan
        assert plan is not None
        assert plan.result.element["ids"].evidence == "declared"
