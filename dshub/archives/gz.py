"""gzip (RFC 1952), several members in a row included, checked against its CRC at the end."""

import gzip
import zlib
from typing import BinaryIO, ClassVar, cast


class Gzip:
    """One compressed stream."""

    suffix: ClassVar[str] = ".gz"
    errors: ClassVar[tuple[type[Exception], ...]] = (gzip.BadGzipFile, EOFError, zlib.error)

    def matches(self, head: bytes) -> bool:
        return head.startswith(b"\x1f\x8b\x08")

    def open(self, raw: BinaryIO) -> BinaryIO:
        return cast("BinaryIO", gzip.GzipFile(fileobj=raw, mode="rb"))

    def write(self, raw: BinaryIO) -> BinaryIO:
        file = gzip.GzipFile("", fileobj=raw, mode="wb", compresslevel=1, mtime=0)
        return cast("BinaryIO", file)


archive = Gzip()
