"""A file that has to be read from its end, such as a zip or a Parquet file."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from dshub.errors import DiskFullError

if TYPE_CHECKING:
    from dshub.readers import File

_PIECE = 1 << 20  # bytes copied at a time


@contextmanager
def seekable(file: "File") -> Iterator[BinaryIO]:
    """The bytes of a file, copied to a temporary one, which is gone afterwards.

    Files come as streams, for they lie in archives and in compressions.

    Raises:
        ReadError: the file is damaged.
        DiskFullError: there is no space for the copy.
    """
    with tempfile.TemporaryFile() as copy:
        with file.open() as stream:
            while piece := stream.read(_PIECE):
                _write(cast("BinaryIO", copy), piece)
        copy.seek(0)
        yield cast("BinaryIO", copy)


def _write(copy: BinaryIO, piece: bytes) -> None:
    try:
        copy.write(piece)
        copy.flush()
    except OSError as error:
        folder = tempfile.gettempdir()
        raise DiskFullError(path=folder, reason=error.strerror or str(error)) from error
