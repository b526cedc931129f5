"""Use the standard library's Zstandard, or its backport."""

import sys

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def decompress(data: bytes) -> bytes:
    """Decompress all frames."""
    return zstd.decompress(data)


def compress(data: bytes, level: int = 3, *, checksum: bool = False, sized: bool = True) -> bytes:
    """Compress to one frame, with or without a checksum and the content size."""
    parameter = zstd.CompressionParameter
    options: dict[int, int] = {
        parameter.compression_level: level,
        parameter.checksum_flag: checksum,
        parameter.content_size_flag: sized,
    }
    return zstd.compress(data, options=options)


def flushed(data: bytes, step: int) -> bytes:
    """Compress to one frame of many blocks, without the content size."""
    compressor = zstd.ZstdCompressor()
    blocks = [
        compressor.compress(data[start : start + step], zstd.ZstdCompressor.FLUSH_BLOCK)
        for start in range(0, len(data), step)
    ]
    return b"".join(blocks) + compressor.flush()
