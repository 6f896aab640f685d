"""`saved`: what `tf.data.Dataset.save` writes, read without it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safedata.measured import CorruptError
from safedata.problem import Fault
from safedata.scope import Scope
from safedata.sources.saved import _survey as _saved_survey
from safedata.sources.saved._spec import RefusedError, SpecError, read_metadata, read_spec
from safedata.sources.saved._tensor import read_tensor
from safedata.sources.saved.saved import Saved
from tests.sources.records import look, outcome, run, types


def read_text(data: bytes) -> object:
    return read_tensor(data, text=True)


pytestmark = pytest.mark.tf
COUNT = 40


def element(tf: Any, index: Any) -> Any:
    count = index % 4
    rows = tf.RaggedTensor.from_row_lengths(tf.range(count * 2), [count, count])
    return {
        "text": tf.strings.join(["é", tf.strings.as_string(index)]),
        "number": {"id": index, "half": tf.cast(index, tf.float32) / 2},
        "list": tf.range(count),
        "words": tf.fill([count], "word"),
        "rows": rows,
        "image": tf.zeros([4, 4, 3], tf.uint8),
    }


@pytest.fixture(scope="module")
def folder(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directories that TensorFlow saved."""
    made = tmp_path_factory.mktemp("saved")
    data = tf.data.Dataset.range(COUNT).map(lambda index: element(tf, index))
    data.save(str(made / "plain"))
    data.save(str(made / "zipped"), compression="GZIP")
    data.save(str(made / "shards"), shard_func=lambda one: one["number"]["id"] % 3)
    pairs = tf.data.Dataset.range(5).map(lambda index: (tf.zeros([2, 3]), {"label": index}))
    pairs.save(str(made / "pairs"))
    tf.data.Dataset.range(3).save(str(made / "single"))
    tf.data.Dataset.range(3).batch(2).save(str(made / "batches"))
    tf.data.Dataset.range(3).map(lambda one: tf.sparse.from_dense([one])).save(str(made / "sparse"))
    return made


TYPES = (
    "image: uint8[4, 4, 3], list: int64[<=3], number_half: float32[], number_id: int64[], "
    "rows: int64[<=2, <=3] ragged, text: string[<=4B], words: string[<=4B][<=3]"
)


@pytest.mark.parametrize("name", ["plain", "zipped", "shards"])
def test_elements_are_those_saved(tf: Any, folder: Path, name: str) -> None:
    """Types come from the directory and its records; elements are TensorFlow's own, file by file."""
    found = look(Saved, folder, path=name)
    assert str(types(found)) == TYPES
    assert (types(found).weakest, str(types(found).cardinality)) == ("measured", f"exactly {COUNT}")
    rows = run(tf, found)
    ids = [int(row["number_id"]) for row in rows]
    assert ids == sorted(range(COUNT), key=lambda one: (one % 3, one) if name == "shards" else one)
    for row in rows:
        want = element(tf, row["number_id"])
        assert row["text"] == want["text"].numpy()
        assert row["list"].tolist() == want["list"].numpy().tolist()
        assert row["words"].tolist() == want["words"].numpy().tolist()
        assert row["rows"] == want["rows"].to_list()


def test_a_tuple_needs_names(tf: Any, folder: Path) -> None:
    """Components of a mapping keep their names; those of a tuple get theirs from the spec; one alone is `value`."""
    found = look(Saved, folder, path="pairs", names=["image", "label"])
    assert str(types(found)) == "image: float32[2, 3], label: int64[]"
    assert [int(row["label"]) for row in run(tf, found)] == list(range(5))
    assert str(types(look(Saved, folder, path="single"))) == "value: int64[]"
    assert str(types(look(Saved, folder, path="batches"))) == "value: int64[<=2]"
    with pytest.raises(Fault, match="tuples of 2 components without names") as caught:
        look(Saved, folder, path="pairs")
    assert caught.value.help == "write `names: [part0, part1]`, in their order"


@pytest.mark.parametrize(
    ("fields", "code", "at"),
    [
        ({"path": "nowhere"}, "SD401", ("path",)),
        ({"path": "."}, "SD403", ("path",)),
        ({"path": "sparse"}, "SD413", ("path",)),
        ({"names": ["a"]}, "SD203", ("names",)),
        ({"path": "pairs", "names": ["a", "a"]}, "SD105", ("names", 0)),
        ({"max": {"text": 3}}, "SD103", ("max", "text")),
        ({"max": {"lists": 3}}, "SD201", ("max", "lists")),
        ({"max": {"list": 2}}, "SD404", ("max", "list")),
        ({"max": {"rows": 2}}, "SD404", ("max", "rows")),
        ({"max_bytes": {"text": "3 B"}}, "SD404", ("max_bytes", "text")),
        ({"max_bytes": {"list": "3 B"}}, "SD103", ("max_bytes", "list")),
    ],
)
def test_refused(folder: Path, fields: dict[str, Any], code: str, at: tuple[str, ...]) -> None:
    """A directory that is not read, or fields that do not fit its elements, are refused where they stand."""
    with pytest.raises(Fault, match=r".") as caught:
        look(Saved, folder, **{"path": "plain", **fields})
    assert (caught.value.code, caught.value.at) == (code, at)


def test_a_pickled_type_is_never_loaded(folder: Path, tmp_path: Path) -> None:
    """A directory whose type is a pickle, or that the tf.data service wrote, is refused without a look inside."""
    shutil.copytree(folder / "plain", tmp_path / "old")
    (tmp_path / "old" / "dataset_spec.pb").rename(tmp_path / "old" / "element_spec")
    with pytest.raises(Fault, match="saved as a pickle, which is code and is never loaded"):
        look(Saved, tmp_path, path="old")
    (tmp_path / "old" / "element_spec").rename(tmp_path / "old" / "dataset_element_spec.pb")
    with pytest.raises(Fault, match=r"tf\.data service") as caught:
        look(Saved, tmp_path, path="old")
    assert caught.value.code == "SD413"


def test_declared_bounds(folder: Path) -> None:
    """What is declared stands in the types, for each dimension that differs."""
    element = types(look(Saved, folder, path="plain", max={"rows": 9}, max_bytes={"text": "1 KiB"})).element
    assert [str(element[name]) for name in ("rows", "text")] == ["int64[<=9, <=9] ragged", "string[<=1KiB]"]


def test_many_elements_are_bounded_by_headers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many elements a sample is parsed; the lengths of records still bound strings and vectors of numbers."""
    monkeypatch.setattr(_saved_survey, "PARSED", 10)
    monkeypatch.setattr(_saved_survey, "SAMPLED", 5)
    found = look(Saved, folder, path="plain")
    element = types(found).element
    assert found.notes == (f"5 of {COUNT} elements were parsed",)
    assert {name: one.evidence for name, one in element.items() if not one.static} == {
        "list": "measured",
        "rows": "sampled",
        "words": "sampled",
    }
    assert element["text"].length.evidence == "measured"
    assert 4 <= (element["text"].length.most or 0) < 20
    monkeypatch.setattr(_saved_survey, "HEADERS", 20)
    few = types(look(Saved, folder, path="plain"))
    assert (few.weakest, str(few.cardinality)) == ("sampled", f"exactly {COUNT}")


def test_measuring_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `safedata measure` keeps of a file says the same as reading it."""
    monkeypatch.setattr("safedata.sources.saved.saved.PARSED_BYTES", 100)
    source = Saved.model_validate({"path": "plain"})
    [work] = source.to_measure(Scope(str(folder)))
    value = json.loads(json.dumps(work.read(work.files[0].path, lambda _: None)))
    work.check(value)
    assert (value["records"], value["wrong"]) == (COUNT * 7, 0)
    assert [one[1:] for one in value["seen"]] == [
        [0, 0],
        [0, 0, 3],
        [0, 0],
        [0, 0],
        [0, 3, 2],
        [4, 0],
        [4, 0, 3],
    ]
    assert work.damaged({"a": value}) == (0, [])
    with pytest.raises(CorruptError):
        work.check({**value, "seen": value["seen"][:-1]})


def test_damage(tf: Any, folder: Path, tmp_path: Path) -> None:
    """A file that is cut off is an error with its name; under `on_error: skip` what is lost is left out."""
    shutil.copytree(folder / "plain", tmp_path / "cut")
    [path] = (tmp_path / "cut").glob("*/*/*.snapshot")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(Fault, match=r"snapshot` is bad data: is cut off: \d+ bytes of record 279"):
        look(Saved, tmp_path, path="cut")
    skipped: list[int] = []
    rows = run(tf, look(Saved, tmp_path, "skip", path="cut"), "skip", skipped)
    assert [int(row["number_id"]) for row in rows] == list(range(COUNT - 1))
    assert skipped == [COUNT - 1]
    data = (folder / "plain" / "snapshot.metadata").read_bytes()
    (tmp_path / "cut" / "snapshot.metadata").write_bytes(data[:-3])
    with pytest.raises(Fault, match="was not written to its end"):
        look(Saved, tmp_path, path="cut")


@settings(max_examples=100, deadline=None)
@given(st.data(), st.binary(max_size=30))
def test_hostile_bytes_are_a_fault_or_types(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, junk: bytes
) -> None:
    """Whatever stands in a file of the directory, a check gives types or a fault."""
    made = tmp_path_factory.mktemp("h") / "d"
    shutil.copytree(folder / "plain", made)
    path = data.draw(st.sampled_from(sorted(one for one in made.rglob("*") if one.is_file())))
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    path.write_bytes(whole[:at] + junk + whole[at + data.draw(st.integers(0, 40)) :])
    code = outcome(lambda: types(look(Saved, made, path=".")))
    assert code in {None, "SD105", "SD401", "SD402", "SD403", "SD404", "SD413", "SD104"}


@given(st.binary(max_size=60), st.sampled_from([read_metadata, read_spec, read_text]))
def test_hostile_messages(junk: bytes, read: Callable[[bytes], object]) -> None:
    """Bytes that are no message are an error of their own kind."""
    made: object = None
    with suppress(SpecError, RefusedError):
        made = read(junk)
        assert made is not None
