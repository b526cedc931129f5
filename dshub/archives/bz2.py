"""bzip2, several streams in a row included, each checked against its CRC.

There is no specification but the program. A stream begins with `BZh`, a digit for the size of its
blocks, and the magic number of a block or, where it is empty, of its end.
"""

import bz2
from typing import BinaryIO, ClassVar, cast

from dshub.archives._decoding import Damage, Decoded, buffered

_BLOCK = b"\x31\x41\x59\x26\x53\x59"
_END = b"\x17\x72\x45\x38\x50\x90"


class Bzip2:
    """One compressed stream."""

    suffix: ClassVar[str] = ".bz2"
    tar_suffixes: ClassVar[tuple[str, ...]] = (".tbz2", ".tbz")
    errors: ClassVar[tuple[type[Exception], ...]] = (Damage, OSError, ValueError)

    def matches(self, head: bytes) -> bool:
        return head[:3] == b"BZh" and head[3:4] in b"123456789" and head[4:10] in {_BLOCK, _END}

    def open(self, raw: BinaryIO) -> BinaryIO:
        return buffered(Decoded(raw, bz2.BZ2Decompressor))

    def write(self, raw: BinaryIO) -> BinaryIO:
        return cast("BinaryIO", bz2.BZ2File(raw, "wb", compresslevel=1))


archive = Bzip2()
