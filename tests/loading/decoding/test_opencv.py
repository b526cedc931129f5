import pytest

from dshub.loading.decoding.request import Request
from tests.loading.decoding.examples import FILES

pytest.importorskip("cv2")
from dshub.loading.decoding import opencv

PILLOW = (
    "gif",
    "gif animated",
    "tiff",
    "tiff 16",
    "tiff pages",
    "bmp",
    "ppm",
    "jpeg cmyk",
    "png",
    "png palette",
    "png 16",
)


@pytest.mark.parametrize("kind", ["jpeg", "jpeg gray", "webp", *PILLOW])
def test_files_that_opencv_decodes_differently_are_left_to_pillow(kind: str) -> None:
    decoded = opencv.decode(memoryview(FILES[kind]), Request())
    assert (decoded is None) == (kind in PILLOW)


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_gray_of_a_color_image_is_left_to_pillow(kind: str) -> None:
    assert opencv.decode(memoryview(FILES[kind]), Request(1)) is None
