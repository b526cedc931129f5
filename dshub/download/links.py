"""Check whether addresses work, without fetching the files.

Each host gets one request at a time, and few hosts are asked at once. After a passing failure (a
busy server, a timeout), the address is asked once more, after the host's others.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import chain
from threading import Event

from dshub.download.session import host
from dshub.download.transports import Transports
from dshub.errors import DshubError, TransportError

HOSTS = 6  # asked at the same time
BUSY = {408, 429, 500, 502, 503, 504}


@dataclass(frozen=True)
class Link:
    """The answer of an address.

    Attributes:
        url: the address.
        status: of HTTP, after all redirects; None without an answer.
        total: bytes of the file; None if the source does not say.
        host: another host that redirects led to; empty if there is none.
        reason: why there was no answer; empty if there was one.
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


def ask(urls: Iterable[str], *, timeout: float) -> Iterator[Link]:
    """Ask each address once, and yield answers as they arrive.

    Args:
        urls: http and https addresses, and files.
        timeout: seconds to wait for an answer.
    """
    by_host: dict[str, list[str]] = {}
    for url in dict.fromkeys(urls):
        by_host.setdefault(host(url), []).append(url)
    transports, stopped = Transports(timeout=timeout), Event()
    pool = ThreadPoolExecutor(max_workers=HOSTS)
    try:
        work = [pool.submit(_ask_host, transports, group, stopped) for group in by_host.values()]
        for done in as_completed(work):
            yield from done.result()
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)
        transports.close()


def _ask_host(transports: Transports, urls: list[str], stopped: Event) -> list[Link]:
    """Ask the addresses of one host in turn, until the caller has gone."""
    answers: dict[str, tuple[Link, bool]] = {}
    for url in chain(urls, (url for url in urls if answers[url][1])):
        if stopped.is_set():
            break
        answers[url] = _ask(transports, url)
    return [link for link, _ in answers.values()]


def _ask(transports: Transports, url: str) -> tuple[Link, bool]:
    """Ask an address; also return whether a failure may pass."""
    try:
        head = transports.of(url).head(url)
    except TransportError as error:
        return Link(url, reason=error.reason), error.transient
    except DshubError as error:  # no transport for its scheme
        return Link(url, reason=str(error)), False
    final = host(head.url)
    link = Link(url, head.status, head.total, final if final != host(url) else "")
    return link, head.status in BUSY
