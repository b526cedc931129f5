"""Decode JPEG files with torchcodec, if it is asked for.

torchcodec imports PyTorch, so it is never chosen automatically. It cannot decode at a fraction of
the size, and rotates images itself, so such files are left to the next decoder.
"""

import numpy as np

from dshub.errors import needs
from dshub.loading.decoding.jpeg import read_header
from dshub.loading.decoding.request import Decoded, Request

with needs("torchcodec", extra="torch"):
    from torchcodec.decoders import decode_jpeg


def decode(data: memoryview, request: Request) -> Decoded | None:
    """Decode a JPEG file, or return None; see `ImageDecoder`."""
    header = read_header(data, request.expected)
    if header is None or header.orientation != 1 or request.channels == 1 < header.channels:
        return None
    height, width = header.upright
    if request.refuses(height, width):
        return Decoded(None, height, width)
    if request.divisor(height, width) > 1:
        return None
    decoded = decode_jpeg(bytes(data), mode="GRAY" if request.channels == 1 else "RGB")
    pixels: np.ndarray = np.moveaxis(decoded.numpy(), 0, -1)
    step = -1 if request.order == "bgr" else 1
    return Decoded(np.ascontiguousarray(pixels[..., ::step]), height, width)
