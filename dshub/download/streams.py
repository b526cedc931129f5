"""Receive the bytes of one file: retries, rates, content encodings, damaged chunks."""

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

PIECE = 1 << 20  # bytes read at a time, at most

TRIES = 5  # in a row, without progress, before a source is given up
PROGRESS = 1000  # bytes that a try must bring to count as progress
TRIES_UNREACHABLE = 2  # the same, for a host that cannot be reached at all
PATIENCE = 2  # timeouts without progress after which a source is given up
LONGEST_WAIT = 30.0  # seconds between two tries

STREAMS = 8  # connections for one file, at most
OBSERVED = 0.15  # seconds after which a rate is believed
WORTH = 0.5  # seconds that a download must still take to be worth another connection
REST = 10.0  # seconds without a new connection after one has failed
GAIN = 1.2  # more connections must have raised the rate by this factor to be worth even more
FLOOR = 100_000  # bytes per second; a slower source is left while there are others

_ENCODINGS = {"gzip", "x-gzip", "deflate"}  # RFC 9110, 8.4.1
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS  # detect the header
_OVERHEAD = 1 << 16  # bytes that encoding may add to a file


class TooSlow(Exception):  # noqa: N818  # never leaves this package
    """The source delivers less than `FLOOR`; `rate` is in bytes per second."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate


class Pace:
    """Watches the rate of a source.

    Args:
        partial: the bytes that arrive.
        window: seconds over which a rate is measured.
    """

    def __init__(self, partial: Partial, window: float) -> None:
        self._partial, self._window = partial, window
        self._since, self._base = time.monotonic(), partial.size

    def check(self) -> None:
        """Raise TooSlow if too little arrived in the last window."""
        seconds = time.monotonic() - self._since
        if seconds < self._window:
            return
        rate = (self._partial.size - self._base) / seconds
        if rate < FLOOR:
            raise TooSlow(rate)
        self._since, self._base = time.monotonic(), self._partial.size


class Growth:
    """Decides when a download gets more connections."""

    def __init__(self) -> None:
        self._since, self._base, self._before = time.monotonic(), 0, 0.0

    def begin(self, size: int) -> None:
        """Begin to measure, with so many bytes there."""
        self._since, self._base = time.monotonic(), size

    def rest(self) -> None:
        """Add none for a while: the source may refuse more, or be in trouble."""
        self._since, self._before = time.monotonic() + REST, 0.0

    def wanted(self, size: int, total: int, streams: int) -> bool:
        """Tell whether to add connections now, from the rate since the last time."""
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
    """Decides whether to try a source again.

    Attributes:
        fruitless: tries in a row without progress.
    """

    def __init__(self, session: Session) -> None:
        self.fruitless = 0
        self._session, self._progress = session, time.monotonic()

    def count(self, error: TransportError, *, received: int) -> None:
        """Count a failed try; raise its error if another is of no use."""
        self.fruitless += 1
        if received >= PROGRESS:
            self.fruitless, self._progress = 1, time.monotonic()
        late = time.monotonic() - self._progress > PATIENCE * self._session.timeout
        most = TRIES_UNREACHABLE if error.unreachable else TRIES
        spent = self.fruitless >= most or (late and self.fruitless > 1)
        asked = error.retry_after or 0.0
        if error.transient and not spent and asked <= LONGEST_WAIT:
            return
        if error.unreachable:
            self._session.unreachable[host(error.url)] = error.reason
            self._session.say(f"{host(error.url)}: {error.reason}; not asked again")
        if asked > LONGEST_WAIT:
            raise error.noting(f"it asks to wait {asked:,.0f} s")
        if error.transient and self.fruitless > 1:
            raise error.noting(f"{self.fruitless} tries")
        raise error


def receive(
    session: Session, partial: Partial, span: Span, answer: Answer, *, pace: Pace | None = None
) -> None:
    """Fill a span from an answer, until it is full or the answer ends."""
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
    """Tell whether an answer has another byte, which is dropped."""
    return bool(answer.readinto(memoryview(bytearray(1))))


def receive_encoded(
    session: Session, url: str, answer: Answer, partial: Partial, bound: int
) -> Path:
    """Save an answer with a content encoding as a file: as it comes, or decoded, whichever fits.

    Raises:
        TransportError: it is not in that encoding.
    """
    raw, plain = partial.path / "encoded", partial.path / "decoded"
    buffer, left = memoryview(bytearray(PIECE)), bound + _OVERHEAD
    with disk_faults(raw, "write"), new_file(raw) as file:
        while left and (count := answer.readinto(buffer[:left])):
            session.wait()
            file.write(buffer[:count])
            left -= count
    if partial.digest.fits(raw):
        return raw
    decode(url, raw, plain, answer.encoding, bound)
    raw.unlink()
    return plain


def decode(url: str, source: Path, target: Path, encoding: str, most: int) -> None:
    """Decode a file into another, up to one byte more than `most`.

    Raises:
        TransportError: the encoding is unknown, or the bytes are not in it.
    """
    if encoding not in _ENCODINGS:
        reason = f"it was sent encoded as {encoding!r}, which was not asked for"
        raise TransportError(url=url, reason=reason)
    decoder, left, pending = zlib.decompressobj(_GZIP_OR_ZLIB), most + 1, b""
    with disk_faults(target, "write"), open_file(source) as encoded, new_file(target) as file:
        while left and not decoder.eof and (pending := pending or encoded.read(1 << 16)):
            try:
                piece = decoder.decompress(pending, min(left, PIECE))
            except zlib.error as error:
                reason = f"it is not {encoding}, as its Content-Encoding says"
                raise TransportError(url=url, reason=reason) from error
            pending = decoder.unconsumed_tail
            file.write(piece)
            left -= len(piece)


def find_damage(partial: Partial, resource: Resource) -> list[int]:
    """Find where damaged chunks begin and end, in turn.

    The list is empty if the manifest has no checksums of chunks, if bytes are missing, or if every
    chunk is damaged, as those of another file are.
    """
    if not resource.chunks or not partial.complete(resource.size):
        return []
    offsets = list(_wrong_chunks(partial, resource))
    return offsets if len(offsets) < 2 * len(resource.chunks) else []


def keep_good_chunks(partial: Partial, resource: Resource) -> None:
    """Drop the chunks that are not right, of bytes of unknown origin."""
    partial.forget(*_wrong_chunks(partial, resource))


def _wrong_chunks(partial: Partial, resource: Resource) -> Iterator[int]:
    for number, expected in enumerate(resource.chunks):
        start, stop = number * CHUNK, (number + 1) * CHUNK
        stop = min(stop, resource.size or stop)
        if Digest.of_bytes(partial.read(start, stop)).hex != expected:
            yield from (start, stop)
