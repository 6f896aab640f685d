"""`synthetic`: elements of any type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import safedata
from safedata.problem import Fault
from safedata.sources.synthetic import Synthetic
from safedata.types import DTYPE_BYTES
from tests.sources.records import look, run, types

EVERY = {
    **{dtype: f"{dtype}[<=5, 3]" for dtype in DTYPE_BYTES},
    "text": "string[<=100]",
    "words": "string[7 B][<=3]",
    "none": "int64[0]",
    "signed": {"type": "int32[4]", "range": [-3, 2]},
    "unit": {"type": "float32[4]", "range": [-1, 1], "kind": "mask"},
}


@pytest.mark.tf
@pytest.mark.parametrize("vary", [False, True])
def test_every_type_can_be_made(tf: Any, tmp_path: Path, vary: bool) -> None:
    """Elements have the type named, and are the same in each run."""
    found = look(Synthetic, tmp_path, components=EVERY, count=4, vary=vary)
    first, second = run(tf, found), run(tf, found)
    assert len(first) == 4
    assert all((first[2][name] == second[2][name]).all() for name in ("uint8", "float32", "signed"))
    assert not (first[1]["unit"] == first[2]["unit"]).all()


@pytest.mark.tf
def test_sizes_are_the_largest_unless_they_vary(tf: Any, tmp_path: Path) -> None:
    """Without `vary` an at-most size is the largest one; with it sizes differ."""
    components = {"a": "float32[<=50]", "b": "string[<=50]"}
    rows = run(tf, look(Synthetic, tmp_path, components=components, count=8))
    assert {(len(row["a"]), len(row["b"])) for row in rows} == {(50, 50)}
    varied = run(tf, look(Synthetic, tmp_path, components=components, count=8, vary=True))
    assert len({len(row["a"]) for row in varied}) > 1


@pytest.mark.tf
def test_it_may_never_end(tf: Any, tmp_path: Path) -> None:
    """`infinite` is an endless stream to the types and to TensorFlow."""
    from safedata.lowering import Lowering

    found = look(Synthetic, tmp_path, components={"a": "int64[]"}, count="infinite")
    stream = types(found)
    assert stream.cardinality.kind == "infinite"
    data = found.root.lower(Lowering(tf, stream, stream, 0))
    assert int(data.cardinality()) == tf.data.INFINITE_CARDINALITY


@pytest.mark.parametrize(
    ("component", "says"),
    [
        ("uint8", "needs its dimensions"),
        ("uint8[?]", "nothing bounds `a`"),
        ("string[<=\u0663]", "`\u0663` is not a size"),
        ({"type": "uint8[]", "range": [0, 256]}, "uint8 holds 0..255"),
        ({"type": "int32[]", "range": [0, 0.5]}, "whole ends"),
        ({"type": "string[3 B]", "range": [0, 1]}, "`range` is for numbers"),
    ],
)
def test_what_cannot_be_made_is_refused(tmp_path: Path, component: Any, says: str) -> None:
    """A type without a bound, or a range that does not fit it, is a fault at the component."""
    with pytest.raises(Fault, match=says) as caught:
        look(Synthetic, tmp_path, components={"a": component}, count=1)
    assert caught.value.at[:2] == ("components", "a")


@pytest.mark.parametrize(
    ("type_", "more", "beside"),
    [
        ("float32[1000]", "", 0),
        ("uint8[1000]", "", 1000),
        ("uint8[1024]", "", 0),
        ("uint8[<=1024]", "", 1024),
        ("int64[8]", "", 0),
        ("uint8[1000]", ", range: [0, 9]", 17_000),
        ("bool[1000]", "", 17_000),
        ("complex64[1000]", "", 8000),
    ],
)
def test_what_drawing_takes_beside_the_result(type_: str, more: str, beside: int) -> None:
    """One copy of what is not drawn in place, and 16 bytes for each value that is drawn as int64 first."""
    text = f"safedata: 1\nsource: {{synthetic: {{components: {{x: {{type: '{type_}'{more}}}}}, count: 3}}}}\n"
    [drawn] = [
        line.hold for line in safedata.check(text, host="8GiB").lines if "while it is" in line.hold.why
    ]
    assert drawn.bytes == beside
