"""What the beginning of a picture or of a recording says of it."""

import io
import struct
import warnings
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, BinaryIO

from dshub.authoring.survey import Entry
from dshub.errors import ReadError

_ORIENTATION = 0x0112  # EXIF's tag; from 5 on, width and height change places
_TURNED = range(5, 9)


@dataclass(frozen=True)
class Picture:
    """A picture: `encoding` is a feature's, `shape` height, width and channels, 1 or 3."""

    encoding: str
    shape: tuple[int, int, int]


@dataclass(frozen=True)
class Recording:
    """A recording: samples a second, and channels."""

    encoding: str
    rate: int
    channels: int


def picture(entry: Entry) -> Picture:
    """What a picture's header says; raises ReadError where it is no picture that can be read."""
    from PIL import Image, UnidentifiedImageError

    with ExitStack() as stack:
        if entry.file.member:
            stream: BinaryIO = io.BytesIO(stack.enter_context(entry.file.open()).read())
        else:  # its header alone is read
            stream = stack.enter_context(entry.path.open("rb"))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # large ones are welcome
        try:
            found = stack.enter_context(Image.open(stream))
            width, height = reversed(found.size) if _is_turned(found) else found.size
        except UnidentifiedImageError:
            raise ReadError(file=entry.file.name, reason="it is no picture") from None
        except Exception as error:  # on damaged bytes, Pillow raises whatever it meets
            reason = f"it is no picture that can be read: {str(error) or type(error).__name__}"
            raise ReadError(file=entry.file.name, reason=reason) from error
        channels = 1 if found.mode in {"1", "L", "I", "I;16", "F"} else 3
        form = (found.format or "").lower()
    return Picture(form if form in {"jpeg", "png"} else "any", (height, width, channels))


def _is_turned(found: Any) -> bool:  # an open picture
    try:
        return found.getexif().get(_ORIENTATION) in _TURNED
    except Exception:  # noqa: BLE001  # the pixels are there whatever the notes beside them say
        return False


def recording(entry: Entry) -> Recording:
    """What a recording's header says: of WAV its `fmt ` chunk, of FLAC its STREAMINFO (RFC 9639).

    Raises:
        ReadError: it is neither.
    """
    head = entry.head()
    if head[:4] == b"fLaC" and len(head) >= 21:
        packed = int.from_bytes(head[18:21], "big")
        return Recording("flac", packed >> 4, (packed >> 1 & 7) + 1)
    place = 12
    while head[:4] == b"RIFF" and head[8:12] == b"WAVE" and place + 16 <= len(head):
        name, length = struct.unpack_from("<4sI", head, place)
        if name == b"fmt ":
            _, channels, rate = struct.unpack_from("<HHI", head, place + 8)
            return Recording("wav", rate, channels)
        place += 8 + length + length % 2
    raise ReadError(file=entry.file.name, reason="it is neither WAV nor FLAC")
