import numpy as np
import pytest

from dshub.catalog.features import ImageFeature
from dshub.errors import ReadError, SchemaError
from dshub.loading.decoding.pixels import DEFAULT, decode_image
from tests.loading.decoding.examples import FILES, HEIGHT, WIDTH


def where() -> str:
    return "row 7"


def test_shape_of_the_feature_is_checked() -> None:
    fitting = ImageFeature(encoding="any", shape=(HEIGHT, WIDTH, 1))
    assert decode_image(FILES["jpeg"], fitting, DEFAULT, where).shape == (HEIGHT, WIDTH, 1)
    turned = ImageFeature(encoding="any", shape=(WIDTH, HEIGHT, 3))
    with pytest.raises(SchemaError, match=f"row 7: got {HEIGHT}x{WIDTH}x3, expected {WIDTH}x"):
        decode_image(FILES["jpeg"], turned, DEFAULT, where)
    rotated = decode_image(FILES["jpeg orientation 6"], turned, DEFAULT, where)
    assert rotated.shape == (WIDTH, HEIGHT, 3)


def test_damaged_file_is_a_read_error() -> None:
    with pytest.raises(ReadError, match="row 7: it is not an image in a supported format"):
        decode_image(b"text", ImageFeature(encoding="any"), DEFAULT, where)


def test_pixels_are_not_overwritten_by_the_next_image() -> None:
    feature = ImageFeature(encoding="any")
    first = decode_image(FILES["jpeg"], feature, DEFAULT, where)
    kept = first.copy()
    decode_image(FILES["jpeg gray"], feature, DEFAULT, where, reuse=True)
    decode_image(FILES["jpeg gray"], feature, DEFAULT, where)
    assert np.array_equal(first, kept)
