"""Compare values of image files with the arrays that they were made from."""

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from dshub.catalog.features import ImageFeature, MaskFeature
from dshub.errors import ReadError, SchemaError
from dshub.loading.decoding.pixels import DEFAULT, Decoding, decode_image
from dshub.loading.decoding.values import dtype_of
from tests.loading.decoding.examples import FILES, encode

DEPTHS = (np.arange(48, dtype=np.uint16) * 1_333).reshape(6, 8)
CLASSES = np.array([[0, 1, 2], [255, 7, 15]], np.uint8)
COLORS = np.random.default_rng(0).integers(0, 1 << 16, (5, 7, 3), np.uint16)


def decoded(data: bytes, feature: ImageFeature | MaskFeature) -> np.ndarray:
    return decode_image(data, feature, DEFAULT, lambda: "row 7")


def image(dtype: Any, shape: Sequence[int] = (), encoding: Any = "any") -> ImageFeature:
    return ImageFeature(dtype=dtype, encoding=encoding, shape=tuple(shape))


def mask(dtype: Any = "uint8", shape: Sequence[int] = ()) -> MaskFeature:
    return MaskFeature(dtype=dtype, encoding="any", shape=tuple(shape))


def voc(values: np.ndarray = CLASSES, **options: Any) -> bytes:
    """Return a palette PNG, as in Pascal VOC."""
    palette = Image.fromarray(values, "P")
    palette.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0] + [0] * 756 + [224, 224, 192])
    return encode(palette, "PNG", **options)


def deep_png(pixels: np.ndarray, kind: int) -> bytes:
    """Write a PNG of 16 bits per sample; Pillow cannot (ISO/IEC 15948)."""
    height, width = pixels.shape[:2]
    lines = pixels.reshape(height, -1).astype(">u2").tobytes()
    size = len(lines) // height
    filtered = b"".join(b"\0" + lines[i * size : (i + 1) * size] for i in range(height))

    def chunk(name: bytes, body: bytes) -> bytes:
        checked = name + body
        return struct.pack(">I", len(body)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(filtered)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def deep_tiff(pixels: np.ndarray, order: str) -> bytes:
    """Write an uncompressed TIFF of 16-bit colors (TIFF 6.0)."""
    data = pixels.astype(f"{order}u2").tobytes()
    height, width = pixels.shape[:2]
    tags = {256: width, 257: height, 258: 0, 259: 1, 262: 2, 273: 8, 277: 3, 278: height}
    tags |= {279: len(data), 284: 1}
    bits = 8 + len(data)
    directory = struct.pack(f"{order}H", len(tags))
    for tag, value in sorted(tags.items()):
        count, number = (3, bits) if tag == 258 else (1, value)
        kind = 3 if tag == 258 else 4
        directory += struct.pack(f"{order}HHII", tag, kind, count, number)
    start = struct.pack(f"{order}HI", 42, bits + 6)
    start = (b"II" if order == "<" else b"MM") + start
    return start + data + struct.pack(f"{order}HHH", 16, 16, 16) + directory + bytes(4)


@pytest.mark.parametrize("form", ["PNG", "TIFF", "JPEG2000", "PPM"])
def test_16_bit_gray_keeps_its_values(form: str) -> None:
    data = encode(Image.fromarray(DEPTHS), form)
    assert np.array_equal(decoded(data, image("uint16"))[..., 0], DEPTHS)
    assert decoded(data, image("uint16", (6, 8, 1))).dtype == np.uint16
    colors = decoded(data, image("uint16", (6, 8, 3)))
    assert np.array_equal(colors, np.dstack([DEPTHS] * 3))
    assert np.array_equal(decoded(data, image("float32"))[..., 0], DEPTHS.astype(np.float32))
    assert np.array_equal(decoded(data, mask("uint16")), DEPTHS)
    assert np.array_equal(decoded(data, image("uint8", (6, 8, 1)))[..., 0], DEPTHS >> 8)


def test_floats_and_32_bits_keep_their_values() -> None:
    floats = np.array([[-1.5, np.nan], [1e30, 0.1]], np.float32)
    got = decoded(encode(Image.fromarray(floats), "TIFF"), image("float32"))
    assert np.array_equal(got[..., 0], floats, equal_nan=True)
    integers = np.array([[-70_000, 5], [2**31 - 1, 0]], np.int32)
    got = decoded(encode(Image.fromarray(integers), "TIFF"), image("int32"))
    assert np.array_equal(got[..., 0], integers)


@pytest.mark.parametrize("kind", [2, 6])
def test_16_bit_colors_of_png_keep_their_values(kind: int) -> None:
    alpha = COLORS[..., :1] if kind == 6 else COLORS[..., :0]
    data = deep_png(np.concatenate([COLORS, alpha], 2), kind)
    assert np.array_equal(decoded(data, image("uint16", (5, 7, 3))), COLORS)
    reversed_ = decode_image(data, image("uint16"), Decoding(order="bgr"), str)
    assert np.array_equal(reversed_, COLORS[..., ::-1])
    assert np.array_equal(decoded(data, image("uint8")), COLORS >> 8)
    with pytest.raises(ReadError, match=r"row 7: .* colors of 16 bits instead of gray"):
        decoded(data, image("uint16", (5, 7, 1)))


def test_16_bit_gray_with_transparency_keeps_its_values() -> None:
    data = deep_png(COLORS[..., :2], 4)
    assert np.array_equal(decoded(data, image("uint16")), COLORS[..., :1])
    assert np.array_equal(decoded(data, image("uint8", (5, 7, 1))), COLORS[..., :1] >> 8)
    with pytest.raises(ReadError, match=r"missing|truncated"):
        decoded(data[:90], image("uint16"))


@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bit_colors_of_tiff_and_netpbm_keep_their_values(order: str) -> None:
    assert np.array_equal(decoded(deep_tiff(COLORS, order), image("uint16")), COLORS)
    netpbm = b"P6 7 5 65535\n" + COLORS.astype(">u2").tobytes()
    assert np.array_equal(decoded(netpbm, image("uint16")), COLORS)


def test_8_bit_files_fit_in_wider_types() -> None:
    for name in ("png", "jpeg cmyk", "gif", "png alpha"):
        wide = decoded(FILES[name], image("uint16"))
        assert np.array_equal(wide, decoded(FILES[name], image("uint8")))
    assert decoded(FILES["png gray"], image("float32")).shape[2] == 1


def test_16_bits_per_pixel_are_not_16_bits_per_channel() -> None:
    """A BMP can have 5 or 6 bits per channel (biBitCount 16 of BITMAPINFOHEADER)."""
    header = struct.pack("<2sIHHI", b"BM", 58, 0, 0, 54)
    header += struct.pack("<IiiHHIIiiII", 40, 1, 1, 1, 16, 0, 4, 0, 0, 0, 0)
    data = header + struct.pack("<HH", 0x7FFF, 0)  # white of 5 bits per channel
    assert np.array_equal(decoded(data, image("uint16")), [[[255, 255, 255]]])
    with Image.open(io.BytesIO(data)) as opened:
        assert dtype_of(opened) == "uint8"


def test_values_that_do_not_fit_are_refused_with_the_type_to_use() -> None:
    data = encode(Image.fromarray(DEPTHS), "PNG")
    with pytest.raises(SchemaError, match=r'row 7.*from 0 to 62651.*\n.*dtype = "uint16"'):
        decoded(data, mask("uint8"))
    floats = encode(Image.fromarray(np.array([[0.5, np.nan]], np.float32)), "TIFF")
    with pytest.raises(SchemaError, match='dtype = "float32"'):
        decoded(floats, image("uint16"))
    small = encode(Image.fromarray(CLASSES.astype(np.uint16)), "PNG")
    assert decoded(small, mask("uint8")).dtype == np.uint8


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palette_masks_are_indices(bits: int) -> None:
    values = CLASSES & np.uint8((1 << bits) - 1)
    got = decoded(voc(values, bits=bits), mask())
    assert got.dtype == np.uint8
    assert np.array_equal(got, values)
    assert np.array_equal(decoded(voc(values, bits=bits), mask("int32", (2, 3))), values)


@pytest.mark.parametrize("form", ["PNG", "GIF", "TIFF", "BMP"])
def test_masks_of_other_formats_are_indices_too(form: str) -> None:
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)  # programs leave out unused colors
    palette = Image.open(io.BytesIO(voc(values)))
    assert np.array_equal(decoded(encode(palette, form), mask()), values)
    gray = encode(Image.fromarray(values), form)
    assert np.array_equal(decoded(gray, mask()), values)
    if form in {"PNG", "GIF"}:
        assert np.array_equal(decoded(encode(palette, form, transparency=0), mask()), values)


def test_masks_of_one_bit_are_0_and_1() -> None:
    bits = CLASSES > 1
    for form in ("PNG", "TIFF", "BMP", "PPM"):
        got = decoded(encode(Image.fromarray(bits), form), mask())
        assert np.array_equal(got, bits.astype(np.uint8)), form
        assert got.dtype == np.uint8


@pytest.mark.parametrize(
    "data",
    [
        b"P5 3 2 20\n" + bytes([0, 1, 2, 20, 7, 15]),
        b"P2\n3 2\n20\n0 1 2 # comment\n20 7 15\n",
        b"P5 3 2 4000\n" + np.array([0, 1, 2, 20, 7, 15], ">u2").tobytes(),
        b"P2 3 2 4000 0 1 2 20 7 15",
    ],
)
def test_netpbm_values_are_not_scaled(data: bytes) -> None:
    values = np.array([[0, 1, 2], [20, 7, 15]])
    assert np.array_equal(decoded(data, mask("uint16")), values)
    assert np.array_equal(decoded(data, image("uint16"))[..., 0], values)
    with pytest.raises(ReadError, match="cannot be decoded"):
        decoded(data[:-4], mask("uint16"))


def test_gray_masks_stored_as_colors_are_accepted_and_colors_refused() -> None:
    for mode in ("RGB", "RGBA", "LA"):
        data = encode(Image.fromarray(CLASSES).convert(mode), "PNG")
        assert np.array_equal(decoded(data, mask()), CLASSES), mode
    with pytest.raises(SchemaError, match="row 7: got colors, 45x62x3, expected class numbers"):
        decoded(FILES["png"], mask())


def test_masks_are_turned_upright() -> None:
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        for form in ("PNG", "TIFF"):
            data = encode(Image.open(io.BytesIO(voc())), form, exif=exif)
            expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
            assert np.array_equal(decoded(data, mask()), np.asarray(expected))


def test_shape_and_damage_of_masks_are_checked() -> None:
    with pytest.raises(SchemaError, match="got 2x3, expected 4x4"):
        decoded(voc(), mask(shape=(4, 4)))
    with pytest.raises(ReadError, match="row 7: it cannot be decoded"):
        decoded(voc()[:-30], mask())
    with pytest.raises(ReadError, match="not an image"):
        decoded(b"text", mask())
    truncated = deep_png(COLORS, 2)
    with pytest.raises(ReadError, match="cannot be decoded"):
        decoded(truncated[: len(truncated) // 2], image("uint16"))
