"""`decode_jpeg`; what it shares with `decode_image` is tested there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from safedata.types import Dim, Encoded, Tensor
from tests.ops.conformance import encode, fault, parse, run

FILE = Tensor("string", length=Dim.at_most(100_000))
TEXT = "decode_jpeg: {max_size: [64, 64]}"


def test_other_formats() -> None:
    """Files that are known not to be JPEG are an error that names the operation for them."""
    x = replace(FILE, encoded=Encoded(Dim.exactly(9), Dim.exactly(9), frozenset({"png", "jpeg"})))
    found = fault("decode_jpeg", x)
    assert (found.code, found.help) == ("SD203", "write `decode_image`")
    assert "some here are png" in found.message


@pytest.mark.tf
@pytest.mark.parametrize("form", ["PNG", "GIF", "BMP"])
def test_other_formats_at_run_time(tf: Any, form: str) -> None:
    """A file of another format is refused by name, though TensorFlow's own operation takes some."""
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"SD404: cannot decode: not jpeg data, in\] \[3\]"
    ):
        run(tf, TEXT, FILE, encode("RGB", form), index=3)


def test_progressive_files_cost_coefficients() -> None:
    """The workspace has 8 bytes for each pixel where any file may be progressive, else what the headers say."""
    op = parse(TEXT)
    unknown = op.workspace(FILE, op.infer(FILE)) or 0
    assert unknown >= 8 * 64 * 64
    size = Dim.exactly(64, "measured")
    for kept in (0, 12_288):
        x = replace(FILE, encoded=Encoded(size, size, frozenset({"jpeg"}), coefficients=kept))
        assert op.workspace(x, op.infer(x)) == unknown - 8 * 64 * 64 + kept
