"""Test that images that declare too many pixels or end early are rejected."""

import io
import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dshub import Dataset
from dshub.catalog.features import ImageFeature
from dshub.errors import ReadError, SchemaError
from dshub.loading.decoding import images
from dshub.publishing.authoring.scanning import image_feature

ANY = ImageFeature(encoding="any")
COLORS = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
GIF_OF_41_BYTES = bytes.fromhex(
    "4749463837610120144800000000002c0020002000090007000008"
    "0f0001081c48b0a0c1830813 2a4418 3b".replace(" ", "")
)


def encode_image(image: Image.Image, form: str, **options: Any) -> bytes:
    sink = io.BytesIO()
    image.save(sink, form, **options)
    return sink.getvalue()


def decode(data: bytes, feature: ImageFeature = ANY) -> np.ndarray:
    image: np.ndarray = Dataset.from_arrays({"x": [data]}, features={"x": feature})[0]["x"]
    return image


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(
    width: int, height: int, rows: bytes, *, bits: int = 8, color: int = 2, interlace: int = 0
) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, interlace)
    parts = [(b"IHDR", header)]
    parts += [(b"PLTE", bytes(range(256)) * 3)] if color == 3 else []
    parts += [(b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def deflated_zeros(size: int) -> bytes:
    """Compress `size` zeros in small pieces."""
    packer = zlib.compressobj(9)
    pieces = [packer.compress(bytes(1 << 20)) for _ in range(size >> 20)]
    return b"".join(pieces) + packer.compress(bytes(size & 0xFFFFF)) + packer.flush()


def png_of_zeros(width: int, height: int, bits: int, color: int) -> bytes:
    samples = {0: 1, 2: 3}[color]
    data = deflated_zeros(height * (1 + width * bits * samples // 8))
    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def tiff(tags: dict[int, int]) -> bytes:
    fields = {256: 16, 257: 16, 258: 8, 259: 8, 262: 1, 277: 1} | tags
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, fields[tag]) for tag in sorted(fields))
    return b"II*\0" + struct.pack("<IH", 8, len(fields)) + entries + bytes(4) + deflated_zeros(4096)


def gif(frame: bytes, *, size: tuple[int, int], interlace: bool = False) -> bytes:
    flags = 0x40 if interlace else 0
    head = b"GIF89a" + struct.pack("<HHBBB", *size, 0x87, 0, 0) + bytes(range(256)) * 3
    return head + b"," + struct.pack("<HHHHB", 0, 0, *size, flags) + b"\x08" + frame + b";"


def encode_lzw(values: int) -> bytes:
    """Encode values as LZW with a clear code before each, so that every code has nine bits."""
    codes = [0x100, *[code for _ in range(values) for code in (7, 0x100)], 0x101]
    number = sum(code << 9 * i for i, code in enumerate(codes))
    data = number.to_bytes(9 * len(codes) // 8 + 1, "little")
    blocks = [data[i : i + 255] for i in range(0, len(data), 255)]
    return b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


def webp_of_16383() -> bytes:
    body = b"VP8X" + struct.pack("<I", 10) + bytes(4) + b"\xfe\x3f\x00\xfe\x3f\x00"
    frame = encode_image(Image.new("RGB", (16, 16)), "WEBP", lossless=True)[12:]
    return b"RIFF" + struct.pack("<I", 4 + len(body + frame)) + b"WEBP" + body + frame


BOMBS: dict[str, Callable[[], bytes]] = {
    "png": lambda: png(10_000, 10_000, b""),
    "png-16-bit": lambda: png_of_zeros(6_000, 6_000, 16, 0),
    "gif": lambda: GIF_OF_41_BYTES,
    "webp": webp_of_16383,
    "tiff-tile": lambda: tiff({322: 1 << 16, 323: 1 << 16, 324: 200, 325: 100}),
    "tiff": lambda: tiff({256: 60_000, 257: 60_000, 273: 200, 278: 60_000, 279: 100}),
    "bmp": lambda: (
        b"BM" + struct.pack("<IIIIiiHHIIIIII", 0, 0, 54, 40, 9000, 9000, 1, 24, *[0] * 6)
    ),
    "ppm": lambda: b"P6 9000 9000 255\n",
    "eps": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n",
}

SCRIPT = """
import json, sys, time
from pathlib import Path
from dshub import Dataset
from dshub.errors import ReadError
from dshub.catalog.features import ImageFeature
Dataset.from_arrays({"x": [b""]}, features={"x": ImageFeature(encoding="any")})
answers = {}
for path in sorted(Path(sys.argv[1]).iterdir()):
    data, begin = path.read_bytes(), time.process_time()
    try:
        answer = Dataset.from_arrays({"x": [data]}, features={"x": ImageFeature(encoding="any")})[0]
    except ReadError as error:
        answer = str(error)
    status = Path("/proc/self/status").read_text()  # ru_maxrss starts at the parent's peak
    peak = int(status.partition("VmHWM:")[2].split()[0]) >> 10
    answers[path.name] = [str(answer), time.process_time() - begin, peak]
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, float, int]]:
    """Decode each bomb in a subprocess and return its error, CPU seconds and peak memory in MiB."""
    folder = tmp_path_factory.mktemp("bombs")
    for name, make in BOMBS.items():
        (folder / name).write_bytes(make())
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, str(folder)],
        check=True,
        capture_output=True,
        timeout=100,
    )
    parsed: dict[str, tuple[str, float, int]] = json.loads(run.stdout)
    return parsed


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("name", BOMBS)
def test_bombs_take_little_time_and_memory(
    name: str, outcomes: dict[str, tuple[str, float, int]]
) -> None:
    """An image with too many pixels is rejected before its pixels are decoded."""
    message, seconds, megabytes = outcomes[name]
    assert "row 0, column x" in message
    assert seconds < 2
    assert megabytes < 300


def test_error_shows_the_size_and_how_to_lift_the_limit() -> None:
    with pytest.raises(ReadError, match=r"6,000 x 6,000 pixels.*MAX_IMAGE_PIXELS = None"):
        decode(png(6_000, 6_000, b""))


def test_pillow_setting_lifts_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "ALWAYS_PIXELS", 100)
    data = png(1000, 400, bytes(400 * 3001))
    with pytest.raises(ReadError, match="pixels"):
        decode(data)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert decode(data).shape == (400, 1000, 3)


def test_image_of_declared_shape_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A feature with a shape states the size of its images, so large masks of zeros are valid."""
    monkeypatch.setattr(images, "ALWAYS_PIXELS", 100)
    data = png(1000, 400, bytes(400 * 3001))
    assert decode(data, ImageFeature(encoding="png", shape=(400, 1000, 3))).shape == (400, 1000, 3)


def test_image_of_other_shape_is_rejected_without_decoding() -> None:
    with pytest.raises(SchemaError, match="got 4000x5000x3, expected 40x30x3"):
        decode(png(5000, 4000, b""), ImageFeature(encoding="any", shape=(40, 30, 3)))


def test_large_photo_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "ALWAYS_PIXELS", 100)
    for form in ("JPEG", "TIFF", "WEBP", "PNG"):
        assert decode(encode_image(Image.fromarray(COLORS), form)).shape == COLORS.shape
    plain = Image.new("RGB", (2000, 2000), "white")
    assert decode(encode_image(plain, "JPEG")).shape == (2000, 2000, 3)


# compressed data that ends properly but holds too few pixels


def png_rows(rows: int, row_bytes: int) -> bytes:
    return (b"\0" + b"\x09" * row_bytes) * rows


INCOMPLETE = {
    "png": png(30, 40, png_rows(20, 90)),
    "png, last row": png(30, 40, png_rows(39, 90)),
    "png, gray": png(30, 40, png_rows(20, 30), color=0),
    "png, 16 bits": png(30, 40, png_rows(20, 60), color=0, bits=16),
    "png, palette": png(30, 40, png_rows(20, 30), color=3),
    "png, one bit": png(30, 40, png_rows(20, 4), color=0, bits=1),
    "png, alpha": png(30, 40, png_rows(20, 120), color=6),
    "png, gray and alpha": png(30, 40, png_rows(20, 60), color=4),
    "png, interlaced": png(30, 40, png_rows(30, 12), interlace=1),
    "gif": gif(encode_lzw(600), size=(30, 40)),
    "gif, last pixel": gif(encode_lzw(1199), size=(30, 40)),
    "gif, interlaced": gif(encode_lzw(1100), size=(30, 40), interlace=True),
    "ppm": b"P6 30 40 255\n" + bytes(1800),
    "ppm, text": b"P3 30 40 255\n" + b"9 " * 1800,
}


def truncated_files() -> Iterator[tuple[str, bytes]]:
    """Yield files of each format without their last third."""
    for form in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "JPEG2000", "AVIF", "QOI"):
        if form in images.formats() and form in Image.SAVE:
            data = encode_image(Image.fromarray(COLORS), form)
            yield form, data[: len(data) * 2 // 3]
    for kind in ("tiff_lzw", "tiff_adobe_deflate", "packbits"):
        data = encode_image(Image.fromarray(COLORS), "TIFF", compression=kind)
        yield kind, data[: len(data) * 2 // 3]


@pytest.mark.parametrize(("name", "data"), [*INCOMPLETE.items(), *truncated_files()])
def test_image_that_ends_early_is_rejected(name: str, data: bytes) -> None:
    with pytest.raises(ReadError, match="row 0, column x"):
        decode(data)
    with pytest.raises(ReadError, match=r"a\.png"):
        image_feature(data, "a.png")


COMPLETE = {
    "interlaced": png(3, 3, bytes(33), interlace=1),
    "black": png(30, 40, bytes(40 * 91)),
    "mark": png(30, 40, (b"\0" + b"\xa5" * 90) * 40),
    "white bits": png(30, 40, (b"\0" + b"\xff" * 4) * 40, color=0, bits=1),
    "gif": gif(encode_lzw(1200), size=(30, 40)),
    "gif, interlaced": gif(encode_lzw(1200), size=(30, 40), interlace=True),
    "gif, transparent": encode_image(Image.fromarray(COLORS).quantize(20), "GIF", transparency=0),
    "gif, black": encode_image(Image.new("P", (300, 400)), "GIF"),
}


@pytest.mark.parametrize("name", COMPLETE)
def test_complete_image_passes(name: str) -> None:
    with Image.open(io.BytesIO(COMPLETE[name])) as image:
        assert np.array_equal(decode(COMPLETE[name]), np.array(image.convert("RGB")))


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "RGBA", "1", "LA", "I;16"])
def test_png_of_every_mode_decodes_like_pillow(mode: str) -> None:
    gray = COLORS[..., 0]
    image = (
        Image.fromarray(gray.astype(np.uint16) << 8)
        if mode == "I;16"
        else Image.fromarray(COLORS).convert(mode)
    )
    expected = np.dstack([gray] * 3) if mode == "I;16" else np.array(image.convert("RGB"))
    assert np.array_equal(decode(encode_image(image, "PNG")), expected)


def test_postscript_does_not_start_ghostscript(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)  # Pillow starts Ghostscript with Popen
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat/a.jpg").write_bytes(BOMBS["eps"]())
    with pytest.raises(ReadError, match="not an image in a supported format"):
        Dataset.from_folder(tmp_path)[0]
