"""`truncate`."""

from __future__ import annotations

from typing import Any

import pytest

from safedata.types import UNBOUNDED, Tensor
from tests.ops.conformance import TEXTS, VECTOR, fault, parse, run

LIST = Tensor("int64", (UNBOUNDED,))


@pytest.mark.parametrize(
    ("text", "x", "expected"),
    [
        ("truncate: 2", VECTOR, "float32[<=2, 4]"),
        ("truncate: 9", VECTOR, "float32[<=5, 4]"),
        ("truncate: {length: 3, axis: 1}", VECTOR, "float32[<=5, 3]"),
        ("truncate: {length: 3, axis: -1}", VECTOR, "float32[<=5, 3]"),
        ("truncate: 7", LIST, "int64[<=7]"),
        ("truncate: 3", TEXTS, "string[<=8B][<=3]"),
    ],
)
def test_type(text: str, x: Tensor, expected: str) -> None:
    """The dimension is capped, and exact only if it was."""
    assert str(parse(text).infer(x)) == expected


@pytest.mark.tf
@pytest.mark.parametrize(("side", "expected"), [("end", [1, 2, 3]), ("start", [3, 4, 5])])
def test_sides(tf: Any, side: str, expected: list[int]) -> None:
    """Entries go at the side that is named; what is short enough stays whole."""
    text = f"truncate: {{length: 3, side: {side}}}"
    assert run(tf, text, LIST, [1, 2, 3, 4, 5]).tolist() == expected
    assert run(tf, text, LIST, [1, 2]).tolist() == [1, 2]
    assert run(tf, text, LIST, []).tolist() == []


def test_faults() -> None:
    """A scalar has nothing to cut, and a dimension must exist."""
    assert fault("truncate: 2", Tensor("int64")).code == "SD203"
    assert "works on dimension 2" in fault("truncate: {length: 2, axis: 2}", VECTOR).message


@pytest.mark.tf
@pytest.mark.slow
def test_result_is_a_copy(tf: Any) -> None:
    """What is cut off is not kept alive: a hundred results of large inputs take the memory of the results."""
    import gc
    from pathlib import Path

    from tests.ops.conformance import traced

    cut = traced(tf, parse("truncate: 16"), LIST)
    zero = tf.constant(0, tf.int64)

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096

    kept = [cut(tf.range(1 << 20, dtype=tf.int64), zero, zero)]
    gc.collect()
    before = resident()
    kept += [cut(tf.range(1 << 20, dtype=tf.int64) + step, zero, zero) for step in range(50)]
    assert len(kept) == 51
    assert resident() - before < 10 * (8 << 20)
