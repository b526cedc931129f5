"""A decompressor's own exceptions, turned into errors that name the file."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from dshub.errors import ReadError

if TYPE_CHECKING:
    from typing_extensions import Buffer


@contextmanager
def translated(name: str, errors: tuple[type[Exception], ...]) -> Iterator[None]:
    """Raise ReadError, with the file's name, in place of any of `errors`."""
    try:
        yield
    except errors as error:
        reason = str(error) or type(error).__name__
        raise ReadError(file=name, reason=f"it is damaged: {reason}") from error


class CheckedStream(io.BufferedIOBase, BinaryIO):
    """A stream whose damage is reported as ReadError with the name of the file."""

    def __init__(self, stream: BinaryIO, name: str, errors: tuple[type[Exception], ...]) -> None:
        self._stream, self._name, self._errors = stream, name, errors

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        with translated(self._name, self._errors):
            return self._stream.read(-1 if size is None else size)

    def readinto(self, buffer: "Buffer") -> int:
        with translated(self._name, self._errors):
            count: int = self._stream.readinto(buffer)  # type: ignore[attr-defined]
            return count
