"""Answers that were compressed for the way although that was not asked for.

Some servers do that whatever one asks for; others only label a stored `.gz` as encoded. The bytes
as they came are therefore taken first, and decoded only if they are not the published ones.
"""

import zlib
from pathlib import Path

from dshub.errors import TransportError
from dshub.fetcher.session import Session, Stopped
from dshub.files import new_file, open_file
from dshub.store.faults import disk_faults
from dshub.transports import Answer

# how zlib is told what to expect (RFC 9110, 8.4.1): a gzip header, or a zlib header
_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_OVERHEAD = 1 << 16  # bytes by which an encoded file may be longer than the plain one


def receive_encoded(session: Session, answer: Answer, target: Path, most: int) -> None:
    """Write the bytes of an answer to a file as they come: those of a file of `most` bytes."""
    buffer, left = session.buffer(), most + _OVERHEAD
    with disk_faults(target, "write"), new_file(target) as file:
        while left and (count := answer.readinto(buffer[:left])):
            if session.stop.is_set():
                raise Stopped
            file.write(buffer[:count])
            left -= count


def decode(url: str, source: Path, target: Path, encoding: str, most: int) -> None:
    """Write the decoded bytes of a file to another: one more than `most`, which says enough.

    Raises:
        TransportError: the encoding is unknown, or the bytes are not in it.
    """
    if encoding not in _BITS:
        reason = f"it was sent encoded as {encoding!r} although that was not asked for"
        raise TransportError(url=url, reason=reason)
    decoder, left = zlib.decompressobj(_BITS[encoding]), most + 1
    with disk_faults(target, "write"), open_file(source) as plain, new_file(target) as file:
        pending = b""
        while left and not decoder.eof and (pending := pending or plain.read(1 << 16)):
            try:
                piece = decoder.decompress(pending, min(left, 1 << 20))
            except zlib.error as error:
                reason = f"it is not {encoding}, as its Content-Encoding says"
                raise TransportError(url=url, reason=reason) from error
            pending = decoder.unconsumed_tail
            file.write(piece)
            left -= len(piece)
