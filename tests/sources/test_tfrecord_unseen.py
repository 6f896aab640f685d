"""`tfrecord` files of which the check parsed a sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import safedata
from safedata.sources.tfrecord import tfrecord as source
from tests.sources.test_tfrecord import framed

FEATURES = """\
safedata: 1
source:
  tfrecord:
    path: {path}
    features:
      number: int64
      some: {{dtype: int64, kind: variable, max: 5}}
      rows: {{dtype: float32, kind: ragged, row_lengths: sizes, max: 3, max_rows: 4}}
"""


def example(tf: Any, number: int) -> bytes:
    """Return a serialized example with three kinds of features."""
    ints, train = tf.train.Int64List, tf.train
    feature = {
        "number": train.Feature(int64_list=ints(value=[number])),
        "some": train.Feature(int64_list=ints(value=range(number % 3))),
        "rows": train.Feature(float_list=train.FloatList(value=[1, 2, 3])),
        "sizes": train.Feature(int64_list=ints(value=[2, 0, 1])),
    }
    made: bytes = train.Example(features=train.Features(feature=feature)).SerializeToString()
    return made


@pytest.fixture
def sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check parses every fifth record."""
    monkeypatch.setattr(source, "PARSED", 4)
    monkeypatch.setattr(source, "SAMPLED", 4)


@pytest.mark.tf
def test_a_record_that_is_no_example_is_named(tf: Any, tmp_path: Path, sampled: None) -> None:
    """Whoever iterates learns the file and the place of a record that no check has parsed and that is no example."""
    path = tmp_path / "data.tfrecord"
    records = [example(tf, number) for number in range(20)]
    path.write_bytes(b"".join(framed(one) for one in [*records[:7], b"\xff\xfe no example", *records[8:]]))
    data = safedata.load(FEATURES.format(path=path))
    with pytest.raises(tf.errors.OpError, match="SD404: a record that is no example") as caught:
        list(data)
    assert "data.tfrecord record 7" in str(caught.value)


@pytest.mark.tf
def test_all_kinds_of_features_are_as_they_were(tf: Any, tmp_path: Path, sampled: None) -> None:
    """Records that no check has parsed give the features that those do that one has."""
    path = tmp_path / "data.tfrecord"
    path.write_bytes(b"".join(framed(example(tf, number)) for number in range(20)))
    found = [
        (int(one["number"]), one["some"].numpy().tolist(), one["rows"].to_list())
        for one in safedata.load(FEATURES.format(path=path))
    ]
    assert found == [(number, list(range(number % 3)), [[1, 2], [], [3]]) for number in range(20)]
