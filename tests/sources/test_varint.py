"""Protobuf's numbers of variable length."""

from __future__ import annotations

import pytest

from safedata.sources._varint import varint
from safedata.sources.saved._spec import SpecError, fields
from safedata.sources.tfrecord._example import parse_record


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, 2**63, 2**64 - 1])
def test_a_number_is_read_back(number: int) -> None:
    """What protobuf writes for a number is read as that number, wherever it stands."""
    groups = [number >> shift & 127 for shift in range(0, max(1, number.bit_length()), 7)]
    written = bytes([*(one | 128 for one in groups[:-1]), groups[-1]])
    assert varint(b"\xff" + written + b"\x01", 1) == (number, 1 + len(written))
    with pytest.raises(ValueError, match="a number that does not end"):
        varint(written + b"\x01", 0, len(written) - 1)


def test_no_number_goes_on_for_ever() -> None:
    """A number of more than ten bytes is none, and each reader raises its own error for it."""
    endless = b"\x80" * 11 + b"\x00"
    with pytest.raises(SpecError, match="a number that does not end"):
        list(fields(endless))
    with pytest.raises(ValueError, match="a number that does not end") as caught:
        parse_record(endless)
    assert not isinstance(caught.value, SpecError)
