"""Open image files safely: limit formats and sizes, and reject images with missing rows.

A file of a few hundred bytes can decode to gigabytes of pixels, so the size in the header is
checked first. Images of up to `ALWAYS_PIXELS` pixels always pass. Larger images pass if they have
at most `RATIO` pixels per byte of the file. A photo has 2 to 20, and a JPEG of one color about 170.
Pillow's limit of twice `PIL.Image.MAX_IMAGE_PIXELS` also applies. Setting it to None disables both
limits.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, BinaryIO

from PIL import Image, UnidentifiedImageError

from dshub.cache.pointers import LONGEST, pointer_in
from dshub.errors import DshubError, ReadError

HINT = (
    'pass on_error="skip" to `ds.batches` to leave out such rows, or use `ds.decode(False)` to get '
    "the undecoded files"
)
ALWAYS_PIXELS = 25_000_000  # 175 MB of memory to decode and convert to RGB
RATIO = 250  # pixels per byte of a larger image
_NAMES = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "JPEG2000", "AVIF", "QOI")
ORIENTATION = 0x0112  # TIFF tag, which EXIF also uses
# entries that can contain the orientation
_METADATA = {"exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp"}
_MARKS = (0xA5, 0x5A)


def open_image(stream: BinaryIO, size: int, *, expected: tuple[int, int] | None = None) -> Any:
    """Open an image without decoding it, and check the size in its header.

    Args:
        stream: stream of the file, at any position.
        size: size of the file in bytes.
        expected: width and height in the manifest; an image of this size is never too large.

    Returns:
        A Pillow image that is not decoded yet.

    Raises:
        ValueError: the image has too many pixels for the size of the file.
        PIL.UnidentifiedImageError: the file is not in a supported format.
        Exception: any exception that Pillow raises for a damaged header.
    """
    image = Image.open(stream, formats=formats())
    width, height = image.size
    if width * height > _allowed(size) and image.size != expected and _limited():
        image.close()
        raise ValueError(
            f"its header promises {width:,} x {height:,} pixels, but a file of {size:,} bytes can "
            f"hold {_allowed(size):,}; to open it anyway, set `PIL.Image.MAX_IMAGE_PIXELS = None`"
        )
    return image


def _limited() -> bool:
    return Image.MAX_IMAGE_PIXELS is not None


def _allowed(size: int) -> int:
    """Return the number of pixels that a file of `size` bytes can have."""
    return max(ALWAYS_PIXELS, RATIO * size)


def is_too_large(width: int, height: int, size: int, expected: tuple[int, int] | None) -> bool:
    """Return True if only Pillow should decode an image, because it warns or raises an error.

    Args:
        width, height: size in the header.
        size: size of the file in bytes.
        expected: height and width in the manifest, or None.
    """
    limit, pixels = Image.MAX_IMAGE_PIXELS, width * height
    if limit is None:
        return False
    is_expected = expected is not None and expected in {(height, width), (width, height)}
    return pixels > limit or (pixels > _allowed(size) and not is_expected)


@cache
def formats() -> tuple[str, ...]:
    """Return Pillow's names of the supported formats that the installed Pillow can read."""
    Image.init()
    return tuple(name for name in _NAMES if name in Image.OPEN)


def orientation(image: Any) -> int:
    """Return the EXIF orientation, or 1 if it is missing or unreadable."""
    if image.format != "TIFF" and _METADATA.isdisjoint(image.info):
        return 1
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # noqa: BLE001  # pixels are usable without metadata
        return 1


def load(image: Any, stream: BinaryIO) -> None:
    """Decode an image opened with `open_image`.

    Pillow leaves the pixels of missing rows unchanged. To detect them, PNG and GIF files are
    decoded into memory filled with a marker value. If the last pixel has this value, the file is
    decoded again with another marker. A pixel that matches both markers was never written.

    Raises:
        ValueError: rows are missing at the end.
        Exception: any exception that Pillow raises for a damaged file.
    """
    if image.format not in {"PNG", "GIF"}:
        image.load()
    elif _shows_mark(image, _MARKS[0]):
        stream.seek(0)
        with Image.open(stream, formats=[image.format]) as reopened:
            if _shows_mark(reopened, _MARKS[1]):
                raise ValueError("its last rows are missing")


def _shows_mark(image: Any, mark: int) -> bool:
    """Decode an image into memory filled with `mark`; return True if its last pixel is `mark`."""
    _, box, _, arguments = image.tile[0]
    bands, interlaced = len(image.getbands()), bool(image.info.get("interlace"))
    color = mark if bands == 1 else (mark,) * bands
    blank = Image.new(image.mode, image.size, color)
    if image.format == "GIF":
        interlaced = bool(arguments[1])
        image._frame_transparency = None  # noqa: SLF001  # else Pillow fills the image
        blank = Image.new(image.mode, image.size, image.info.get("transparency", 0))
        blank.paste(color, box)  # the first frame can be smaller than the image
    last = _last_written(box, interlaced=interlaced)
    expected = blank.getpixel(last)
    image.im = blank.im
    image.load()
    return bool(image.getpixel(last) == expected)


def _last_written(box: tuple[int, int, int, int], *, interlaced: bool) -> tuple[int, int]:
    """Return the position of the pixel that a decoder writes last.

    The last pass of an interlaced image writes the odd rows.
    """
    left, top, right, bottom = box
    if interlaced and bottom - top > 1:
        bottom -= (bottom - top) % 2
    elif interlaced and right - left > 1:  # the last pass of a single row writes odd columns
        right -= (right - left) % 2
    return right - 1, bottom - 1


@contextmanager
def decoding_errors(
    where: Callable[[], str], *, hint: str = HINT, data: bytes | memoryview = b""
) -> Iterator[None]:
    """Convert exceptions of decoding libraries to ReadError.

    Args:
        where: function that describes the file.
        hint: next step.
        data: contents of the file, to recognize pointers of Git LFS, git-annex and DVC.
    """
    try:
        yield
    except DshubError:
        raise
    except Exception as error:  # decoders raise arbitrary exceptions for damaged files
        reason = f"it cannot be decoded: {str(error) or type(error).__name__}"
        if isinstance(error, UnidentifiedImageError):
            reason = f"it is not an image in a supported format: {', '.join(formats())}"
        pointer = pointer_in(bytes(data[:LONGEST]))
        if pointer is not None:
            reason = f"it is {pointer.name}, not the file itself"
            hint = f"run `{pointer.command}` in its repository"
        raise ReadError(file=where(), reason=reason, hint=hint) from error
