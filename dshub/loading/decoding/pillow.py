"""Decode image files with Pillow, the reference for all other decoders."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from dshub.loading.decoding import images
from dshub.loading.decoding.request import Decoded, Request, full_size

_TRANSPOSITIONS: Mapping[int, Image.Transpose] = {  # to make an image upright, by EXIF orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ROTATED = range(5, 9)  # orientations that swap width and height
_UNUSUAL = {"PA", "RGBa"}  # modes that Pillow cannot convert directly


def decode(data: memoryview, request: Request) -> Decoded:
    """Decode an image file to pixels; see `ImageDecoder`."""
    image, height, width, divisor = open_upright(data, request)
    if image is None:
        return Decoded(None, height, width)
    pixels = np.array(image)
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    if request.order == "bgr":
        pixels = np.ascontiguousarray(pixels[..., ::-1])
    return Decoded(pixels, height, width, divisor)


def open_upright(data: memoryview, request: Request) -> tuple[Any, int, int, int]:
    """Decode an image file to an upright Pillow image, of mode L or RGB.

    Transparency is dropped, 16-bit values are reduced to their upper 8 bits, and gray is the luma
    of ITU-R BT.601. If a file has several images, only the first is decoded.

    Returns:
        The image, its height and width before scaling, and the divisor of the scaled image. If the
        image does not have the expected size, it is not decoded, and None is returned instead.

    Raises:
        ValueError: the pixels are floats, the header declares too many pixels, or the last rows
            are missing.
        Exception: any exception that Pillow raises for a damaged file.
    """
    stream = io.BytesIO(data)
    expected = None if request.expected is None else request.expected[::-1]
    with images.open_image(stream, len(data), expected=expected) as opened:
        width, height = opened.size
        if request.refuses(height, width):
            return None, height, width, 1
        divisor = _scale(opened, request)
        images.load(opened, stream)
        image = converted(opened, "L" if request.channels == 1 else "RGB")
        orientation = images.orientation(opened)  # Pillow rotates TIFF files itself
    transposition = _TRANSPOSITIONS.get(orientation)
    upright = image if transposition is None else image.transpose(transposition)
    if divisor > 1 and orientation in _ROTATED:
        width, height = height, width
    elif divisor == 1:
        width, height = upright.size
    return upright, height, width, divisor


def _scale(image: Any, request: Request) -> int:
    """Decode a JPEG at a fraction of its size, and return the divisor, or else 1."""
    width, height = image.size
    if image.format != "JPEG" or request.divisor is full_size:
        return 1
    rotated = images.orientation(image) in _ROTATED
    divisor = request.divisor(*((width, height) if rotated else (height, width)))
    if divisor == 1:
        return 1
    image.draft(None, (width // divisor, height // divisor))
    scaled = -(-width // divisor), -(-height // divisor)
    if image.size != scaled:
        raise ValueError(f"it was scaled to {image.size} instead of {scaled}")
    return divisor


def converted(image: Image.Image, mode: str) -> Image.Image:
    """Convert an image to mode L or RGB; see `open_upright`."""
    if image.mode == mode:
        return image
    if image.mode == "F":
        raise ValueError('its pixels are floats of unknown range; read them with dtype = "float32"')
    if image.mode.startswith("I"):  # Pillow would clip 16-bit values at 255
        image = Image.fromarray((np.asarray(image).clip(0, 0xFFFF) >> 8).astype(np.uint8))
    if "transparency" in image.info or image.mode in _UNUSUAL:
        image = image.convert("RGBA")
    return image.convert(mode)
