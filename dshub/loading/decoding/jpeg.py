"""Read the headers of JPEG files, for decoders that do not check them.

The format is defined in ISO/IEC 10918-1, annex B, and the orientation in the Exif standard (CIPA
DC-008). Pillow takes about ten times as long to open a file.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from dshub.loading.decoding import images

START = b"\xff\xd8\xff"
END = b"\xff\xd9"
_FRAMES = {0xC0, 0xC1, 0xC2}  # baseline, extended and progressive frames with Huffman coding
_SCAN, _APP1 = 0xDA, 0xE1
_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/"
_TAIL = 64  # bytes of padding to allow after the end marker
_ROTATED = range(5, 9)  # EXIF orientations that swap width and height


class Header(NamedTuple):
    """Header of a JPEG file that every decoder decodes to the same pixels.

    Attributes:
        height, width: size of the stored pixels.
        channels: 1 for gray, or 3 for color.
        orientation: EXIF orientation, 1 to 8.
    """

    height: int
    width: int
    channels: int
    orientation: int

    @property
    def upright(self) -> tuple[int, int]:
        """Height and width of the upright image."""
        if self.orientation in _ROTATED:
            return self.width, self.height
        return self.height, self.width


def read_header(data: memoryview, expected: tuple[int, int] | None) -> Header | None:
    """Read the header of a JPEG file.

    Args:
        data: contents of the file.
        expected: height and width in the manifest, or None.

    Returns:
        The header, or None if only Pillow can handle the file: it is not a JPEG file, it has four
        channels or 12 bits, it is damaged or truncated, or it declares more pixels than its size
        allows.
    """
    if data[:3] != START or END not in bytes(data[-_TAIL:]):
        return None
    try:
        header = _read(data)
    except (IndexError, ValueError):  # Pillow reports the reason
        return None
    if header is None or images.is_too_large(header.width, header.height, len(data), expected):
        return None
    return header


def _read(data: memoryview) -> Header | None:
    height = width = channels = 0
    orientation = 1
    for marker, body in _segments(data):
        if marker in _FRAMES:
            height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
            channels = body[5] if body[0] == 8 else 0
        elif marker == _APP1 and body[:20] == _XMP:
            return None  # it can hold the orientation, too
        elif marker == _APP1 and body[:6] == _EXIF:
            orientation = _orientation(bytes(body))
    if not height or not width or channels not in {1, 3}:
        return None
    return Header(height, width, channels, orientation)


def _segments(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield the marker and the body of each segment before the first scan."""
    place = 2
    while True:
        if data[place] != 0xFF:
            raise ValueError("a segment does not start with a marker")
        while data[place] == 0xFF:  # a marker can follow any number of fill bytes
            place += 1
        marker = data[place]
        if marker == _SCAN:
            return
        length = int.from_bytes(data[place + 1 : place + 3], "big")
        yield marker, data[place + 3 : place + 1 + length]
        place += 1 + max(2, length)


def _orientation(exif: bytes) -> int:
    try:
        tags = Image.Exif()
        tags.load(exif)
        value = int(tags.get(images.ORIENTATION, 1))
    except Exception:  # noqa: BLE001  # pixels are usable without metadata
        return 1
    return value if 1 <= value <= 8 else 1


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Make pixels (height, width, channels) upright by their EXIF orientation, as a view."""
    if orientation in _ROTATED:
        pixels = pixels.swapaxes(0, 1)
    rows = slice(None, None, -1 if orientation in {3, 4, 7, 8} else 1)
    columns = slice(None, None, -1 if orientation in {2, 3, 6, 7} else 1)
    return pixels[rows, columns]
