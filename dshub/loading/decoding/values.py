"""Decode image files to the values that they hold, instead of 8-bit pixels.

These are class numbers of masks, and pixels of 16 or 32 bits. Pillow is the only decoder of them.
It reads only the upper byte of 16-bit colors, so it decodes such files twice, once for each byte.
Netpbm files that Pillow scales to 8 or 16 bits are read here (format: netpbm(5)).
"""

import io
import re
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from dshub.loading.decoding import images, pillow
from dshub.loading.decoding.jpeg import upright
from dshub.loading.decoding.request import Decoded, Request

_LOWER = {  # raw modes that unpack the lower bytes, by the mode that unpacks the upper bytes
    f"{mode};16{order}": f"{mode};16{other}"
    for mode in ("RGB", "RGBA")
    for order, other in (("B", "L"), ("L", "B"), ("N", "B" if sys.byteorder == "little" else "L"))
}
_CHANNELS = {"LA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK"}
_NETPBM = ("ppm", "ppm_plain")  # Pillow's decoders that scale values
_COMMENT = re.compile(rb"#[^\n\r]*")


def decode(data: memoryview, request: Request) -> Decoded:
    """Decode an image file to values, (height, width, channels), of the dtype of the file.

    Masks keep palette indices, 0 and 1, and the channels of the file. Images have the channels of
    the request, or if these are 0, 1 for gray and else 3.

    Raises:
        ValueError: the header declares too many pixels, or the last rows are missing.
        Exception: any exception that Pillow raises for a damaged file.
    """
    stream = io.BytesIO(data)
    expected = None if request.expected is None else request.expected[::-1]
    with images.open_image(stream, len(data), expected=expected) as opened:
        width, height = opened.size
        if request.refuses(height, width):
            return Decoded(None, height, width)
        values = upright(_values(opened, data, request), images.orientation(opened))
    if request.kind == "values":
        values = _with_channels(values, request.channels)
    if request.order == "bgr":
        values = values[..., ::-1]
    return Decoded(np.ascontiguousarray(values), *values.shape[:2])


def dtype_of(image: Any) -> str:
    """Return the smallest dtype for the pixels of an image that is not decoded yet."""
    if image.mode == "F":
        return "float32"
    if image.mode == "I" and image.format != "PPM":
        return "int32"
    is_deep = image.mode.startswith("I") or _has_deep_colors(image)
    return "uint16" if is_deep or (_is_scaled(image) and image.tile[0][3][1] > 0xFF) else "uint8"


def _values(image: Any, data: memoryview, request: Request) -> np.ndarray:
    """Return the values of an opened image, (height, width, channels)."""
    if _is_scaled(image):
        return _netpbm(image, data)
    if request.kind == "values" and _has_deep_colors(image):
        return _deep_colors(image, data)
    images.load(image, io.BytesIO(data))
    if request.kind == "classes":
        is_bits = image.mode == "1"
        values = np.array(image.convert("L")) >> 7 if is_bits else np.array(image)
        values = values[..., :-1] if image.mode in {"LA", "PA", "RGBA"} else values
    elif image.mode == "F" or image.mode.startswith("I"):
        values = np.array(image)
    else:
        is_gray = image.mode in {"1", "L"}
        values = np.array(
            pillow.converted(image, "L" if is_gray or request.channels == 1 else "RGB")
        )
    return values.reshape(*values.shape[:2], -1)


def _with_channels(values: np.ndarray, channels: int) -> np.ndarray:
    """Return gray values as colors, if the channels of the request are 3.

    Raises:
        ValueError: colors have to become gray.
    """
    if channels == 1 < values.shape[2]:
        raise ValueError("it has colors of 16 bits instead of gray values")
    return np.repeat(values, 3, axis=2) if values.shape[2] == 1 and channels == 3 else values


def _has_deep_colors(image: Any) -> bool:
    """Return True if an image that is not decoded yet has several channels of 16 bits."""
    mode, _, order = _raw_mode(image).partition(";")
    return mode in _CHANNELS and order.startswith("16")  # BGR;16 has 16 bits per pixel


def _raw_mode(image: Any) -> str:
    """Return Pillow's name for the form of the data of an image that is not decoded yet."""
    arguments = image.tile[0][3] if image.tile else ""
    return str(next(iter(arguments), "") if isinstance(arguments, tuple) else arguments)


def _deep_colors(image: Any, data: memoryview) -> np.ndarray:
    """Decode colors of 16 bits, uint16 (height, width, 1 or 3).

    Raises:
        ValueError: Pillow cannot unpack the lower bytes.
    """
    mode = _raw_mode(image)
    if mode == "LA;16B":  # as four bytes per pixel
        image._mode = "RGBA"  # noqa: SLF001  # the mode of the data
        image.tile = _unpacked(image.tile, "RGBA")
        images.load(image, io.BytesIO(data))
        halves = np.asarray(image)
        return _joined(halves[..., :1], halves[..., 1:2])
    if mode not in _LOWER:
        raise ValueError(f"Pillow reads only 8 of the 16 bits of {image.mode}; save it as RGB")
    images.load(image, io.BytesIO(data))
    upper = np.asarray(image)[..., :3]
    with Image.open(io.BytesIO(data), formats=[image.format]) as again:
        again.tile = _unpacked(again.tile, _LOWER[mode])
        again.load()
        return _joined(upper, np.asarray(again)[..., :3])


def _joined(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """Return the values of two bytes, uint16."""
    values = upper.astype(np.uint16)
    values <<= 8
    values |= lower
    return values


def _unpacked(tiles: Sequence[Any], mode: str) -> list[Any]:
    """Return tiles with another form of data; Pillow 11 made them named tuples."""
    changed = []
    for *place, arguments in tiles:
        other = (mode, *arguments[1:]) if isinstance(arguments, tuple) else mode
        changed.append((*place, other))
    make = getattr(type(tiles[0]), "_make", tuple)
    return list(map(make, changed))


def _is_scaled(image: Any) -> bool:
    """Return True if Pillow would scale the values of a Netpbm file."""
    return image.format == "PPM" and image.tile[0][0] in _NETPBM and image.mode != "1"


def _netpbm(image: Any, data: memoryview) -> np.ndarray:
    """Read the values of a Netpbm file; raise ValueError if some are missing."""
    decoder, _, offset, (_, largest) = image.tile[0][:4]
    shape = (image.height, image.width, len(image.getbands()))
    count = shape[0] * shape[1] * shape[2]
    if decoder == "ppm":
        values = np.frombuffer(data, ">u2" if largest > 0xFF else "u1", count, offset)
    else:
        texts = _COMMENT.sub(b"", bytes(data[offset:])).split(maxsplit=count)[:count]
        values = np.array(texts, np.uint16 if largest > 0xFF else np.uint8)
    return values.reshape(shape).astype(values.dtype.newbyteorder("="))
