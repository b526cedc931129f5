"""Reading and writing a file at offsets, from several threads at once."""

import os
import threading

_seeking = threading.Lock()  # of systems that cannot do both in one call


def write_at(file: int, piece: memoryview, offset: int) -> int:
    """Write some of `piece` at an offset of a descriptor; returns how many bytes."""
    if hasattr(os, "pwrite"):
        return os.pwrite(file, piece, offset)
    with _seeking:
        os.lseek(file, offset, os.SEEK_SET)
        return os.write(file, piece)


def read_at(file: int, buffer: memoryview, offset: int) -> int:
    """Fill some of `buffer` from an offset of a descriptor; returns how much, 0 at the end."""
    if hasattr(os, "preadv"):
        return os.preadv(file, [buffer], offset)
    with _seeking:
        os.lseek(file, offset, os.SEEK_SET)
        piece = os.read(file, len(buffer))
    buffer[: len(piece)] = piece
    return len(piece)
