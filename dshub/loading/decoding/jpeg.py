"""Read the headers of JPEG files, for decoders that do not check them.

The format is defined in ISO/IEC 10918-1, annex B, and the orientation in the Exif standard (CIPA
DC-008). Pillow takes about ten times as long to open a file.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from dshub.loading.decoding import images

START = b"\xff\xd8\xff"
END = b"\xff\xd9"
_FRAMES = {0xC0, 0xC1, 0xC2}  # baseline, extended and progressive frames with Huffman coding
_SCAN, _APP1 = 0xDA, 0xE1
_SEGMENT, _FRAME = struct.Struct(">BBH"), struct.Struct(">BHHB")
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
    except (struct.error, ValueError):  # Pillow reports the reason
        return None
    if header is None or images.is_too_large(header.width, header.height, len(data), expected):
        return None
    return header


def _read(data: memoryview) -> Header | None:
    height = width = channels = 0
    orientation = 1
    for marker, start, stop in _segments(data):
        if marker in _FRAMES:
            bits, height, width, components = _FRAME.unpack_from(data[start:stop])
            channels = components if bits == 8 else 0
        elif marker == _APP1 and data[start : min(stop, start + len(_XMP))] == _XMP:
            return None  # it can hold the orientation, too
        elif marker == _APP1 and data[start : min(stop, start + len(_EXIF))] == _EXIF:
            orientation = _orientation(bytes(data[start:stop]))
    if not height or not width or channels not in {1, 3}:
        return None
    return Header(height, width, channels, orientation)


def _segments(data: memoryview) -> Iterator[tuple[int, int, int]]:
    """Yield the marker, the start and the end of each segment before the first scan."""
    place = 2
    while True:
        prefix, marker, length = _SEGMENT.unpack_from(data, place)
        if prefix != 0xFF:
            raise ValueError("a segment does not start with a marker")
        if marker == _SCAN:
            return
        if marker == 0xFF:  # a marker can follow any number of fill bytes
            place += 1
            continue
        place += 2 + max(2, length)
        yield marker, place - max(0, length - 2), place


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
