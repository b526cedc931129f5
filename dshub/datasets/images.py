"""Open image files safely: a closed list of formats, a bound on pixels, no missing rows.

A few hundred bytes can promise gigabytes of pixels, so the size in the header is checked before
anything is decoded: up to `ALWAYS_PIXELS` any file passes, above it one with at most `RATIO` pixels
for each of its bytes. A photo has 2 to 20, a JPEG of one color about 170. Pillow's own bound,
twice `PIL.Image.MAX_IMAGE_PIXELS`, applies to all; setting that to None lifts both.
"""

from functools import cache
from typing import Any, BinaryIO

from PIL import Image

ALWAYS_PIXELS = 25_000_000  # decoded and copied as RGB, 175 MB
RATIO = 250
_NAMES = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "JPEG2000", "AVIF", "QOI")
_ORIENTATION = 0x0112  # a tag of TIFF 6.0 that EXIF took over
_METADATA = {"exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp"}  # that can hold it
_MARKS = (0xA5, 0x5A)


def open_image(stream: BinaryIO, size: int, *, expected: tuple[int, int] | None = None) -> Any:
    """Read the header of an image, and check the size that it promises.

    Args:
        stream: the file, at any position.
        size: of the file, in bytes.
        expected: the width and height that a manifest declares; an image of exactly this size is
            not too large.

    Returns:
        Pillow's image, not loaded yet.

    Raises:
        ValueError: it has too many pixels for its size.
        PIL.UnidentifiedImageError: the file has none of the listed formats.
        Exception: whatever Pillow raises for a damaged header.
    """
    image = Image.open(stream, formats=formats())
    width, height = image.size
    pixels = width * height
    allowed = max(ALWAYS_PIXELS, RATIO * size)
    if pixels > allowed and image.size != expected and Image.MAX_IMAGE_PIXELS is not None:
        image.close()
        raise ValueError(
            f"its header promises {width:,} x {height:,} pixels, but a file of {size:,} bytes "
            f"can hold {allowed:,}; if that is right, set `PIL.Image.MAX_IMAGE_PIXELS = None`"
        )
    return image


@cache
def formats() -> tuple[str, ...]:
    """The supported formats that this Pillow was built with, by Pillow's names."""
    Image.init()
    return tuple(name for name in _NAMES if name in Image.OPEN)


def orientation(image: Any) -> int:
    """Return the EXIF orientation, or 1 if there is none or it cannot be read."""
    if image.format != "TIFF" and _METADATA.isdisjoint(image.info):
        return 1
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001  # damaged metadata does not make the pixels unusable
        return 1


def load(image: Any, stream: BinaryIO) -> None:
    """Decode an image that `open_image` opened.

    Pillow does not touch the pixels of missing rows. So PNG and GIF files are decoded into memory
    filled with a mark. If the last pixel shows it, the file is decoded once more with another
    mark: only a pixel that was never written shows both.

    Raises:
        ValueError: rows are missing at the end.
        Exception: whatever Pillow raises for a damaged file.
    """
    if image.format not in {"PNG", "GIF"}:
        image.load()
    elif _shows_mark(image, _MARKS[0]):
        stream.seek(0)
        with Image.open(stream, formats=[image.format]) as again:
            if _shows_mark(again, _MARKS[1]):
                raise ValueError("its last rows are missing")


def _shows_mark(image: Any, mark: int) -> bool:
    """Decode an image into memory filled with a mark, and check its last pixel for the mark."""
    _, box, _, arguments = image.tile[0]
    bands, interlaced = len(image.getbands()), bool(image.info.get("interlace"))
    color = mark if bands == 1 else (mark,) * bands
    blank = Image.new(image.mode, image.size, color)
    if image.format == "GIF":
        interlaced = bool(arguments[1])
        image._frame_transparency = None  # noqa: SLF001  # Pillow would fill the image with it
        blank = Image.new(image.mode, image.size, image.info.get("transparency", 0))
        blank.paste(color, box)  # the first frame can be smaller than the image
    last = _last_written(box, interlaced=interlaced)
    expected = blank.getpixel(last)
    image.im = blank.im
    image.load()
    return bool(image.getpixel(last) == expected)


def _last_written(box: tuple[int, int, int, int], *, interlaced: bool) -> tuple[int, int]:
    """The pixel that a decoder writes last; the last pass of interlaced images has odd rows."""
    left, top, right, bottom = box
    if interlaced and bottom - top > 1:
        bottom -= (bottom - top) % 2
    elif interlaced and right - left > 1:  # of a single row, the last pass has odd columns
        right -= (right - left) % 2
    return right - 1, bottom - 1
