"""A file that has to be read from its end, such as a zip or a Parquet file."""

import io
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from dshub.errors import StoreError

if TYPE_CHECKING:
    from dshub.readers import File

_PIECE = 1 << 20  # bytes copied at a time


@contextmanager
def seekable(file: "File") -> Iterator[BinaryIO]:
    """The bytes of a file, copied to a temporary one, which is gone afterwards.

    Files come as streams, for they lie in archives and in compressions.

    Raises:
        ReadError: the file is damaged.
        StoreError: there is no space for the copy, or no folder for it.
    """
    with ExitStack() as stack:
        with _translated():
            copy = stack.enter_context(tempfile.TemporaryFile(buffering=0))
        with file.open() as stream:
            while piece := stream.read(_PIECE):
                _write(copy, piece)
        copy.seek(0)
        yield cast("BinaryIO", io.BufferedReader(copy))


def _write(copy: io.FileIO, piece: bytes) -> None:
    view = memoryview(piece)
    with _translated():
        while view:
            view = view[copy.write(view) :]


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = "make space there, or name another folder in the environment variable TMPDIR"
        reason = error.strerror or str(error)
        folder = tempfile.tempdir or "a temporary file"
        raise StoreError(path=folder, action="write", reason=reason, hint=hint) from error
