import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from dshub.loading.decoding.jpeg import read_header, upright
from tests.loading.decoding.examples import FILES, HEIGHT, WIDTH, encode, smooth

JPEG = {kind: data for kind, data in FILES.items() if kind.startswith("jpeg")}


@pytest.mark.parametrize("kind", JPEG)
def test_header_equals_that_of_pillow(kind: str) -> None:
    header = read_header(memoryview(JPEG[kind]), None)
    with Image.open(io.BytesIO(JPEG[kind])) as image:
        if kind in {"jpeg cmyk", "jpeg trailer"}:  # left to Pillow
            assert header is None
            return
        assert header is not None
        assert (header.width, header.height) == image.size
        assert header.channels == len(image.getbands())
        assert header.orientation == image.getexif().get(0x0112, 1)
        assert header.upright == ImageOps.exif_transpose(image).size[::-1]


@pytest.mark.parametrize("length", [0, 1, 3, 10, 100, 300])
def test_truncated_file_has_no_header(length: int) -> None:
    data = JPEG["jpeg"][:length]
    assert read_header(memoryview(data), None) is None
    assert read_header(memoryview(data + b"\xff\xd9"), None) is None


def test_orientation_in_xmp_is_left_to_pillow() -> None:
    text = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    data = encode(Image.fromarray(smooth()), "JPEG", xmp=text)
    assert read_header(memoryview(data), None) is None


def test_size_in_the_manifest_allows_any_number_of_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dshub.loading.decoding.images.ALWAYS_PIXELS", 10)
    monkeypatch.setattr("dshub.loading.decoding.images.RATIO", 0)
    data = memoryview(JPEG["jpeg"])
    assert read_header(data, None) is None
    assert read_header(data, (HEIGHT, WIDTH)) is not None
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)  # Pillow warns
    assert read_header(data, (HEIGHT, WIDTH)) is None


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pixels_are_rotated_like_pillow(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(Image.fromarray(smooth()), "PNG", exif=exif)
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(upright(smooth(), orientation), expected)
