"""Shared state of all downloads in one fetch."""

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


class Stopped(Exception):  # noqa: N818  # requested by the caller, so not an error
    """Raised when a fetch is interrupted. Partial downloads are kept."""


class Limiter:
    """Rate limit for all connections together.

    Args:
        rate: maximum bytes per second.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._lock, self._next = threading.Lock(), 0.0

    @property
    def piece(self) -> int:
        """Number of bytes per read, small enough to avoid long pauses of a connection."""
        return max(self.rate // 8, 1)

    def take(self, count: int) -> float:
        """Record received bytes, and return the seconds to wait before the next read."""
        with self._lock:
            now = time.monotonic()
            self._next = max(self._next, now) + count / self.rate
            return self._next - now


class Helpable(Protocol):
    """Download that can use more connections.

    Attributes:
        streams: number of active connections.
    """

    streams: int

    def wants_more(self) -> bool:
        """Return whether to add connections now."""

    def start_helper(self) -> threading.Thread:
        """Start a thread with another connection."""


@dataclass
class Session:
    """Shared state of all downloads in one fetch.

    Attributes:
        store: cache to write to.
        transports: transports by scheme.
        progress: progress reporter.
        timeout: seconds without data after which a source has failed.
        limiter: rate limit, or None.
        stop: event to interrupt the fetch.
        follow: called with each file and its partial download when the download starts.
        unreachable: reasons by unreachable host. These hosts are not tried again.
        slow: bytes per second by slow host. These hosts are tried last.
        active: downloads that can use more connections.
        count: number of files to fetch, for the progress.
    """

    store: Store
    transports: Transports
    progress: Progress
    timeout: float
    limiter: Limiter | None
    stop: threading.Event
    follow: Callable[[Job, Partial], None]
    unreachable: dict[str, str] = field(default_factory=dict)
    slow: dict[str, float] = field(default_factory=dict)
    active: set[Helpable] = field(default_factory=set)
    count: int = 1
    _done: int = 0
    _current: dict[Job, str] = field(default_factory=dict)
    _said: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def transport(self, url: str) -> Transport:
        """Return the transport for a URL; raise TransportError for an unknown scheme."""
        try:
            return self.transports.of(url)
        except UnknownNameError as error:  # a TransportError lets the next source be tried
            raise TransportError(url=url, reason=str(error)) from error

    def wait(self, seconds: float = 0.0) -> None:
        """Sleep; raise Stopped when the fetch is interrupted."""
        if self.stop.wait(seconds):
            raise Stopped

    def begin(self, job: Job, url: str) -> None:
        """Show a file and its source, unless an earlier file is still in progress."""
        with self._lock:
            self._current[job] = host(url)
        self._show()

    def end(self, job: Job) -> None:
        """Count a file as done, whether it succeeded or failed."""
        with self._lock:
            self._current.pop(job, None)
            self._done += 1
        self._show()

    def _show(self) -> None:
        with self._lock:
            job, source = next(iter(self._current.items()), (None, ""))
            done = f"{self._done}/{self.count} " if self.count > 1 else ""
        if job is not None:
            self.progress.show(f"{done}{job.name} from {source}")

    def say(self, text: str) -> None:
        """Show a message to the user, and ignore repetitions."""
        with self._lock:
            if text in self._said:
                return
            self._said.add(text)
        self.progress.say(text)


def host(url: str) -> str:
    """Return the host and port of a URL; return a path unchanged."""
    shown = shown_url(url)
    return shown.partition("://")[2].partition("/")[0].rpartition("@")[2] or shown
