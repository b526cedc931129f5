"""Check whether URLs work without downloading the files.

Each host gets one request at a time. A URL with a temporary failure, such as a timeout, is retried
once after the other URLs of its host.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import chain
from threading import Event

from dshub.download.session import host
from dshub.download.transports import Transports
from dshub.errors import DshubError, TransportError

HOSTS = 6  # maximum number of hosts to check in parallel
BUSY = {408, 429, 500, 502, 503, 504}  # status codes of temporary failures


@dataclass(frozen=True)
class Link:
    """Result of checking a URL.

    Attributes:
        url: checked URL.
        status: HTTP status after all redirects; None without a response.
        total: size of the file in bytes; None if the source does not report it.
        host: final host after redirects to another host, or empty.
        reason: reason for a missing response, or empty.
    """

    url: str
    status: int | None = None
    total: int | None = None
    host: str = ""
    reason: str = ""

    @property
    def reachable(self) -> bool:
        """True if the file exists."""
        return self.status in {200, 206}


def ask(urls: Iterable[str], *, timeout: float) -> Iterator[Link]:
    """Check URLs, and yield the results as they arrive.

    Args:
        urls: http and https URLs, and paths of files.
        timeout: seconds to wait for a response.
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
    """Check the URLs of one host in turn, until `stopped` is set."""
    answers: dict[str, tuple[Link, bool]] = {}
    for url in chain(urls, (url for url in urls if answers[url][1])):
        if stopped.is_set():
            break
        answers[url] = _ask(transports, url)
    return [link for link, _ in answers.values()]


def _ask(transports: Transports, url: str) -> tuple[Link, bool]:
    """Check a URL; also return whether to retry it."""
    try:
        head = transports.of(url).head(url)
    except TransportError as error:
        return Link(url, reason=error.reason), error.transient
    except DshubError as error:  # unsupported URL scheme
        return Link(url, reason=str(error)), False
    final = host(head.url)
    link = Link(url, head.status, head.total, final if final != host(url) else "")
    return link, head.status in BUSY
