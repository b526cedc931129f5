"""Streams of one file: ranges, content encodings, damaged chunks.

Which pieces of a large file are damaged, where its manifest knows a checksum of each.
"""

import logging
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

from dshub.cache.disk import disk_faults
from dshub.cache.files import new_file, open_file
from dshub.cache.partial import Partial
from dshub.cache.spans import Span
from dshub.catalog.manifest import CHUNK, Resource
from dshub.checksums import Digest
from dshub.download.session import Helpable, Session, Stopped
from dshub.download.transports import Answer
from dshub.errors import DshubError, TransportError


def damaged(partial: Partial, resource: Resource) -> list[int]:
    """Where damaged chunks begin and end, in turn.

    Empty where the manifest has no checksums of chunks, where bytes are missing, or where every
    chunk is damaged: then it is another file altogether.
    """
    if not resource.chunks or not partial.complete(resource.size):
        return []
    wrong = list(_wrong(partial, resource))
    return wrong if len(wrong) < 2 * len(resource.chunks) else []


def sift(partial: Partial, resource: Resource) -> None:
    """Keep the chunks that are right, of bytes of which nothing is known."""
    partial.forget(*_wrong(partial, resource))


def _wrong(partial: Partial, resource: Resource) -> Iterator[int]:
    for number, expected in enumerate(resource.chunks):
        start, stop = number * CHUNK, (number + 1) * CHUNK
        stop = min(stop, resource.size or stop)
        if Digest.of_bytes(partial.read(start, stop)).hex != expected:
            yield from (start, stop)


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


STREAMS = 8  # connections for one file, at most
SMALLEST_PART, LARGEST_PART = 1 << 20, 16 << 20  # bytes asked for at a time by further streams
OBSERVED = 0.15  # seconds after which a stream's rate is believed
WORTH = 0.5  # seconds that a download must still have before it, to be worth a connection more
REST = 10.0  # seconds without a further connection after one has failed
GAIN = 1.2  # by how much more connections must have raised the rate to be worth even more

FLOOR = 100_000  # bytes a second below which a source is left while there are others
WINDOWS = 3  # rates are looked at over the time-out divided by this

_log = logging.getLogger("dshub")


class TooSlow(Exception):  # noqa: N818  # never seen outside the fetcher
    """The source delivers, but less than `FLOOR`; `rate` is in bytes a second."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate


class Pace:
    """Watches a source, and leaves one below the floor."""

    def __init__(self, partial: Partial, window: float) -> None:
        self._partial, self._window = partial, window
        self._since, self._base = time.monotonic(), partial.size

    def check(self) -> None:
        """Raise TooSlow if too little has arrived in the last window."""
        seconds = time.monotonic() - self._since
        if seconds < self._window:
            return
        rate = (self._partial.size - self._base) / seconds
        if rate < FLOOR:
            raise TooSlow(rate)
        self._since, self._base = time.monotonic(), self._partial.size


def receive(
    session: Session, partial: Partial, span: Span, answer: Answer, *, pace: Pace | None = None
) -> None:
    """Fill a span from an answer, until it is full or the answer ends."""
    buffer, limiter = session.buffer(), session.limiter
    if limiter is not None:
        buffer = buffer[: limiter.piece]
    while not span.full:
        if session.stop.is_set():
            raise Stopped
        count = answer.readinto(buffer[: span.room(len(buffer))])
        if not count:
            return
        session.count(partial.write(span, buffer[:count]))
        if limiter is not None:
            session.wait(limiter.take(count))
        if pace is not None:
            pace.check()


class Growth:
    """Whether a download would gain from more connections than it has."""

    def __init__(self) -> None:
        self._since, self._base, self._before = time.monotonic(), 0, 0.0

    def begin(self, size: int) -> None:
        """Begin to measure: so many bytes are there."""
        self._since, self._base = time.monotonic(), size

    def rest(self) -> None:
        """Wait before any more are added: the source may want no more, or be in trouble."""
        self._since, self._before = time.monotonic() + REST, 0.0

    def wanted(self, size: int, total: int, streams: int) -> bool:
        """Whether to add connections now; believes what it has seen since the last time."""
        seconds = time.monotonic() - self._since
        if seconds < 0:
            self._base = size
        rate = (size - self._base) / max(seconds, 1e-6)
        if seconds < OBSERVED or streams >= STREAMS or total - size < rate * WORTH:
            return False
        if streams > 1 and rate < GAIN * self._before:
            return False
        self._before = rate
        self.begin(size)
        return True


def help_out(download: Helpable) -> None:
    """Fetch parts of a file beside its lead connection, until no part is left.

    A failure is not retried here: the lead connection and the other helpers get what is missing.
    """
    session, partial, failed = download.session, download.partial, False
    size = download.job.resource.size
    try:
        while size is not None and download.ranges and not session.stop.is_set():
            part = (size - partial.size) // (2 * STREAMS)
            span = partial.claim(size, most=min(max(part, SMALLEST_PART), LARGEST_PART))
            if span is None:
                return
            try:
                _part(download, span, size)
            finally:
                partial.release(span)
    except Stopped:
        pass
    except (DshubError, OSError, ValueError) as error:  # the leading stream meets it, if it lasts
        _log.info("a connection less: %s", error)
        failed = True
    finally:
        download.leave(failed=failed)


def _part(download: Helpable, span: Span, size: int) -> None:
    url, etag = download.url, download.etag
    transport = download.session.transport(url)
    with transport.open(url, start=span.start, stop=span.stop, etag=etag) as answer:
        if answer.start != span.start or answer.total not in {None, size} or answer.encoding:
            download.ranges = False
            raise TransportError(url=url, reason="it does not give parts of the file")
        receive(download.session, download.partial, span, answer)
    if span.position == span.start and not span.full:
        raise TransportError(url=url, reason="it gave nothing of a part")


def start_helper(download: Helpable) -> threading.Thread:
    """Start a thread that helps a download."""
    download.join()
    thread = threading.Thread(target=help_out, args=(download,), daemon=True, name="dshub-part")
    thread.start()
    return thread
