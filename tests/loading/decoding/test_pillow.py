import numpy as np
import pytest
from PIL import Image

from dshub.loading.decoding import pillow
from dshub.loading.decoding.request import Request
from tests.loading.decoding.examples import FILES, HEIGHT, WIDTH, encode, smooth


@pytest.mark.parametrize("kind", ["png", "webp", "gif", "tiff", "bmp"])
def test_only_jpeg_is_scaled(kind: str) -> None:
    image, height, width, divisor = pillow.open_upright(
        memoryview(FILES[kind]), Request(divisor=lambda *_: 4)
    )
    assert (height, width, divisor) == (HEIGHT, WIDTH, 1)
    assert image.size == (WIDTH, HEIGHT)


@pytest.mark.parametrize("size", [(45, 62), (16, 17), (33, 250), (129, 64)], ids=str)
@pytest.mark.parametrize("divisor", [2, 4, 8])
def test_scaled_size_is_rounded_up(size: tuple[int, int], divisor: int) -> None:
    data = memoryview(encode(Image.fromarray(smooth(*size)), "JPEG"))
    decoded = pillow.decode(data, Request(divisor=lambda *_: divisor))
    assert decoded.pixels is not None
    assert decoded.pixels.shape == (-(-size[0] // divisor), -(-size[1] // divisor), 3)
    assert decoded[1:] == (*size, divisor)


def test_floats_are_rejected() -> None:
    data = encode(Image.fromarray(np.zeros((4, 4), np.float32)), "TIFF")
    with pytest.raises(ValueError, match="floats"):
        pillow.decode(memoryview(data), Request())
