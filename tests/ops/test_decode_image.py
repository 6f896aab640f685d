"""`decode_image` and what it shares with `decode_jpeg`."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from safedata.headers import joined, parse_header
from safedata.memory import MIB, add
from safedata.types import Dim, Encoded, Tensor
from tests.ops.conformance import encode, fault, parse, run, traced

FILE = Tensor("string", length=Dim.at_most(100_000))
BOUNDED = "decode_image: {channels: %d, max_size: [64, 64]}"


def of_kind(kind: str, **how: Any) -> bytes:
    """Return a file of a kind such as `RGB-JPEG`."""
    mode, _, form = kind.partition("-")
    return encode(mode, form, **how)


def known(height: Dim, width: Dim, *formats: str) -> Tensor:
    return replace(FILE, encoded=Encoded(height, width, frozenset(formats)))


def test_bounds() -> None:
    """Sizes are the tighter of headers and `max_size`; sampled headers give way to any `max_size`."""
    exact = known(Dim.exactly(40, "measured"), Dim.at_most(30, "measured"), "jpeg")
    assert parse("decode_image").infer(exact).shape[:2] == exact_dims(exact)
    limited = parse("decode_image: {max_size: [64, 20]}").infer(exact)
    assert limited.shape[:2] == (Dim.exactly(40, "measured"), Dim.at_most(20, "declared"))
    sampled = known(Dim.at_most(40, "sampled"), Dim.at_most(30, "sampled"), "jpeg")
    assert parse("decode_image").infer(sampled).evidence == "sampled"
    assert str(parse(BOUNDED % 3).infer(sampled)) == "uint8[<=64, <=64, 3]"
    assert parse(BOUNDED % 3).infer(sampled).evidence == "declared"


def exact_dims(x: Tensor) -> tuple[Dim, Dim]:
    assert x.encoded
    return x.encoded.height, x.encoded.width


def test_unbounded() -> None:
    """Without headers and `max_size` there is no bound, and the help names the field."""
    found = fault("decode_image", FILE)
    assert found.code == "SD204"
    assert "max_size: [" in (found.help or "")


def test_too_small_max_size() -> None:
    """A `max_size` that every image is known to exceed is an error with the size that is needed."""
    found = fault(BOUNDED % 3, known(Dim.exactly(65), Dim.exactly(10), "png"))
    assert found.code == "SD203"
    assert found.help == "write `max_size: [65, 10]`"


@pytest.mark.parametrize(
    ("channels", "form"), [(1, "gif"), (1, "bmp"), (1, "webp"), (4, "jpeg"), (4, "gif"), (3, "tiff")]
)
def test_refused_formats(channels: int, form: str) -> None:
    """A number of channels that a known format cannot give is an error before the run."""
    found = fault(BOUNDED % channels, known(Dim.exactly(9), Dim.exactly(9), form, "png"))
    assert found.code == "SD203"
    assert form in found.message


FILES: list[tuple[str, int, dict[str, Any]]] = [
    *((f"{mode}-JPEG", channels, {}) for mode in ("RGB", "L") for channels in (1, 3)),
    ("CMYK-JPEG", 3, {}),
    ("RGB-JPEG", 3, {"progressive": True}),
    *(
        (f"{mode}-PNG", channels, {})
        for mode in ("1", "L", "LA", "P", "RGB", "RGBA")
        for channels in (1, 3, 4)
    ),
    *((f"{mode}-BMP", channels, {}) for mode in ("L", "RGB", "RGBA") for channels in (3, 4)),
    ("P-GIF", 3, {}),
    ("RGB-WEBP", 3, {}),
    ("RGB-WEBP", 3, {"lossless": True}),
]


@pytest.mark.tf
@pytest.mark.parametrize(("kind", "channels", "how"), FILES, ids=str)
def test_formats(tf: Any, kind: str, channels: int, how: dict[str, Any]) -> None:
    """Every format gives TensorFlow's own pixels in the number of channels of the type."""
    import numpy as np

    file = of_kind(kind, **how)
    expected = tf.io.decode_image(file, channels=channels, expand_animations=False).numpy()
    assert expected.shape == (40, 30, channels)
    np.testing.assert_array_equal(run(tf, BOUNDED % channels, FILE, file), expected)


@pytest.mark.tf
@pytest.mark.parametrize("name", ["cat/cat_01", "ground/ground_01", "rocket/rocket_04"])
@pytest.mark.parametrize("op", ["decode_image", "decode_jpeg"])
def test_photos(tf: Any, specs: Path, name: str, op: str) -> None:
    """A JPEG photo is decoded to exactly what `tf.io.decode_jpeg` makes of it, gray ones included."""
    import numpy as np

    file = (specs / "data/photos" / f"{name}.jpg").read_bytes()
    made = run(tf, f"{op}: {{channels: 3, max_size: [400, 400]}}", FILE, file)
    np.testing.assert_array_equal(made, tf.io.decode_jpeg(file, channels=3).numpy())


def animation(frames: int, **how: Any) -> bytes:
    """Return a GIF of frames that differ, the first of which is that of `encode("P", "GIF", **how)`."""
    from PIL import Image

    first, *others = [Image.open(io.BytesIO(encode("RGB", "PNG", seed=seed))) for seed in range(frames)]
    out = io.BytesIO()
    first.save(out, "GIF", save_all=True, append_images=others, **how)
    return out.getvalue()


@pytest.mark.tf
@pytest.mark.parametrize("how", [{}, {"loop": 0, "duration": 50}, {"comment": b"a comment" * 99}], ids=str)
def test_animation(tf: Any, how: dict[str, Any]) -> None:
    """Of an animated GIF the first frame is decoded, and the decoder is handed no other."""
    import numpy as np

    from safedata.ops.image._sizes import first_frame

    file = animation(9, **how)
    expected = tf.io.decode_image(file, channels=3, expand_animations=False).numpy()
    np.testing.assert_array_equal(run(tf, BOUNDED % 3, FILE, file), expected)
    cut, size = (one.numpy() for one in tf.function(lambda x: first_frame(tf, x))(tf.constant(file)))
    assert tuple(size) == (40, 30)
    assert len(cut) < len(file) / 4
    assert tf.io.decode_gif(cut).shape[0] == 1


@pytest.mark.tf
@pytest.mark.parametrize("kind", ["RGB-JPEG", "RGB-PNG", "P-GIF", "RGB-BMP", "RGB-WEBP"])
def test_trailing_bytes(tf: Any, kind: str) -> None:
    """What follows the end of a file does no harm."""
    import numpy as np

    file = of_kind(kind)
    np.testing.assert_array_equal(
        run(tf, BOUNDED % 3, FILE, file + b"\0\0more"), run(tf, BOUNDED % 3, FILE, file)
    )


@pytest.mark.tf
@pytest.mark.parametrize("kind", ["RGB-JPEG", "RGB-PNG", "P-GIF", "RGB-BMP", "RGB-WEBP"])
def test_damage(tf: Any, kind: str) -> None:
    """A file that was cut off is an error with its name; so is one that is no image, or empty."""
    decode = traced(tf, parse(BOUNDED % 3), FILE)
    file = of_kind(kind)
    for bad in (file[: len(file) // 2], file[:2], b"no image at all", b""):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"SD404: cannot decode.* in\] \[42\]"):
            decode(tf.constant(bad), tf.constant(42, tf.int64), tf.constant(0, tf.int64))


@pytest.mark.tf
def test_larger_than_its_type(tf: Any) -> None:
    """An image over `max_size` is an error with the size and the name."""
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"SD501: .*dimensions must be .*<=39.*\[40 .*\[7\]"
    ):
        run(tf, "decode_image: {max_size: [39, 30]}", FILE, encode("RGB", "PNG"), index=7)


LARGE: list[tuple[str, dict[str, Any]]] = [
    ("RGB-JPEG", {}),
    ("RGB-JPEG", {"progressive": True}),
    ("RGB-PNG", {}),
    ("P-GIF", {}),
    ("RGB-BMP", {}),
    ("RGB-WEBP", {}),
    ("RGB-WEBP", {"lossless": True}),
    ("RGBA-WEBP", {}),
]


@pytest.mark.tf
@pytest.mark.parametrize("end", [b"", b"more"])
@pytest.mark.parametrize(("kind", "how"), LARGE, ids=str)
def test_too_large_before_it_is_decoded(tf: Any, kind: str, how: dict[str, Any], end: bytes) -> None:
    """In every format the header alone is enough to refuse an image over `max_size`, by one row or column too."""
    file = of_kind(kind, **how)
    blank = bytearray(file + end)
    blank[len(file) - 40 : len(file) - 2] = bytes(38)
    for size in ("[39, 30]", "[40, 29]"):
        decode = traced(tf, parse(f"decode_image: {{max_size: {size}}}"), FILE)
        with pytest.raises(
            tf.errors.InvalidArgumentError, match=r"SD501: .*dimensions must be .*header says\] \[40 30\]"
        ):
            decode(tf.constant(bytes(blank)), tf.constant(42, tf.int64), tf.constant(0, tf.int64))


@pytest.mark.tf
def test_changed_since_the_check(tf: Any) -> None:
    """A whole file that replaced one of another size is refused: larger, or other than all are."""
    facts = Encoded(Dim.exactly(40, "measured"), Dim.at_most(30, "measured"), frozenset({"jpeg"}), whole=True)
    op = parse("decode_jpeg")
    decode = traced(tf, op, replace(FILE, encoded=facts))
    fine = decode(
        tf.constant(encode("RGB", "JPEG", (40, 29))), tf.constant(1, tf.int64), tf.constant(0, tf.int64)
    )
    assert fine.shape == (40, 29, 3)
    for height, width in ((40, 31), (39, 30), (41, 30)):
        file = tf.constant(encode("RGB", "JPEG", (height, width)))
        with pytest.raises(
            tf.errors.InvalidArgumentError, match=rf"SD501: .*\[40, <=30, 3\].*\[{height} {width} 3\].*\[5\]"
        ):
            decode(file, tf.constant(5, tf.int64), tf.constant(0, tf.int64))


@pytest.mark.tf
@pytest.mark.parametrize("whole", [True, False])
def test_known_formats(tf: Any, whole: bool) -> None:
    """Where headers said which formats there are, files of each are decoded, and others where one has changed."""
    import numpy as np

    dims = Dim.at_most(40, "measured")
    for formats in (["png"], ["jpeg", "png"], ["gif"]):
        x = replace(FILE, encoded=Encoded(dims, dims, frozenset(formats), whole=whole and formats != ["gif"]))
        for form in {*formats, *([] if x.encoded and x.encoded.whole else ["jpeg", "png"])}:
            file = encode("P" if form == "gif" else "RGB", form.upper())
            expected = tf.io.decode_image(file, channels=3, expand_animations=False).numpy()
            np.testing.assert_array_equal(run(tf, "decode_image", x, file), expected)


CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("RGB", "JPEG", {"progressive": True, "subsampling": 0}),
    ("RGB", "JPEG", {"progressive": True}),
    ("CMYK", "JPEG", {"progressive": True}),
    ("RGB", "JPEG", {}),
    ("RGB", "PNG", {}),
    ("RGB", "WEBP", {"lossless": True, "method": 0}),
    ("RGB", "BMP", {}),
    ("P", "GIF", {}),
]


@pytest.mark.tf
@pytest.mark.slow
@pytest.mark.parametrize(("mode", "form", "how"), CASES, ids=str)
def test_workspace(peak: Any, mode: str, form: str, how: dict[str, Any]) -> None:
    """Decoding 2000 x 2000 pixels takes no more memory than workspace and result; a JPEG not much less either."""
    file = encode(mode, form, (2000, 2000), **how)
    x = replace(FILE, length=Dim.exactly(len(file)), encoded=joined([parse_header(file)], "measured"))
    grown = peak("decode_image", x, [encode(mode, form, **how), file])
    op = parse("decode_image")
    bound = op.workspace(x, op.infer(x))
    assert bound is not None
    assert grown <= bound + 2000 * 2000 * 3
    if form == "JPEG":
        assert bound <= grown - 2000 * 2000 * 3 + 4 * MIB


SIZES = [(1, 1), (2, 3), (7, 8), (8, 9), (15, 17), (40, 30), (63, 64)]


@pytest.mark.tf
@pytest.mark.parametrize("ratio", [1, 2, 4, 8])
@pytest.mark.parametrize("size", SIZES)
def test_a_part_of_the_size_is_tensorflows(tf: Any, size: tuple[int, int], ratio: int) -> None:
    """With `ratio` pixels are those of `tf.io.decode_jpeg`, and the type has their size, exact where the file's is."""
    import numpy as np

    file = encode("RGB", "JPEG", size)
    expected = tf.io.decode_jpeg(file, channels=3, ratio=ratio).numpy()
    text = f"decode_jpeg: {{max_size: [64, 64], ratio: {ratio}}}"
    np.testing.assert_array_equal(run(tf, text, FILE, file), expected)
    assert [dim.most for dim in parse(text).infer(FILE).shape[:2]] == [64 // ratio, 64 // ratio]
    exact = known(Dim.exactly(size[0], "measured"), Dim.exactly(size[1], "measured"), "jpeg")
    for op in ("decode_jpeg", "decode_image"):
        text = f"{op}: {{ratio: {ratio}}}"
        assert parse(text).infer(exact).static_shape == expected.shape
        np.testing.assert_array_equal(run(tf, text, exact, file), expected)


@pytest.mark.tf
@pytest.mark.parametrize("whole", [False, True])
def test_a_part_of_the_size_is_held_to_the_files(tf: Any, whole: bool) -> None:
    """`max_size` and measured sizes are those of the file: a larger one is refused, whatever comes out."""
    x = replace(
        FILE,
        encoded=Encoded(Dim.at_most(32, "measured"), Dim.at_most(32, "measured"), frozenset({"jpeg"}), whole),
    )
    function = traced(tf, parse("decode_jpeg: {ratio: 8}"), x)
    key = tf.constant(0, tf.int64)
    assert function(tf.constant(encode("RGB", "JPEG", (32, 20))), key, key).shape == (4, 3, 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"SD501.*must be \[<=32, <=32, 3\]"):
        function(tf.constant(encode("RGB", "JPEG", (33, 20))), key, key)


@pytest.mark.tf
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_are_tensorflows(tf: Any, channels: int) -> None:
    """`dtype: uint16` gives what `tf.io.decode_png` does, of files of 16 bits and of 8, within the type's range."""
    import numpy as np

    wide = np.random.default_rng(0).integers(0, 65536, (40, 30, channels), "uint16")
    narrow = (wide >> 8).astype("uint8")
    text = f"decode_image: {{channels: {channels}, max_size: [64, 64], dtype: uint16}}"
    made = run(tf, text, FILE, tf.io.encode_png(wide).numpy())
    np.testing.assert_array_equal(made, wide)
    np.testing.assert_array_equal(
        run(tf, text, FILE, tf.io.encode_png(narrow).numpy()), narrow.astype("uint16") * 257
    )
    y = parse(text).infer(FILE)
    assert (str(y), str(y.range)) == (f"uint16[<=64, <=64, {channels}]", "0..65535")
    with pytest.raises(tf.errors.InvalidArgumentError, match="SD404: cannot decode: not png data"):
        run(tf, text, FILE, encode("RGB", "JPEG"))


@pytest.mark.tf
@pytest.mark.slow
@pytest.mark.parametrize(
    "text", ["decode_jpeg: {ratio: 4}", "decode_jpeg: {ratio: 8}", "decode_image: {dtype: uint16}"]
)
@pytest.mark.parametrize("progressive", [False, True])
def test_workspace_of_other_results(tf: Any, peak: Any, text: str, progressive: bool) -> None:
    """A part of the size, and 16 bits, take no more memory than workspace and result."""
    import numpy as np

    def file(side: int) -> bytes:
        if "jpeg" in text:
            return encode("RGB", "JPEG", (side, side), progressive=progressive)
        noise = np.random.default_rng(0).integers(0, 65536, (side, side, 3), "uint16")
        written: bytes = tf.io.encode_png(noise).numpy()
        return written

    large = file(2000)
    x = replace(FILE, length=Dim.exactly(len(large)), encoded=joined([parse_header(large)], "measured"))
    op = parse(text)
    bound = add(op.workspace(x, op.infer(x)), op.infer(x).bytes)
    assert bound is not None
    assert peak(text, x, [file(40), large]) <= bound


def test_a_mask_of_sixteen_bits() -> None:
    """Class numbers above 255 are a mask too."""
    y = parse("decode_image: {channels: 1, max_size: [9, 9], dtype: uint16, kind: mask}").infer(FILE)
    assert (y.dtype, y.kind, y.color) == ("uint16", "mask", None)


@pytest.mark.parametrize(
    ("fields", "formats", "message", "way_out"),
    [
        ("{ratio: 2}", ("jpeg", "png"), "some here are png", "leave `ratio` out"),
        ("{ratio: 2}", (), "nobody says that all here are", "write `decode_jpeg`, which takes no others"),
        ("{dtype: uint16}", ("jpeg", "png"), "is for PNG files, and some here are jpeg", "leave `dtype` out"),
    ],
)
def test_formats_that_cannot_give_it(
    fields: str, formats: tuple[str, ...], message: str, way_out: str
) -> None:
    """A part of the size is for JPEG, 16 bits are for PNG, and what is known of the files says whether that fits."""
    found = fault(f"decode_image: {fields}", known(Dim.exactly(9), Dim.exactly(9), *formats))
    assert (found.code, found.help) == ("SD203", way_out)
    assert message in found.message


def test_ratio_and_sixteen_bits_exclude_each_other() -> None:
    """No file is both."""
    with pytest.raises(Exception, match="`ratio` is for JPEG files, and `dtype: uint16` for PNG files"):
        parse("decode_image: {ratio: 2, dtype: uint16}")
