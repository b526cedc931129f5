"""Files without a header: records of one size, one after the other."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

import numpy as np

from dshub.errors import ReadError

if TYPE_CHECKING:
    from dshub.readers import File

BATCH_BYTES = 8 << 20  # of all columns together


class Bytes(Protocol):
    """What is read like a stream."""

    def readinto(self, view: Any, /) -> int | None:
        """The number of bytes that were read; 0 at the end."""


def fill(stream: BinaryIO | Bytes, array: np.ndarray) -> int:
    """Read into a contiguous array; the number of bytes is smaller only at the end."""
    view = memoryview(cast("Any", array.reshape(-1).view(np.uint8)))
    filled = 0
    while filled < len(view):
        count = cast("Any", stream).readinto(view[filled:])
        if not count:
            break
        filled += count
    return filled


def records(file: "File", stream: BinaryIO, size: int, *, step: int) -> Iterator[np.ndarray]:
    """The records of a file, uint8, (records, size), `step` at a time; the last may be fewer.

    Raises:
        ReadError: the file ends within a record.
    """
    offset = 0
    while True:
        found = np.empty((step, size), np.uint8)
        filled = fill(stream, found)
        whole, rest = divmod(filled, size)
        if rest:
            place = offset + filled - rest
            reason = (
                f"it ends within a record: {rest:,} bytes follow at byte {place:,}, "
                f"and a record has {size:,}"
            )
            raise ReadError(file=file.name, reason=reason)
        if whole:
            yield found[:whole]
        if whole < step:
            return
        offset += filled


def channels_last(planes: np.ndarray) -> np.ndarray:
    """(rows, channels, height, width) as (rows, height, width, channels), contiguous.

    A channel at a time: that is three times as fast as NumPy's copy of the transposed whole.
    """
    rows, channels, height, width = planes.shape
    pictures = np.empty((rows, height, width, channels), planes.dtype)
    for channel in range(channels):
        pictures[..., channel] = planes[:, channel]
    return pictures
