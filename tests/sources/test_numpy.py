"""`numpy`: arrays in files."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safedata.problem import Fault
from safedata.sources.numpy.numpy import Numpy
from tests import reference
from tests.sources.records import Row, look, outcome, run, types

DTYPES = [
    "?",
    "u1",
    "i1",
    "<u2",
    ">u2",
    "<i2",
    ">i4",
    "<u4",
    ">u4",
    "<u8",
    ">u8",
    "<i8",
    ">i8",
    "<f2",
    ">f2",
    "<f4",
    ">f4",
    "<f8",
    ">f8",
    "<c8",
    ">c8",
    "<c16",
    ">c16",
]


def same(rows: list[Row], expected: list[Row]) -> bool:
    import numpy as np

    pairs = zip(rows, expected, strict=True)
    return all(np.array_equal(one[name], two[name]) for one, two in pairs for name in two)


@pytest.mark.tf
def test_it_reads_what_numpy_reads(tf: Any, specs: Path) -> None:
    """Rows are those of `numpy.load`, from files and from an archive."""
    data = specs / "data"
    files = {"image": "thumbnails_image.npy", "label": "thumbnails_label.npy"}
    assert same(
        run(tf, look(Numpy, data, **files)), reference.read_arrays(**{k: data / v for k, v in files.items()})
    )
    archive = "thumbnails_gray.npz"
    assert same(run(tf, look(Numpy, data, path=archive)), reference.read_npz(data / archive))


@pytest.mark.tf
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_is_read(tf: Any, tmp_path: Path, dtype: str) -> None:
    """Each dtype, in either byte order, comes out as NumPy has it, stored and compressed."""
    import numpy as np

    width = np.dtype(dtype).itemsize
    raw = np.random.default_rng(0).integers(0, 2 if dtype == "?" else 120, 30 * width, np.uint8)
    array = np.frombuffer(raw.tobytes(), dtype).reshape(5, 3, 2)
    np.save(tmp_path / "a.npy", array)
    np.savez_compressed(tmp_path / "c.npz", value=array)
    for path in ("a.npy", "c.npz"):
        assert same(run(tf, look(Numpy, tmp_path, path=path)), [{"value": row} for row in array])


@pytest.mark.tf
def test_text_loses_its_padding_only(tf: Any, tmp_path: Path) -> None:
    """Bytes and UCS-4 text become strings without the NULs that NumPy pads with."""
    import numpy as np

    np.save(tmp_path / "s.npy", np.array([[b"ab", b"c\xff\0d"], [b"", b"\xfe\xff"]]))
    np.save(tmp_path / "u.npy", np.array(["häl", "", "𝄞x"]).astype(">U3"))
    np.savez_compressed(tmp_path / "s.npz", value=np.load(tmp_path / "s.npy"))
    for path in ("s.npy", "s.npz"):
        rows = run(tf, look(Numpy, tmp_path, path=path))
        assert [row["value"].tolist() for row in rows] == [[b"ab", b"c\xff\0d"], [b"", b"\xfe\xff"]]
    rows = run(tf, look(Numpy, tmp_path, path="u.npy"))
    assert [row["value"].decode() for row in rows] == ["häl", "", "𝄞x"]


@pytest.mark.tf
def test_empty_rows_and_no_rows_are_rows(tf: Any, tmp_path: Path) -> None:
    """An array without bytes still has its number of rows."""
    import numpy as np

    np.save(tmp_path / "a.npy", np.zeros((4, 0, 2)))
    np.save(tmp_path / "b.npy", np.zeros((0, 3)))
    assert len(run(tf, look(Numpy, tmp_path, path="a.npy"))) == 4
    assert run(tf, look(Numpy, tmp_path, path="b.npy")) == []


def test_only_what_is_needed_is_read(specs: Path) -> None:
    """Components that nothing needs are not opened; one stays to count the rows."""
    root = look(Numpy, specs / "data", path="thumbnails_gray.npz").root
    from safedata.scope import Scope

    assert list(root.keep(frozenset({"image"})).infer(Scope("")).element) == ["image"]
    assert list(root.keep(frozenset()).infer(Scope("")).element) == ["label"]


def test_a_compressed_array_is_counted_whole(tmp_path: Path) -> None:
    """An array that has to be loaded is held in full."""
    import numpy as np

    from safedata.scope import Scope

    np.savez_compressed(tmp_path / "c.npz", a=np.zeros((1000, 1000)))
    found = look(Numpy, tmp_path, path="c.npz")
    holds = list(found.root.holds(types(found), Scope("")))
    assert max(hold.bytes or 0 for hold in holds) >= 8_000_000


def header(descr: str = "'<f8'", shape: str = "(3,)", order: str = "False") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (header(shape="(1000000000000000,)") + b"x" * 9, "is cut off"),
        (header(shape=f"({'9' * 60000},)"), "claims the shape"),
        (header() + b"x" * 23, "its header says 82 bytes|is cut off"),
        (header("'|O'"), "pickle|Python objects"),
        (header("[('a', '<f8')]"), "fields"),
        (header("'<M8[ns]'"), "dates"),
        (header("'<f16'"), "no type of TensorFlow"),
        (header(shape="()") + b"x" * 8, "single value"),
        (header(shape="(3, 2)", order="True") + b"x" * 48, "Fortran"),
        (header(shape="(-3,)"), "no .npy header"),
        (b"\x93NUMPY\1\0\xff\xff{...", "ends inside its header"),
        (b"", "is not a .npy array"),
        (b"GIF89a", "is not a .npy array"),
    ],
)
def test_a_bad_array_is_a_fault_with_its_file(tmp_path: Path, data: bytes, says: str) -> None:
    """What cannot be streamed is refused by its header alone, with the file named."""
    (tmp_path / "a.npy").write_bytes(data)
    with pytest.raises(Fault, match=says) as caught:
        look(Numpy, tmp_path, a="a.npy")
    assert "a.npy" in caught.value.message


def test_lengths_must_agree(tmp_path: Path) -> None:
    """Arrays of different lengths are not cut silently."""
    import numpy as np

    np.save(tmp_path / "a.npy", np.zeros(3))
    np.save(tmp_path / "b.npy", np.zeros(4))
    with pytest.raises(Fault, match="differ in length"):
        look(Numpy, tmp_path, a="a.npy", b="b.npy")


def test_a_bomb_is_weighed_not_opened(tmp_path: Path) -> None:
    """A compressed member that claims more than it has, or very much, allocates nothing in a check."""
    with zipfile.ZipFile(tmp_path / "b.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", header(shape="(100000000,)") + b"\0" * 1_000_000)
    with pytest.raises(Fault, match="not as long as its header says"):
        look(Numpy, tmp_path, path="b.npz")


def test_unknown_keys_have_near_names(specs: Path) -> None:
    """A key that the archive does not have is refused with the one that was meant."""
    with pytest.raises(Fault, match="no array `imag`") as caught:
        look(Numpy, specs / "data", path="thumbnails_gray.npz", keys=["imag"])
    assert caught.value.help == "did you mean `image`?"


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 400), st.booleans(), st.booleans())
def test_damage_is_a_fault_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes, at: int, packed: bool, cut: bool
) -> None:
    """Whatever stands in the file, a check gives types or a fault."""
    import io

    import numpy as np

    buffer = io.BytesIO()
    if packed:
        np.savez_compressed(buffer, a=np.arange(30))
    else:
        np.save(buffer, np.arange(30))
    data = buffer.getvalue()
    data = data[:at] + junk + (b"" if cut else data[at + len(junk) :])
    path = tmp_path_factory.mktemp("n") / "a.npy"
    path.write_bytes(data)
    code = outcome(lambda: types(look(Numpy, path.parent, path="a.npy")))
    assert code in {None, "SD201", "SD202", "SD203", "SD403", "SD404", "SD105"}
