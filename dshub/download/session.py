"""What all downloads of one fetch share."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from dshub.cache.partial import Partial
from dshub.cache.store import Store
from dshub.display import shown_url
from dshub.download.sources import Job
from dshub.download.transports import Transport, Transports
from dshub.errors import TransportError, UnknownNameError
from dshub.progress import Progress

PIECE = 1 << 20  # bytes read at a time, at most


class Stopped(Exception):  # noqa: N818  # not an error: somebody asked for it
    """The fetch was interrupted; what has arrived is kept."""


class Limiter:
    """Spreads what arrives over time, for all connections together.

    Args:
        rate: bytes a second, at most.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._lock, self._next = threading.Lock(), 0.0

    @property
    def piece(self) -> int:
        """Bytes to read at a time, so that nobody stops for long."""
        return max(self.rate // 8, 1)

    def take(self, count: int) -> float:
        """So many bytes have arrived; returns the seconds to wait before more are read."""
        with self._lock:
            now = time.monotonic()
            self._next = max(self._next, now) + count / self.rate
            return self._next - now


class Helpable(Protocol):
    """A download that further connections can help.

    Attributes:
        session: what it shares with others.
        job: the file.
        partial: holds the bytes.
        url: the source that is asked at present.
        etag: the validator of that source's version.
        ranges: whether the source gives parts of the file.
        streams: number of connections.
    """

    session: "Session"
    job: Job
    partial: Partial
    url: str
    etag: str
    ranges: bool
    streams: int

    def wants_more(self) -> bool:
        """Whether to start more connections now."""

    def join(self) -> None:
        """Register a connection."""

    def leave(self, *, failed: bool = False) -> None:
        """Unregister a connection; after a failure, none is added for a while."""


@dataclass
class Session:
    """What all downloads of one fetch share.

    Attributes:
        store: where files go.
        transports: how addresses are opened.
        progress: what is told how far the work has come.
        timeout: seconds after which a silent source counts as failed.
        wait: sleeps for some seconds, or raises `Stopped`.
        limiter: holds back what arrives; None where nothing does.
        unreachable: hosts that gave no connection, and what was said of each: no other file
            waits for them again.
        slow: hosts that were left for being slow, with their bytes a second: other files ask
            them last.
        active: downloads that further connections could help.
        stop: set when the fetch is interrupted.
        follow: told of each file that begins to be written, and what holds its bytes.
    """

    store: Store
    transports: Transports
    progress: Progress
    timeout: float
    wait: Callable[[float], None]
    limiter: Limiter | None = None
    unreachable: dict[str, str] = field(default_factory=dict)
    slow: dict[str, float] = field(default_factory=dict)
    active: set[Helpable] = field(default_factory=set)
    stop: threading.Event = field(default_factory=threading.Event)
    follow: Callable[[Job, Partial], None] = lambda _, __: None
    _told: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _local: threading.local = field(default_factory=threading.local)

    def transport(self, url: str) -> Transport:
        """The transport of an address; raises TransportError where there is none."""
        try:
            return self.transports.of(url)
        except UnknownNameError as error:  # another source may have a scheme that is known
            raise TransportError(url=url, reason=str(error)) from error

    def buffer(self) -> memoryview:
        """A buffer of this thread's own, used again and again."""
        if not hasattr(self._local, "buffer"):
            self._local.buffer = memoryview(bytearray(PIECE))
        found: memoryview = self._local.buffer
        return found

    def count(self, amount: int) -> None:
        """So many bytes more have arrived; less where some have to be fetched again."""
        if amount:
            self.progress.advance(amount)

    def tell(self, text: str) -> None:
        """Tell a person something, once."""
        with self._lock:
            if text in self._told:
                return
            self._told.add(text)
        self.progress.say(text)


def host(url: str) -> str:
    """Host and port of an address; a path as it is."""
    shown = shown_url(url)
    return shown.partition("://")[2].partition("/")[0].rpartition("@")[2] or shown
