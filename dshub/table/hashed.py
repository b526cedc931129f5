"""Writing a file and knowing its checksum at the end, without reading it again."""

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dshub.digest import Digest

if TYPE_CHECKING:
    from typing_extensions import Buffer

_PIECE = 16 << 20  # bytes written, and hashed in a thread beside that, at a time


class HashedFile(io.RawIOBase):
    """A new file that is hashed while it is written."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=0)
        self._hasher, self._beside = hashlib.sha256(), ThreadPoolExecutor(1)

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: "Buffer") -> int:
        """Take all bytes; raises OSError."""
        view = memoryview(data).cast("B")
        for begin in range(0, len(view), _PIECE):
            piece = view[begin : begin + _PIECE]
            hashed = self._beside.submit(self._hasher.update, piece)
            try:
                while piece:
                    piece = piece[cast("int", self._file.write(piece)) :]
            finally:
                hashed.result()
        return len(view)

    @property
    def digest(self) -> Digest:
        """The checksum of what was written so far."""
        return Digest("sha256", self._hasher.hexdigest())

    def close(self) -> None:
        """Close it."""
        if not self.closed:
            super().close()
            self._beside.shutdown()
            self._file.close()
