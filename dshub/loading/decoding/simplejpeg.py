"""Decode JPEG files with simplejpeg (extra `fast`), which wraps libjpeg-turbo.

Decoding writes into existing memory and releases the interpreter lock. Files with any damage are
left to Pillow, which accepts some of it.
"""

import numpy as np

from dshub.errors import needs
from dshub.loading.decoding.jpeg import Header, read_header, upright
from dshub.loading.decoding.request import Decoded, Request, buffer

with needs("simplejpeg", extra="fast"):
    import simplejpeg

SMALLEST = 16  # sides that are scaled; for shorter ones, several scales give the same size


def decode(data: memoryview, request: Request) -> Decoded | None:
    """Decode a JPEG file, or return None; see `ImageDecoder`."""
    header = read_header(data, request.expected)
    if header is None or (request.channels == 1 < header.channels):
        return None
    height, width = header.upright
    if request.refuses(height, width):
        return Decoded(None, height, width)
    divisor = request.divisor(height, width) if min(height, width) >= SMALLEST else 1
    pixels = _pixels(data, request, header, divisor)
    if header.orientation != 1:
        pixels = np.ascontiguousarray(upright(pixels, header.orientation))
    return Decoded(pixels, height, width, divisor)


def _pixels(data: memoryview, request: Request, header: Header, divisor: int) -> np.ndarray:
    height, width = -(-header.height // divisor), -(-header.width // divisor)
    shape = height, width, request.channels
    pixels: np.ndarray = simplejpeg.decode_jpeg(
        data,
        "GRAY" if request.channels == 1 else request.order.upper(),
        min_height=height if divisor > 1 else 0,
        min_width=width if divisor > 1 else 0,
        buffer=buffer(height * width * request.channels, reuse=request.reuse),
    )
    if pixels.shape != shape:
        raise ValueError(f"it was decoded to {pixels.shape} instead of {shape}")
    return pixels
