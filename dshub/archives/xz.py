"""xz (LZMA2)."""

import lzma
from typing import BinaryIO, ClassVar, cast


class Xz:
    """One compressed stream."""

    suffix: ClassVar[str] = ".xz"
    errors: ClassVar[tuple[type[Exception], ...]] = (lzma.LZMAError, EOFError)

    def matches(self, head: bytes) -> bool:
        return head.startswith(b"\xfd7zXZ\x00")

    def open(self, raw: BinaryIO) -> BinaryIO:
        return cast("BinaryIO", lzma.LZMAFile(raw, "rb"))

    def write(self, raw: BinaryIO) -> BinaryIO:
        return cast("BinaryIO", lzma.LZMAFile(raw, "wb", preset=0))


archive = Xz()
