"""Zstandard of the standard library, or its backport."""

import sys

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def decompress(data: bytes) -> bytes:
    """The content of every frame."""
    return zstd.decompress(data)


def compress(data: bytes, level: int = 3, *, checksum: bool = False, sized: bool = True) -> bytes:
    """One frame, with or without its checksum and the size of its content."""
    parameter = zstd.CompressionParameter
    options: dict[int, int] = {
        parameter.compression_level: level,
        parameter.checksum_flag: checksum,
        parameter.content_size_flag: sized,
    }
    return zstd.compress(data, options=options)


def flushed(data: bytes, step: int) -> bytes:
    """One frame of many blocks that does not say how much is in it."""
    compressor = zstd.ZstdCompressor()
    blocks = [
        compressor.compress(data[start : start + step], zstd.ZstdCompressor.FLUSH_BLOCK)
        for start in range(0, len(data), step)
    ]
    return b"".join(blocks) + compressor.flush()
