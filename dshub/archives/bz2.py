"""bzip2 files with any number of streams; CRCs are checked.

A stream begins with `BZh`, a digit for the block size, and the magic number of a block, or of the
stream's end if it is empty. The bzip2 program is the only specification.
"""

import bz2
from typing import BinaryIO, ClassVar, cast

from dshub.archives._decoding import ByteStream, Decoded

_BLOCK = b"\x31\x41\x59\x26\x53\x59"
_END = b"\x17\x72\x45\x38\x50\x90"


class Bzip2:
    """The bzip2 compression format."""

    suffix: ClassVar[str] = ".bz2"
    tar_suffixes: ClassVar[tuple[str, ...]] = (".tbz2", ".tbz")

    def matches(self, head: bytes) -> bool:
        return head[:3] == b"BZh" and head[3:4] in b"123456789" and head[4:10] in {_BLOCK, _END}

    def open(self, raw: ByteStream) -> ByteStream:
        return Decoded(raw, bz2.BZ2Decompressor, (OSError, ValueError))

    def write(self, raw: BinaryIO) -> BinaryIO:
        return cast("BinaryIO", bz2.BZ2File(raw, "wb", compresslevel=1))


archive = Bzip2()
