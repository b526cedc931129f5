"""Receive the bytes of a file, and handle retries, slow sources, encodings and damaged chunks."""

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
from dshub.download.session import Session, host
from dshub.download.transports import Answer
from dshub.errors import TransportError

PIECE = 1 << 20  # maximum bytes per read

TRIES = 5  # consecutive tries without progress before giving up on a source
PROGRESS = 1000  # bytes that a try must receive to count as progress
TRIES_UNREACHABLE = 2  # consecutive tries before giving up on an unreachable host
PATIENCE = 2  # timeouts without progress before giving up on a source
LONGEST_WAIT = 30.0  # maximum seconds between tries

STREAMS = 8  # maximum connections per file
OBSERVED = 0.15  # minimum seconds for measuring a rate
WORTH = 0.5  # minimum remaining seconds of a download for adding a connection
PAUSE = 10.0  # seconds without new connections after a connection has failed
GAIN = 1.2  # minimum speedup by the previous new connections for adding more
FLOOR = 100_000  # bytes per second; slower sources are skipped if there are others

_ENCODINGS = {"gzip", "x-gzip", "deflate"}  # RFC 9110, 8.4.1
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS  # makes zlib detect the header
_OVERHEAD = 1 << 16  # maximum bytes that an encoding adds to a file


class TooSlow(Exception):  # noqa: N818  # caught inside this package
    """Raised when a source is slower than `FLOOR`. `rate` is in bytes per second."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate


class Pace:
    """Rate monitor for a source.

    Args:
        partial: download to measure.
        window: seconds per measurement.
    """

    def __init__(self, partial: Partial, window: float) -> None:
        self._partial, self._window = partial, window
        self._since, self._base = time.monotonic(), partial.size

    def check(self) -> None:
        """Raise TooSlow if the rate in the last window was below `FLOOR`."""
        seconds = time.monotonic() - self._since
        if seconds < self._window:
            return
        rate = (self._partial.size - self._base) / seconds
        if rate < FLOOR:
            raise TooSlow(rate)
        self._since, self._base = time.monotonic(), self._partial.size


class Growth:
    """Policy for adding connections to a download."""

    def __init__(self) -> None:
        self._since, self._base, self._before = time.monotonic(), 0, 0.0

    def begin(self, size: int) -> None:
        """Start measuring the rate of a download that has received `size` bytes."""
        self._since, self._base = time.monotonic(), size

    def pause(self) -> None:
        """Pause adding connections after a connection has failed."""
        self._since, self._before = time.monotonic() + PAUSE, 0.0

    def should_grow(self, size: int, total: int, streams: int) -> bool:
        """Return whether to add connections now, from the rate since the last measurement."""
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


class Tries:
    """Retry policy for a source.

    Attributes:
        fruitless: number of consecutive tries without progress.
    """

    def __init__(self, session: Session) -> None:
        self.fruitless = 0
        self._session, self._progress = session, time.monotonic()

    def count(self, error: TransportError, *, received: int) -> None:
        """Count a failed try; raise its error if the source should not be retried."""
        self.fruitless += 1
        if received >= PROGRESS:
            self.fruitless, self._progress = 1, time.monotonic()
        is_late = time.monotonic() - self._progress > PATIENCE * self._session.timeout
        limit = TRIES_UNREACHABLE if error.unreachable else TRIES
        is_over = self.fruitless >= limit or (is_late and self.fruitless > 1)
        delay = error.retry_after or 0.0
        if error.transient and not is_over and delay <= LONGEST_WAIT:
            return
        if error.unreachable:
            self._session.unreachable[host(error.url)] = error.reason
            self._session.say(f"{host(error.url)}: {error.reason}; not tried again")
        if delay > LONGEST_WAIT:
            raise error.noting(f"retry after {delay:,.0f} s")
        if error.transient and self.fruitless > 1:
            raise error.noting(f"{self.fruitless} tries")
        raise error


def receive(
    session: Session, partial: Partial, span: Span, answer: Answer, *, pace: Pace | None = None
) -> None:
    """Write an answer to a span, until the span is full or the answer ends."""
    limiter = session.limiter
    buffer = memoryview(bytearray(PIECE if limiter is None else min(PIECE, limiter.piece)))
    while not span.full:
        session.wait()
        count = answer.readinto(buffer[: span.room(len(buffer))])
        if not count:
            return
        session.progress.advance(partial.write(span, buffer[:count]))
        if limiter is not None:
            session.wait(limiter.take(count))
        if pace is not None:
            pace.check()


def has_more(answer: Answer) -> bool:
    """Return whether an answer has another byte, which is read and dropped."""
    return bool(answer.readinto(memoryview(bytearray(1))))


def receive_encoded(
    session: Session, url: str, answer: Answer, partial: Partial, bound: int
) -> Path:
    """Save an answer with a content encoding to a file, and return its path.

    The file is decoded unless its raw bytes already have the expected checksum.

    Raises:
        TransportError: the answer cannot be decoded.
    """
    raw, plain = partial.path / "encoded", partial.path / "decoded"
    buffer, remaining = memoryview(bytearray(PIECE)), bound + _OVERHEAD
    with disk_faults(raw, "write"), new_file(raw) as file:
        while remaining and (count := answer.readinto(buffer[:remaining])):
            session.wait()
            file.write(buffer[:count])
            remaining -= count
    if partial.digest.fits(raw):
        return raw
    decode(url, raw, plain, answer.encoding, bound)
    raw.unlink()
    return plain


def decode(url: str, source: Path, target: Path, encoding: str, max_size: int) -> None:
    """Decode the file `source` to `target`, and stop after `max_size` bytes plus one.

    Raises:
        TransportError: the encoding is unknown, or the file is not in this encoding.
    """
    if encoding not in _ENCODINGS:
        reason = f"it was sent with the unsupported content encoding {encoding!r}"
        raise TransportError(url=url, reason=reason)
    decoder, remaining, pending = zlib.decompressobj(_GZIP_OR_ZLIB), max_size + 1, b""
    with disk_faults(target, "write"), open_file(source) as encoded, new_file(target) as file:
        while remaining and not decoder.eof and (pending := pending or encoded.read(1 << 16)):
            try:
                piece = decoder.decompress(pending, min(remaining, PIECE))
            except zlib.error as error:
                reason = f"it is not {encoding}, contrary to its Content-Encoding"
                raise TransportError(url=url, reason=reason) from error
            pending = decoder.unconsumed_tail
            file.write(piece)
            remaining -= len(piece)


def find_damage(partial: Partial, resource: Resource) -> list[int]:
    """Return the start and stop of each damaged chunk, as one flat list.

    The list is empty if the manifest has no checksums of chunks, if bytes are missing, or if every
    chunk is damaged, because then it is probably a different file.
    """
    if not resource.chunks or not partial.complete(resource.size):
        return []
    offsets = list(_wrong_chunks(partial, resource))
    return offsets if len(offsets) < 2 * len(resource.chunks) else []


def keep_good_chunks(partial: Partial, resource: Resource) -> None:
    """Drop chunks with wrong checksums."""
    partial.forget(*_wrong_chunks(partial, resource))


def _wrong_chunks(partial: Partial, resource: Resource) -> Iterator[int]:
    for number, expected in enumerate(resource.chunks):
        start, stop = number * CHUNK, (number + 1) * CHUNK
        stop = min(stop, resource.size or stop)
        if Digest.of_bytes(partial.read(start, stop)).hex != expected:
            yield from (start, stop)
