"""Zstandard (RFC 8878), several frames in a row and skippable ones included."""

from typing import BinaryIO, ClassVar, cast

from dshub.archives._decoding import MAGIC, Damage, Frames, buffered, is_skippable


class Zstandard:
    """One compressed stream."""

    suffix: ClassVar[str] = ".zst"
    tar_suffixes: ClassVar[tuple[str, ...]] = (".tzst",)
    errors: ClassVar[tuple[type[Exception], ...]] = (Damage,)

    def matches(self, head: bytes) -> bool:
        return head.startswith(MAGIC) or is_skippable(head[:4])

    def open(self, raw: BinaryIO) -> BinaryIO:
        return buffered(Frames(raw))

    def write(self, raw: BinaryIO) -> BinaryIO:
        import zstandard  # only to write: listing and fetching do without

        compressor = zstandard.ZstdCompressor(level=1, write_checksum=True)
        return cast("BinaryIO", compressor.stream_writer(raw, closefd=False))


archive = Zstandard()
