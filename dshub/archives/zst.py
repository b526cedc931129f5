"""Zstandard files (RFC 8878) with any number of frames, including skippable frames."""

from typing import BinaryIO, ClassVar, cast

from dshub.archives._decoding import ByteStream, unzstd, zstandard

_MAGIC = b"\x28\xb5\x2f\xfd"


class Zstandard:
    """The Zstandard compression format."""

    suffix: ClassVar[str] = ".zst"
    tar_suffixes: ClassVar[tuple[str, ...]] = (".tzst",)

    def matches(self, head: bytes) -> bool:
        return head.startswith(_MAGIC) or _is_skippable(head[:4])

    def open(self, raw: ByteStream) -> ByteStream:
        return unzstd(raw)

    def write(self, raw: BinaryIO) -> BinaryIO:
        zstd = zstandard()
        parameter = zstd.CompressionParameter
        options = {parameter.compression_level: 1, parameter.checksum_flag: 1}
        return cast("BinaryIO", zstd.ZstdFile(raw, "wb", options=options))


def _is_skippable(magic: bytes) -> bool:
    """Return True if a frame with this magic number contains no data (RFC 8878, 3.1.2)."""
    return magic[1:4] == b"\x2a\x4d\x18" and magic[0] & 0xF0 == 0x50


archive = Zstandard()
