"""`fixed_length`: records, headers, footers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from safedata.problem import Fault
from safedata.sources.fixed_length import FixedLength
from tests.sources.records import look, run, types


@pytest.mark.tf
@pytest.mark.parametrize(("header", "footer"), [(0, 0), (3, 0), (0, 2), (3, 2)])
def test_records_are_tensorflows(tf: Any, tmp_path: Path, header: int, footer: int) -> None:
    """The records of `FixedLengthRecordDataset`, exact in length and number, with their places."""
    for number, count in enumerate([2, 0, 5]):
        (tmp_path / f"{number}.bin").write_bytes(os.urandom(header + 7 * count + footer))
    fields = {"record_bytes": 7, "header_bytes": header, "footer_bytes": footer}
    found = look(FixedLength, tmp_path, path="*.bin", **fields)
    assert str(types(found)) == "bytes: string[7B]"
    assert str(types(found).cardinality) == "exactly 7"
    files = [str(tmp_path / f"{number}.bin") for number in range(3)]
    plain = tf.data.FixedLengthRecordDataset(files, 7, header, footer)
    assert [row["bytes"] for row in run(tf, found)] == list(plain.as_numpy_iterator())
    assert found.root.describe(2).endswith("2.bin record 0")


@pytest.mark.parametrize(
    ("size", "code", "message"),
    [
        (24, "SD404", "has 24 bytes: 2 records of 7, and 3 left over"),
        (5, "SD404", "has 5 bytes, fewer than the 7 of `header_bytes` and `footer_bytes`"),
        (7, "SD403", "the files have no records"),
    ],
)
def test_refused(tmp_path: Path, size: int, code: str, message: str) -> None:
    """A size that is not that of whole records is refused with the numbers."""
    (tmp_path / "a.bin").write_bytes(bytes(size))
    with pytest.raises(Fault, match=message) as caught:
        look(FixedLength, tmp_path, path="a.bin", record_bytes=7, header_bytes=4, footer_bytes=3)
    assert (caught.value.code, caught.value.at) == (code, ("path",))
