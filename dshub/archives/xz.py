"""xz (LZMA2), several streams in a row included, each checked at its end."""

import lzma
from typing import BinaryIO, ClassVar, cast

from dshub.archives._decoding import Damage, Decoded, buffered

_MEMORY = 512 << 20  # bytes a stream may make us keep; `xz -9` needs 65 MiB


class Xz:
    """One compressed stream."""

    suffix: ClassVar[str] = ".xz"
    tar_suffixes: ClassVar[tuple[str, ...]] = (".txz",)
    errors: ClassVar[tuple[type[Exception], ...]] = (Damage, lzma.LZMAError)

    def matches(self, head: bytes) -> bool:
        return head.startswith(b"\xfd7zXZ\x00")

    def open(self, raw: BinaryIO) -> BinaryIO:
        return buffered(Decoded(raw, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, _MEMORY)))

    def write(self, raw: BinaryIO) -> BinaryIO:
        return cast("BinaryIO", lzma.LZMAFile(raw, "wb", preset=0))


archive = Xz()
