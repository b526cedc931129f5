"""Decode an image file of a column, and check its shape."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dshub.catalog.features import ImageFeature, MaskFeature
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


def request_of(feature: ImageFeature | MaskFeature, order: Order) -> Request:
    """Return a request for images of a column."""
    expected = (feature.shape[0], feature.shape[1]) if feature.shape else None
    if isinstance(feature, MaskFeature):
        return Request(0, expected, kind="classes")
    channels = feature.shape[2] if feature.shape else 0
    if feature.dtype != "uint8":
        return Request(channels, expected, order, kind="values")
    return Request(channels or 3, expected, order)


def decode_image(
    data: bytes | memoryview,
    feature: ImageFeature | MaskFeature,
    decoding: Decoding,
    where: Callable[[], str],
    *,
    reuse: bool = False,
) -> np.ndarray:
    """Decode an image file to upright pixels, (height, width, channels), or (height, width).

    Args:
        data: contents of the file.
        feature: feature of the column.
        decoding: decoder, and order of the channels.
        where: function that describes the row and column, for errors.
        reuse: whether the next call of this thread can overwrite the pixels.

    Returns:
        An array of the dtype of the feature; masks have no channels.

    Raises:
        ReadError: the file is damaged, or has an unsupported format.
        SchemaError: the image does not have the shape of the feature, or its values do not fit the
            dtype.
    """
    request = replace(request_of(feature, decoding.order), reuse=reuse)
    with decoding_errors(where, data=data):
        decoded = decoding.decoder.decode(data, request)
    pixels = checked_pixels(decoded, feature, where)
    if isinstance(feature, MaskFeature):
        pixels = _class_numbers(pixels, where)
    return pixels if pixels.dtype == feature.dtype else _cast(pixels, feature, where)


def checked_pixels(
    decoded: Decoded, feature: ImageFeature | MaskFeature, where: Callable[[], str]
) -> np.ndarray:
    """Return the pixels of an image that has the shape of its feature.

    Raises:
        SchemaError: the image has another shape.
    """
    shape: tuple[int, ...] = (decoded.height, decoded.width, *feature.shape[2:])
    if decoded.pixels is None or (feature.shape and shape != feature.shape):
        shape = shape if feature.shape else (*shape, 3)
        expected, got = shape_text(feature.shape), shape_text(shape)
        raise SchemaError(where=where(), expected=expected, got=got, hint=HINT)
    return decoded.pixels


def _class_numbers(values: np.ndarray, where: Callable[[], str]) -> np.ndarray:
    """Return the class numbers of a mask, which can also be stored as equal colors."""
    if values.shape[2] > 1 and (values[..., 1:] != values[..., :1]).any():
        got = f"colors, {shape_text(values.shape)}"
        hint = "convert colors to class numbers, or read the column as `ImageFeature`"
        expected = "class numbers, as gray values or palette indices"
        raise SchemaError(where=where(), expected=expected, got=got, hint=hint)
    return values[..., 0]


def _cast(
    values: np.ndarray, feature: ImageFeature | MaskFeature, where: Callable[[], str]
) -> np.ndarray:
    """Convert values to the dtype of a feature; raise SchemaError if that changes any of them."""
    with np.errstate(invalid="ignore"):  # NaN does not fit integers
        converted = values.astype(feature.dtype)
    if np.array_equal(converted, values, equal_nan=feature.dtype == "float32"):
        return converted
    wider = "float32" if values.dtype.kind == "f" else values.dtype.name
    raise SchemaError(
        where=where(),
        expected=f"values that fit {feature.dtype}",
        got=f"{values.dtype} from {values.min()} to {values.max()}",
        hint=f'use a feature with dtype = "{wider}"',
    )


def shape_text(shape: Sequence[int]) -> str:
    """Return a shape as text, such as `28x28x1`."""
    return "x".join(map(str, shape))
