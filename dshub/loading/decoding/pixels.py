"""Decode an image file of a column, and check its shape."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dshub.catalog.features import ImageFeature
from dshub.errors import SchemaError
from dshub.loading.decoding.choosing import Decoder, decoder
from dshub.loading.decoding.images import HINT, decoding_errors
from dshub.loading.decoding.request import Decoded, Order, Request


@dataclass(frozen=True)
class Decoding:
    """How the images of a dataset are decoded.

    Attributes:
        name: name of the decoder; see `dshub.loading.decoding.choosing.decoder`.
        order: order of the color channels.
    """

    name: str = "auto"
    order: Order = "rgb"

    @property
    def decoder(self) -> Decoder:
        """The decoder."""
        return decoder(self.name)


DEFAULT = Decoding()


def request_of(feature: ImageFeature, order: Order) -> Request:
    """Return a request for images of a column."""
    height, width, channels = feature.shape or (0, 0, 3)
    return Request(channels, (height, width) if feature.shape else None, order)


def decode_image(
    data: bytes | memoryview,
    feature: ImageFeature,
    decoding: Decoding,
    where: Callable[[], str],
    *,
    reuse: bool = False,
) -> np.ndarray:
    """Decode an image file to upright pixels, uint8 (height, width, channels).

    Args:
        data: contents of the file.
        feature: feature of the column.
        decoding: decoder, and order of the channels.
        where: function that describes the row and column, for errors.
        reuse: whether the next call of this thread can overwrite the pixels.

    Raises:
        ReadError: the file is damaged, or has an unsupported format.
        SchemaError: the image does not have the shape of the feature.
    """
    height, width, channels = feature.shape or (0, 0, 3)
    expected = (height, width) if feature.shape else None
    request = Request(channels, expected, decoding.order, reuse=reuse)
    with decoding_errors(where, data=data):
        decoded = decoding.decoder.decode(data, request)
    return checked_pixels(decoded, feature, where)


def checked_pixels(decoded: Decoded, feature: ImageFeature, where: Callable[[], str]) -> np.ndarray:
    """Return the pixels of an image that has the shape of its feature.

    Raises:
        SchemaError: the image has another shape.
    """
    shape = decoded.height, decoded.width, feature.shape[2] if feature.shape else 3
    if decoded.pixels is None or (feature.shape and shape != tuple(feature.shape)):
        expected, got = shape_text(feature.shape), shape_text(shape)
        raise SchemaError(where=where(), expected=expected, got=got, hint=HINT)
    return decoded.pixels


def shape_text(shape: Sequence[int]) -> str:
    """Return a shape as text, such as `28x28x1`."""
    return "x".join(map(str, shape))
