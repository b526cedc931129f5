"""Decode JPEG and WebP files with OpenCV, if it is installed.

Headers are checked like those of files that Pillow decodes. PNG files are left to Pillow, because
OpenCV allocates the length that a chunk declares, even in a file of 90 bytes.
"""

import io

import numpy as np

from dshub.errors import needs
from dshub.loading.decoding import images
from dshub.loading.decoding.jpeg import START, read_header, upright
from dshub.loading.decoding.request import Decoded, Request

with needs("cv2", extra="fast"):
    import cv2

_MODES = {"RGB", "L", "RGBA", "P"}  # modes that both libraries convert in the same way
_GRAY: dict[int, int] = {  # flags by divisor
    1: cv2.IMREAD_GRAYSCALE,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}
_COLOR: dict[int, int] = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


def decode(data: memoryview, request: Request) -> Decoded | None:
    """Decode an image file, or return None; see `ImageDecoder`."""
    if data[:3] == START:
        header = read_header(data, request.expected)
        if header is None:
            return None
        size, channels, orientation = header.upright, header.channels, header.orientation
        divisor = request.divisor(*size)
    else:
        found = _header(data, request)
        if found is None:
            return None
        size, channels, orientation, divisor = *found, 1
    if request.channels == 1 < channels:  # OpenCV computes gray differently
        return None
    if request.refuses(*size):
        return Decoded(None, *size)
    pixels = upright(_pixels(data, request, divisor), orientation)
    if pixels.shape[:2] != tuple(-(-length // divisor) for length in size):
        raise ValueError(f"it was decoded to {pixels.shape} instead of 1/{divisor} of {size}")
    return Decoded(np.ascontiguousarray(pixels), *size, divisor)


def _header(data: memoryview, request: Request) -> tuple[tuple[int, int], int, int] | None:
    """Return the upright size, the channels and the orientation of a file that is not a JPEG."""
    expected = None if request.expected is None else request.expected[::-1]
    with images.open_image(io.BytesIO(data), len(data), expected=expected) as image:
        if image.format != "WEBP" or image.mode not in _MODES:
            return None
        if image.mode == "P" and request.channels == 1:
            return None
        orientation = images.orientation(image)
        width, height = image.size[::-1] if orientation >= 5 else image.size
        return (height, width), 1 if image.mode == "L" else 3, orientation


def _pixels(data: memoryview, request: Request, divisor: int) -> np.ndarray:
    flags = (_GRAY if request.channels == 1 else _COLOR)[divisor] | cv2.IMREAD_IGNORE_ORIENTATION
    pixels: np.ndarray | None = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if pixels is None:
        raise ValueError("OpenCV cannot decode it")
    if request.channels == 1:
        return pixels.reshape(*pixels.shape[:2], 1)
    if request.order == "bgr":
        return pixels
    converted: np.ndarray = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    return converted
