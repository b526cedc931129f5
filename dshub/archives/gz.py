"""gzip files (RFC 1952) with any number of members; CRCs are checked."""

import gzip
from functools import partial
from typing import BinaryIO, ClassVar, cast

from dshub.archives._decoding import GZIP, ByteStream, Decoded, Inflate


class Gzip:
    """The gzip compression format."""

    suffix: ClassVar[str] = ".gz"
    tar_suffixes: ClassVar[tuple[str, ...]] = (".tgz", ".taz")

    def matches(self, head: bytes) -> bool:
        return head.startswith(b"\x1f\x8b\x08")

    def open(self, raw: ByteStream) -> ByteStream:
        return Decoded(raw, partial(Inflate, GZIP))

    def write(self, raw: BinaryIO) -> BinaryIO:
        file = gzip.GzipFile("", fileobj=raw, mode="wb", compresslevel=1, mtime=0)
        return cast("BinaryIO", file)


archive = Gzip()
