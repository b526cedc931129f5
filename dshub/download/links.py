"""Asking whether addresses work, without fetching what is there.

Polite: one question at a time to each host, few hosts at a time. An answer that may be another
one later (a server that is busy, a time-out) is asked for once more, after the host's others.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from threading import Event
from urllib.parse import urlsplit

from dshub.download.transports import Transports
from dshub.errors import DshubError, TransportError

HOSTS = 6  # asked side by side
BUSY = {408, 429, 500, 502, 503, 504}


@dataclass(frozen=True)
class Link:
    """What an address answered.

    Attributes:
        url: the address.
        status: of HTTP, after all redirects; None where nobody answered.
        total: bytes of the file that is there, or None where the source does not tell.
        host: where redirects led, if to another host; empty otherwise.
        reason: why nobody answered; empty where somebody did.
    """

    url: str
    status: int | None = None
    total: int | None = None
    host: str = ""
    reason: str = ""

    @property
    def reachable(self) -> bool:
        """Whether there is a file."""
        return self.status in {200, 206}

    @property
    def passing(self) -> bool:
        """Whether the answer may be another one soon."""
        return self.status in BUSY


def ask(urls: Iterable[str], *, timeout: float) -> Iterator[Link]:
    """What each address answers, as the answers come; an address that comes twice is asked once.

    Args:
        urls: http and https addresses, and files.
        timeout: seconds to wait for an answer.
    """
    by_host: dict[str, list[str]] = {}
    for url in dict.fromkeys(urls):
        by_host.setdefault(_host(url), []).append(url)
    transports, stopped = Transports(timeout=timeout), Event()
    pool = ThreadPoolExecutor(max_workers=HOSTS)
    try:
        work = [pool.submit(_of_host, transports, found, stopped) for found in by_host.values()]
        for done in as_completed(work):
            yield from done.result()
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)
        transports.close()


def _of_host(transports: Transports, urls: list[str], stopped: Event) -> list[Link]:
    """One address after the other; nothing more once the asker has gone."""
    found = {}
    again = []
    for url in urls:
        if stopped.is_set():
            return []
        found[url], passing = _asked(transports, url)
        again += [url] * passing
    for url in again:
        if stopped.is_set():
            return []
        found[url], _ = _asked(transports, url)
    return list(found.values())


def _asked(transports: Transports, url: str) -> tuple[Link, bool]:
    """An answer, and whether it may be another one soon."""
    try:
        head = transports.of(url).head(url)
    except TransportError as error:
        return Link(url, reason=error.reason), error.transient
    except DshubError as error:  # no transport for its scheme
        return Link(url, reason=str(error)), False
    host = _host(head.url)
    link = Link(url, head.status, head.total, host if host != _host(url) else "")
    return link, link.passing


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2].lower()
