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
    """The workspace has 8 bytes for each pixel: any file may be progressive."""
    op = parse(TEXT)
    assert (op.workspace(FILE, op.infer(FILE)) or 0) >= 8 * 64 * 64
