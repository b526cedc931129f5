"""gzip (RFC 1952), several members in a row included, each checked against its CRC at its end."""

import gzip
from typing import BinaryIO, ClassVar, cast

from dshub.archives._decoding import GZIP, Damage, Decoded, Inflate, buffered


class Gzip:
    """One compressed stream."""

    suffix: ClassVar[str] = ".gz"
    tar_suffixes: ClassVar[tuple[str, ...]] = (".tgz", ".taz")
    errors: ClassVar[tuple[type[Exception], ...]] = (Damage,)

    def matches(self, head: bytes) -> bool:
        return head.startswith(b"\x1f\x8b\x08")

    def open(self, raw: BinaryIO) -> BinaryIO:
        return buffered(Decoded(raw, lambda: Inflate(GZIP)))

    def write(self, raw: BinaryIO) -> BinaryIO:
        file = gzip.GzipFile("", fileobj=raw, mode="wb", compresslevel=1, mtime=0)
        return cast("BinaryIO", file)


archive = Gzip()
