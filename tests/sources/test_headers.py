"""What image headers say, held against the decoders."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from safedata.headers import Header, HeaderError, inspect_images, parse_header, read_header
from safedata.types import IMAGE_ENDS, Dim, Encoded


def encode(kind: str, size: tuple[int, int] = (37, 23), mode: str = "RGB", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise(size, 50).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def small_frame() -> bytes:
    """A GIF whose canvas is larger than its frame."""
    gif = bytearray(encode("GIF", mode="P"))
    gif[6:10] = b"\x32\0\x3c\0"
    return bytes(gif)


def padded() -> bytes:
    """A JPEG with fill bytes before a marker."""
    jpeg = encode("JPEG")
    return jpeg[:2] + b"\xff\xff\xff" + jpeg[3:]


IMAGES = {
    "jpeg": encode("JPEG"),
    "jpeg progressive": encode("JPEG", progressive=True),
    "jpeg gray": encode("JPEG", mode="L"),
    "jpeg cmyk": encode("JPEG", mode="CMYK"),
    "jpeg metadata": encode(
        "JPEG", exif=b"Exif\0\0" + b"x" * 60000, icc_profile=b"a" * 200000, comment=b"c" * 999
    ),
    "jpeg padded": padded(),
    "png": encode("PNG"),
    "png 1 bit": encode("PNG", mode="1"),
    "gif": encode("GIF", mode="P"),
    "bmp": encode("BMP"),
    "webp": encode("WEBP"),
    "webp lossless": encode("WEBP", lossless=True),
    "webp alpha": encode("WEBP", mode="RGBA"),
    "webp extended": encode("WEBP", icc_profile=b"a" * 100),
}


@pytest.mark.tf
@pytest.mark.parametrize("name", IMAGES)
def test_decoders_give_the_size_of_the_header(tf: Any, name: str) -> None:
    """TensorFlow decodes an image to the size that its header was read to say."""
    data = IMAGES[name]
    found = parse_header(data)
    kind = name.split()[0]
    kept = 3 * 2 * 6 * 128 if name == "jpeg progressive" else 0  # six blocks for 16 x 16 pixels
    assert found == Header(kind, 23, 37, kind in IMAGE_ENDS, kept)
    decoded = tf.io.decode_image(data, expand_animations=False)
    assert tuple(decoded.shape[:2]) == (found.height, found.width)


@pytest.mark.tf
def test_gif_canvas_is_no_exact_size(tf: Any, tmp_path: Path) -> None:
    """A GIF's canvas bounds its frames, so sizes of GIFs are never exact."""
    (tmp_path / "a.gif").write_bytes(small_frame())
    encoded = inspect_images([str(tmp_path / "a.gif")]).encoded
    height, width = Dim(60, False, "measured"), Dim(50, False, "measured")
    assert encoded == Encoded(height, width, frozenset({"gif"}), coefficients=0)
    assert tuple(tf.io.decode_image(small_frame(), expand_animations=False).shape[:2]) == (23, 37)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it is empty"),
        (b"hello", "does not start like"),
        (encode("TIFF"), "TIFF, which TensorFlow does not decode"),
        (encode("JPEG")[:8], "does not start like|damaged"),
        (b"\xff\xd8\xff" + b"\xff" * 600, "does not start like|damaged"),
        (encode("PNG")[:20], "does not start like|damaged"),
        (b"GIF89a" + bytes(30), "does not start like|damaged"),
        (b"BM" + bytes(12) + b"\x0c" + bytes(30), "OS/2 bitmap"),
        (b"RIFF\0\0\0\0WEBPabcd" + bytes(30), "does not start like|damaged"),
    ],
)
def test_damaged_headers_say_why(tmp_path: Path, data: bytes, why: str) -> None:
    """What is no image is told apart, with a reason."""
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(HeaderError, match=why):
        read_header(str(tmp_path / "a"))


def test_an_image_over_pillows_limit_is_read(tmp_path: Path) -> None:
    """A header of any size is read without a warning, and Pillow's limit is left as it was."""
    png = bytearray(encode("PNG"))
    png[16:24] = (60_000).to_bytes(4, "big") * 2
    import zlib

    png[29:33] = zlib.crc32(png[12:29]).to_bytes(4, "big")
    limit = Image.MAX_IMAGE_PIXELS
    assert parse_header(bytes(png)) == Header("png", 60_000, 60_000, whole=True)
    assert limit == Image.MAX_IMAGE_PIXELS


def images(folder: Path, *sizes: tuple[int, int]) -> list[str]:
    for number, size in enumerate(sizes):
        (folder / f"{number}.png").write_bytes(encode("PNG", size))
    return [str(folder / f"{number}.png") for number in range(len(sizes))]


def test_equal_sizes_are_exact_and_measured(tmp_path: Path) -> None:
    """A dimension is exact where all headers agree on it, at most the largest elsewhere."""
    encoded = inspect_images(images(tmp_path, (5, 7), (5, 9), (5, 8))).encoded
    assert encoded == Encoded(
        Dim(9, False, "measured"), Dim(5, True, "measured"), frozenset({"png"}), whole=True, coefficients=0
    )


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_file_that_is_cut_off_is_not_whole(tmp_path: Path, kind: str) -> None:
    """A JPEG or PNG without its end has a header, is not whole, and neither are the files it is among."""
    data = encode(kind)
    (tmp_path / "a").write_bytes(data)
    (tmp_path / "b").write_bytes(data[:-20])
    whole, cut = (read_header(str(tmp_path / name)) for name in "ab")
    assert (whole.whole, cut.whole) == (True, False)
    assert (cut.format, cut.height, cut.width) == (whole.format, 23, 37)
    assert inspect_images([str(tmp_path / "a")]).encoded.whole
    assert not inspect_images([str(tmp_path / "a"), str(tmp_path / "b")]).encoded.whole


def test_a_sample_does_not_say_that_all_are_whole(tmp_path: Path) -> None:
    """Where files were left unopened, one of them may be cut off."""
    paths = images(tmp_path, (5, 7), (5, 7), (5, 7))
    assert inspect_images(paths).encoded.whole
    assert not inspect_images(paths, most=2).encoded.whole


@pytest.mark.parametrize(
    ("mode", "how", "blocks"),
    [
        ("RGB", {"subsampling": 0}, 5 * 3 * 3),
        ("RGB", {"subsampling": 1}, 3 * 3 * 4),
        ("RGB", {"subsampling": 2}, 3 * 2 * 6),
        ("L", {}, 5 * 3),
        ("CMYK", {}, 5 * 3 * 4),
    ],
    ids=str,
)
def test_a_progressive_file_keeps_the_coefficients_of_all_blocks(
    mode: str, how: dict[str, Any], blocks: int
) -> None:
    """37 x 23 pixels are whole units of the scan, 128 bytes a block; a baseline file keeps none of them."""
    progressive = parse_header(encode("JPEG", mode=mode, progressive=True, **how))
    assert progressive.coefficients == blocks * 128
    assert parse_header(encode("JPEG", mode=mode, **how)).coefficients == 0


def test_a_scan_for_each_component_keeps_coefficients_too() -> None:
    """libjpeg waits for all scans of a file that has several, be it baseline."""
    jpeg = bytearray(encode("JPEG", subsampling=0))
    at = jpeg.index(b"\xff\xda")
    jpeg[at : at + 14] = b"\xff\xda\0\x08\x01\x01\0\0\x3f\0"
    assert parse_header(bytes(jpeg)).coefficients == 5 * 3 * 3 * 128


@pytest.mark.parametrize("cut", [b"\xff\xda", b"\xff\xc4"], ids=["no scan", "tables alone"])
def test_a_layout_that_cannot_be_read_is_unknown(cut: bytes) -> None:
    """Without a scan nobody knows what decoding keeps, and unknown is not 0."""
    from safedata import headers

    jpeg = encode("JPEG", progressive=True)
    read = headers._coefficients
    assert read(io.BytesIO(jpeg[: jpeg.index(cut)])) is None
    assert read(io.BytesIO(jpeg[:2] + b"\0\0" + jpeg[2:])) is None


def test_the_costliest_of_many_counts(tmp_path: Path) -> None:
    """Files are held to the largest coefficients among them, unknown where some were left unopened."""
    for name in "abc":
        (tmp_path / name).write_bytes(encode("JPEG", progressive=name == "b"))
    paths = [str(tmp_path / name) for name in "abc"]
    assert inspect_images(paths).encoded.coefficients == 3 * 2 * 6 * 128
    assert inspect_images(paths, most=2).encoded.coefficients is None


def test_sampled_sizes_are_never_exact(tmp_path: Path) -> None:
    """Where headers are left out sizes are an estimate; the first and the last file are always read."""
    found = inspect_images(images(tmp_path, (5, 7), (50, 70), (5, 7)), most=2)
    assert (found.read, found.count, found.sampled) == (2, 3, True)
    assert found.encoded == Encoded(Dim(7, False, "sampled"), Dim(5, False, "sampled"), frozenset({"png"}))


def test_damaged_files_are_collected(tmp_path: Path) -> None:
    """A damaged file does not stop the others from being read."""
    paths = images(tmp_path, (5, 7), (5, 7))
    Path(paths[0]).write_bytes(b"nothing")
    found = inspect_images(paths)
    assert found.images == 1
    assert [path for path, _ in found.damaged] == paths[:1]
    assert found.encoded.height == Dim(7, True, "measured")


def test_no_image_has_no_size(tmp_path: Path) -> None:
    """Without one image nothing bounds the decoded size."""
    (tmp_path / "a").write_bytes(b"")
    assert inspect_images([str(tmp_path / "a")]).encoded == Encoded()
