"""xz files (LZMA2) with any number of streams; checksums are verified."""

import lzma
from functools import partial
from typing import BinaryIO, ClassVar, cast

from dshub.archives._decoding import ByteStream, Decoded

_MEMORY = 512 << 20  # limit in bytes for decoding a stream; `xz -9` needs 65 MiB


class Xz:
    """The xz compression format."""

    suffix: ClassVar[str] = ".xz"
    tar_suffixes: ClassVar[tuple[str, ...]] = (".txz",)

    def matches(self, head: bytes) -> bool:
        return head.startswith(b"\xfd7zXZ\x00")

    def open(self, raw: ByteStream) -> ByteStream:
        begin = partial(lzma.LZMADecompressor, lzma.FORMAT_XZ, _MEMORY)
        return Decoded(raw, begin, lzma.LZMAError)

    def write(self, raw: BinaryIO) -> BinaryIO:
        return cast("BinaryIO", lzma.LZMAFile(raw, "wb", preset=0))


archive = Xz()
