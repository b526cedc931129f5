"""Open image files safely: a closed list of formats, a bound on pixels, no missing rows.

A few hundred bytes can promise gigabytes of pixels, so the size in the header is checked before
anything is decoded: up to `ALWAYS_PIXELS` any file passes, above it one with at most `RATIO` pixels
for each of its bytes. A photo has 2 to 20, a JPEG of one color about 170. Pillow's own bound,
twice `PIL.Image.MAX_IMAGE_PIXELS`, applies to all; setting that to None lifts both.
"""

import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, BinaryIO

from PIL import Image

ALWAYS_PIXELS = 25_000_000  # decoded and copied as RGB, 175 MB
RATIO = 250
RAISE_BOUND = "if that is right, set `PIL.Image.MAX_IMAGE_PIXELS = None`"
_NAMES = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "JPEG2000", "AVIF", "QOI")
_ORIENTATION = 0x0112  # a tag of TIFF 6.0 that EXIF took over
_NOTES = {"exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp"}  # that may hold it
_MARK = 0xA5
_MARKS: Mapping[str, Any] = {  # by mode
    "1": 255,
    "LA": (_MARK,) * 2,
    "RGB": (_MARK,) * 3,
    "RGBA": (_MARK,) * 4,
}
_PIECE = 1 << 18  # bytes inflated at a time
_LARGEST_CODE = 12  # bits of a GIF's codes
_BAND_COUNT = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by a PNG's color type
_PASSES = (  # first column, first row, and their steps, of an interlaced PNG
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)


class ImageTooLargeError(ValueError):
    """A header promises more pixels than a file of that size should hold."""


def open_image(stream: BinaryIO, size: int, *, expected: tuple[int, int] | None = None) -> Any:
    """Read the header of an image, and check what it promises.

    Args:
        stream: the file; its place does not matter.
        size: of the file, in bytes.
        expected: width and height that a manifest declares; an image of just these is not too
            large.

    Returns:
        Pillow's image, not loaded yet.

    Raises:
        ImageTooLargeError: it has too many pixels.
        PIL.UnidentifiedImageError: the file is not of a format on the list.
        Exception: whatever Pillow raises for a damaged header.
    """
    image = Image.open(stream, formats=formats())
    width, height = image.size
    pixels = width * height
    if pixels > ALWAYS_PIXELS and image.size != expected and Image.MAX_IMAGE_PIXELS is not None:
        allowed = max(ALWAYS_PIXELS, RATIO * size)
        if pixels > allowed:
            image.close()
            raise ImageTooLargeError(
                f"its header promises {width:,} x {height:,} pixels, but a file of {size:,} bytes "
                f"may hold {allowed:,}; {RAISE_BOUND}"
            )
    return image


@cache
def formats() -> tuple[str, ...]:
    """The formats that are read, under Pillow's names: those of the list that this Pillow has."""
    Image.init()
    return tuple(name for name in _NAMES if name in Image.OPEN)


def orientation(image: Any) -> int:
    """How the camera was held, as EXIF numbers it; 1 where nothing is said or can be read."""
    if image.format != "TIFF" and _NOTES.isdisjoint(image.info):
        return 1
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001  # the pixels are there whatever the notes beside them say
        return 1


def load(image: Any, stream: BinaryIO) -> None:
    """Decode an image that `open_image` opened, all of it.

    Pillow leaves rows that are missing as they were. So PNG and GIF are decoded into memory that
    holds a mark, and only where the last pixel still has it is the data measured.

    Raises:
        ValueError: its pixels end early.
        Exception: whatever Pillow raises for a damaged file.
    """
    measure = _MEASURES.get(image.format)
    if measure is None:
        image.load()
        return
    x0, y0, x1, y1 = image.tile[0][1]  # the first frame, which may be a part of the picture
    mark = image.info.get("transparency") if image.format == "GIF" else None
    if mark is None:  # else Pillow fills a GIF with it
        mark = _MARKS.get(image.mode, _MARK)
        image.im = Image.new(image.mode, image.size, mark).im
    image.load()
    if image.getpixel((x1 - 1, y1 - 1)) != mark and not image.info.get("interlace"):
        return
    stream.seek(0)
    promised, present = measure(stream.read(), (x1 - x0, y1 - y0))
    if present < promised:
        raise ValueError(f"its pixels end early: {present:,} of {promised:,} bytes are there")


def _png(data: bytes, size: tuple[int, int]) -> tuple[int, int]:
    """The bytes of rows that the header of a PNG promises, and those that follow."""
    bits = data[24] * _BAND_COUNT[data[25]]
    passes = _PASSES if data[28] else ((0, 0, 1, 1),)
    promised = sum(_pass_bytes(size, bits, step) for step in passes)
    inflater, present = zlib.decompressobj(), 0
    for piece in _png_data(data):
        rest = piece
        while rest and present < promised:
            present += len(inflater.decompress(rest, _PIECE))
            rest = inflater.unconsumed_tail
    return promised, present


def _pass_bytes(size: tuple[int, int], bits: int, step: tuple[int, int, int, int]) -> int:
    left, top, across, down = step
    columns, rows = -(-(size[0] - left) // across), -(-(size[1] - top) // down)
    return rows * (1 + (columns * bits + 7) // 8) if columns > 0 and rows > 0 else 0


def _png_data(data: bytes) -> Iterator[bytes]:
    place = 8
    while place + 8 <= len(data):
        length, name = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        if name == b"IDAT":
            yield data[place + 8 : place + 8 + length]
        place += 12 + length


def _gif(data: bytes, size: tuple[int, int]) -> tuple[int, int]:
    """The pixels that the first frame of a GIF promises, and those that follow."""
    place = 13 + _table_bytes(data[10])
    while data[place] != ord(","):  # an extension
        place = _after_blocks(data, place + 2)
    place += 10 + _table_bytes(data[place + 9])
    first = data[place]
    codes = bytearray()
    place += 1
    while place < len(data) and data[place]:
        codes += data[place + 1 : place + 1 + data[place]]
        place += 1 + data[place]
    promised = size[0] * size[1]
    return promised, _lzw_length(bytes(codes), first, promised)


def _table_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _after_blocks(data: bytes, place: int) -> int:
    while data[place]:
        place += 1 + data[place]
    return place + 1


def _lzw_length(data: bytes, first: int, enough: int) -> int:
    """How many values some codes of LZW stand for; stops where there are enough."""
    clear = 1 << first
    lengths = [1] * (clear + 2)
    width, total, previous = first + 1, 0, 0
    waiting = bits = 0
    for byte in data:
        waiting |= byte << bits
        bits += 8
        while bits >= width:
            code, waiting, bits = waiting & ((1 << width) - 1), waiting >> width, bits - width
            if code == clear:
                lengths, width, previous = [1] * (clear + 2), first + 1, 0
                continue
            if code == clear + 1 or total >= enough:
                return total
            length = lengths[code] if code < len(lengths) else previous + 1
            if previous and len(lengths) < 1 << _LARGEST_CODE:
                lengths.append(previous + 1)
            total, previous = total + length, length
            if len(lengths) == 1 << width and width < _LARGEST_CODE:
                width += 1
    return total


_MEASURES: Mapping[str, Callable[[bytes, tuple[int, int]], tuple[int, int]]] = {
    "PNG": _png,
    "GIF": _gif,
}
