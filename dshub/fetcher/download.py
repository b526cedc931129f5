"""One file: from its sources in order, with retries, into a partial, checked, published."""

import logging
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dshub.errors import ChecksumError, DshubError, TransportError, UnknownNameError
from dshub.fetcher.diagnosis import diagnose
from dshub.fetcher.sources import Job
from dshub.progress import Progress
from dshub.store import Partial, Store
from dshub.transports import Transport, Transports

TRIES = 5  # in a row, without progress, before a source is given up
PROGRESS = 1000  # bytes that a try must bring to count as progress
TRIES_UNREACHABLE = 2  # the same, for a host that cannot be reached at all
LONGEST_WAIT = 30.0  # seconds between two tries
PIECE = 1 << 20  # bytes read at a time

_log = logging.getLogger("dshub")


class Stopped(Exception):  # noqa: N818  # not an error: somebody asked for it
    """The fetch was interrupted; what has arrived is kept."""


@dataclass
class Session:
    """What all downloads of one fetch share.

    Attributes:
        unreachable: hosts that gave no connection, and what was said of each: no other file
            waits for them again.
        stop: set when the fetch is interrupted.
    """

    store: Store
    transports: Transports
    progress: Progress
    wait: Callable[[float], None]
    unreachable: dict[str, str] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)


def download(session: Session, job: Job, sources: Sequence[str]) -> tuple[Path, str]:
    """Get one file into the store; returns its path and the address that delivered it.

    The address is `cache` where another process brought the file while this one waited.

    Raises:
        AllFailed: no source delivered the published bytes; it holds one error per source.
        StoreError: the cache cannot be written.
    """
    attempts: list[DshubError] = []
    resource = job.resource
    with session.store.partial(resource.digest) as partial:
        found = session.store.blob(resource.digest, resource.size)
        if found is not None:
            partial.discard()
            session.progress.advance(resource.size or 0)
            return found, "cache"
        _count(session, partial.size)
        for url in sources:
            try:
                _from_source(session, job, url, partial)
            except (TransportError, ChecksumError) as error:
                _log.info("%s", error)
                attempts.append(error)
            else:
                return session.store.publish(partial), url
    raise AllFailed(attempts)


class AllFailed(Exception):  # noqa: N818  # never seen outside the fetcher, which names the file
    """No source delivered; `attempts` holds one error per source."""

    def __init__(self, attempts: Sequence[DshubError]) -> None:
        super().__init__()
        self.attempts = tuple(attempts)


def _from_source(session: Session, job: Job, url: str, partial: Partial) -> None:
    """Fill the partial from one source until its bytes are the published ones.

    Bytes of several answers may not belong together, a page that some network put in between may
    be gone the next time, and a bit may flip on the way. So the file is taken once more from its
    beginning before the source is blamed.
    """
    for last in (False, True):
        _receive_all(session, job, url, partial)
        if _is_right(job, partial):
            return
        too_long = job.resource.size is not None and partial.size > job.resource.size
        fault = _fault(session, job, url, partial)
        _restart(session, partial)
        if last or too_long:
            raise fault
        session.wait(_delay(1, None))


def _receive_all(session: Session, job: Job, url: str, partial: Partial) -> None:
    """Receive until the source has no more to give, trying again while that may help."""
    fruitless = 0
    while partial.size != job.resource.size:
        before = partial.size
        try:
            _check_reachable(session, url)
            _receive(session, job, url, partial)
        except TransportError as error:
            fruitless = 1 if partial.size - before >= PROGRESS else fruitless + 1
            _give_up(session, error, fruitless)
            session.wait(_delay(fruitless, error.retry_after))
        else:
            break
        if session.stop.is_set():
            raise Stopped


def _give_up(session: Session, error: TransportError, fruitless: int) -> None:
    """Raise the error once trying again is no use."""
    most = TRIES_UNREACHABLE if error.unreachable else TRIES
    asked = error.retry_after or 0.0
    if error.transient and fruitless < most and asked <= LONGEST_WAIT:
        return
    if error.unreachable:
        session.unreachable[_host(error.url)] = error.reason
    if asked > LONGEST_WAIT:
        reason = f"{error.reason}, it asks to wait {asked:,.0f} s"
        error = TransportError(url=error.url, reason=reason)
    elif error.transient and fruitless > 1:
        error = TransportError(url=error.url, reason=f"{error.reason}, {fruitless} tries")
    raise error


def _check_reachable(session: Session, url: str) -> None:
    if _host(url) in session.unreachable:
        raise TransportError(url=url, reason=session.unreachable[_host(url)])


def _receive(session: Session, job: Job, url: str, partial: Partial) -> None:
    """One answer of one source, appended to the partial."""
    limit = job.resource.size
    if limit is not None and partial.size > limit:
        _restart(session, partial)
    with _transport(session, url).open(url, start=partial.size) as answer:
        if answer.start != partial.size:
            _restart(session, partial)
        while piece := answer.read(PIECE):
            if session.stop.is_set():
                raise Stopped
            if limit is not None:
                piece = piece[: limit + 1 - partial.size]  # one byte too many says enough
            partial.write(piece)
            _count(session, len(piece))
            if limit is not None and partial.size > limit:
                return
        total = limit if answer.total is None else answer.total
        if total is not None and partial.size < total:
            reason = f"it ended after {partial.size:,} of {total:,} bytes"
            raise TransportError(url=url, reason=reason, transient=True)


def _transport(session: Session, url: str) -> Transport:
    try:
        return session.transports.of(url)
    except UnknownNameError as error:  # another source may have a scheme that is known
        raise TransportError(url=url, reason=str(error)) from error


def _is_right(job: Job, partial: Partial) -> bool:
    size = job.resource.size
    return size in {None, partial.size} and partial.actual == job.resource.digest


def _fault(session: Session, job: Job, url: str, partial: Partial) -> ChecksumError:
    """What is wrong with the bytes; they are kept aside, where a person can look at them."""
    resource = job.resource
    told, hint = diagnose(partial.path, resource)
    kept = session.store.reject(partial)
    if resource.size is not None and partial.size != resource.size:
        expected, actual = f"{resource.size:,} bytes", f"{partial.size:,} bytes"
        actual = "more bytes than that" if partial.size > resource.size else actual
    else:
        expected, actual = str(resource.digest), str(partial.actual)
    return ChecksumError(
        source=url, expected=expected, actual=actual, told=told, kept=str(kept), hint=hint
    )


def _restart(session: Session, partial: Partial) -> None:
    _count(session, -partial.size)
    partial.restart()


def _count(session: Session, amount: int) -> None:
    if amount:
        session.progress.advance(amount)


def _delay(fruitless: int, retry_after: float | None) -> float:
    """Seconds until the next try: doubling from half a second, spread out, or as asked for."""
    if retry_after is not None:
        return min(retry_after, LONGEST_WAIT)
    return min(0.5 * float(1 << fruitless), LONGEST_WAIT) * random.uniform(0.5, 1.0)  # noqa: S311


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]
