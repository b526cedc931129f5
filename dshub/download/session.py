"""State that all downloads of one fetch share."""

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


class Stopped(Exception):  # noqa: N818  # not an error: the caller asked for it
    """The fetch was interrupted; bytes that arrived are kept."""


class Limiter:
    """Limits the rate of all connections together.

    Args:
        rate: bytes per second.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._lock, self._next = threading.Lock(), 0.0

    @property
    def piece(self) -> int:
        """Bytes to read at a time, so that no connection pauses for long."""
        return max(self.rate // 8, 1)

    def take(self, count: int) -> float:
        """Count bytes that arrived; return the seconds to wait before the next read."""
        with self._lock:
            now = time.monotonic()
            self._next = max(self._next, now) + count / self.rate
            return self._next - now


class Helpable(Protocol):
    """A download that more connections can help.

    Attributes:
        streams: connections it has.
    """

    streams: int

    def wants_more(self) -> bool:
        """Tell whether to add connections now."""

    def start_helper(self) -> threading.Thread:
        """Add a connection, in a thread of its own."""


@dataclass
class Session:
    """State that all downloads of one fetch share.

    Attributes:
        store: where files go.
        transports: opens addresses.
        progress: reports bytes that arrive.
        timeout: seconds of silence after which a source has failed.
        limiter: limits the rate; None for no limit.
        stop: set to interrupt the fetch.
        follow: called with each file that begins to be written, and its bytes.
        unreachable: hosts that could not be reached, and why; no other file waits for them.
        slow: hosts that were left as too slow, and their bytes per second; asked last.
        active: downloads that more connections could help.
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
    _said: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def transport(self, url: str) -> Transport:
        """Return the transport for an address; raise TransportError if there is none."""
        try:
            return self.transports.of(url)
        except UnknownNameError as error:  # another source may have a known scheme
            raise TransportError(url=url, reason=str(error)) from error

    def wait(self, seconds: float = 0.0) -> None:
        """Sleep; raise Stopped once the fetch is interrupted."""
        if self.stop.wait(seconds):
            raise Stopped

    def say(self, text: str) -> None:
        """Tell the user something, once."""
        with self._lock:
            if text in self._said:
                return
            self._said.add(text)
        self.progress.say(text)


def host(url: str) -> str:
    """Return host and port of an address; a path as it is."""
    shown = shown_url(url)
    return shown.partition("://")[2].partition("/")[0].rpartition("@")[2] or shown
