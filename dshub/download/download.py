"""One file: from its sources in order, with retries, into a partial, checked, published."""

import logging
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dshub.cache.journal import Origin
from dshub.cache.locks import Waiting
from dshub.cache.partial import Partial
from dshub.cache.spans import Span
from dshub.display import shown_url
from dshub.download.diagnosis import diagnose
from dshub.download.session import Session, Stopped, host
from dshub.download.sources import Job, most, too_large
from dshub.download.streams import (
    WINDOWS,
    Growth,
    Pace,
    TooSlow,
    damaged,
    decode,
    receive,
    receive_encoded,
    sift,
)
from dshub.download.transports import Answer
from dshub.errors import ChecksumError, DshubError, TransportError
from dshub.progress import size as shown

TRIES = 5  # in a row, without progress, before a source is given up
PROGRESS = 1000  # bytes that a try must bring to count as progress
TRIES_UNREACHABLE = 2  # the same, for a host that cannot be reached at all
PATIENCE = 2  # time-outs without progress after which a source is given up
LONGEST_WAIT = 30.0  # seconds between two tries

_log = logging.getLogger("dshub")


@dataclass(frozen=True)
class Delivered:
    """A file that is in the store.

    Attributes:
        path: where it is.
        source: the address that delivered it, or `cache` where another process brought it while
            this one waited.
        attempts: what went wrong before: an error for each source that did not deliver.
    """

    path: Path
    source: str
    attempts: tuple[DshubError, ...] = ()


class AllFailed(Exception):  # noqa: N818  # never seen outside the fetcher, which names the file
    """No source delivered; `attempts` holds one error per source."""

    def __init__(self, attempts: Sequence[DshubError]) -> None:
        super().__init__()
        self.attempts = tuple(attempts)


def download(session: Session, job: Job, sources: Sequence[str]) -> Delivered:
    """Get one file into the store.

    Raises:
        AllFailed: no source delivered the published bytes; it holds one error per source.
        StoreError: the cache cannot be written.
    """
    resource = job.resource

    def waiting(other: Waiting) -> None:
        had = f", which has {shown(other.size)} of it" if other.size else ""
        session.tell(f"{job.dataset}: {job.name} is being fetched by {other}{had}; waiting")

    with session.store.partial(resource.digest, resource.size, waiting=waiting) as partial:
        found = session.store.blob(resource.digest, resource.size)
        if found is not None:
            partial.discard()
            session.count(resource.size or 0)
            return Delivered(found, "cache")
        if not partial.size and resource.chunks and session.store.salvage(partial, resource.size):
            sift(partial, resource)
        if resource.size is not None and partial.end > resource.size:
            partial.forget(resource.size, partial.end)
        session.follow(job, partial)
        session.count(partial.size)
        return Download(session, job, partial).run(sources)


class Download:
    """A download in progress: one lead connection, plus helpers.

    Attributes:
        url: the source asked at present; empty while there is none.
        etag: what it named its version of the file.
        ranges: whether it gives parts of the file.
        streams: connections at work for it.
    """

    def __init__(self, session: Session, job: Job, partial: Partial) -> None:
        self.session, self.job, self.partial = session, job, partial
        self.url, self.etag, self.ranges, self.streams = "", "", False, 1
        self.growth = Growth()
        self._total: int | None = None  # bytes, as the source says
        self._whole = False  # its parts may not fit together: take the file in one go
        self._lock = threading.Lock()
        self._attempts: list[DshubError] = []

    def join(self) -> None:
        """Register a connection."""
        with self._lock:
            self.streams += 1

    def leave(self, *, failed: bool = False) -> None:
        """Unregister a connection; after a failure, none is added for a while."""
        with self._lock:
            self.streams -= 1
        if failed:
            self.growth.rest()

    def wants_more(self) -> bool:
        """Whether to start more connections now: asked from time to time, it looks how it went."""
        size = self.job.resource.size
        if size is None or not self.ranges or self.session.limiter is not None:
            return False
        return self.growth.wanted(self.partial.size, size, self.streams)

    def run(self, sources: Sequence[str]) -> Delivered:
        """Take the file from the first source that delivers it.

        A source below the floor is left while others remain. If none of them is any better, the
        fastest of those that were left is asked again, and then may take its time.
        """
        known = self.session.slow
        order = sorted(sources, key=lambda url: host(url) in known)
        others, slow, wrong = len(order) > 1, list[tuple[float, str]](), list[str]()
        for url in order:
            floor = others and not (host(url) in known and len(known) >= len(order))
            try:
                if self._tried(url, floor=floor, hasty=others):
                    return self._published(url)
            except TooSlow as error:
                slow.append((error.rate, url))
                self._note_slow(url, error.rate)
            if others and self._attempts and isinstance(self._attempts[-1], ChecksumError):
                wrong.append(url)
        for url in [url for _, url in sorted(slow, reverse=True)] + wrong:
            self.session.tell(f"no other source is better: back to {host(url)}")
            if self._tried(url, floor=False):
                return self._published(url)
        raise AllFailed(self._attempts)

    def _note_slow(self, url: str, rate: float) -> None:
        self.session.slow[host(url)] = rate
        reason = f"slow: {shown(int(rate))}/s"
        self._attempts.append(TransportError(url=url, reason=reason))
        self.session.tell(f"{host(url)} is slow ({shown(int(rate))}/s): asking the next source")

    def _published(self, url: str) -> Delivered:
        path = self.session.store.publish(self.partial)
        return Delivered(path, url, tuple(self._attempts))

    def _tried(self, url: str, *, floor: bool, hasty: bool = False) -> bool:
        """Whether a source delivered the file; a hasty try leaves one with wrong bytes at once."""
        try:
            with self._asking(url):
                self._from_source(url, floor=floor, hasty=hasty)
        except (TransportError, ChecksumError) as error:
            _log.info("%s", error)
            self._attempts.append(error)
            return False
        return True

    @contextmanager
    def _asking(self, url: str) -> Iterator[None]:
        """Others may help with this source while the block runs."""
        self.url, self.etag, self.ranges, self._total = url, "", False, None
        self._whole = False
        self.session.active.add(self)
        try:
            yield
        finally:
            self.session.active.discard(self)
            self.ranges = False
            self.partial.revoke()  # whoever still waits for this source waits for nothing

    def _from_source(self, url: str, *, floor: bool, hasty: bool) -> None:
        """Fill the partial from one source until its bytes are the published ones.

        Bytes of several answers may not belong together, a page that some network put in between
        may be gone the next time, and a bit may flip on the way. So the file is taken once more
        from its beginning before the source is blamed; or only its damaged chunks, where the
        manifest knows their checksums.
        """
        for last in (hasty and not self.partial.size, True):
            self._receive_all(url, floor=floor)
            if self._is_right():
                return
            size = self.job.resource.size
            too_long = size is not None and (self._total or 0) > size
            self._whole, self.ranges = True, False
            fault = self._fault(url)
            if last or too_long:
                raise fault
            self.session.wait(_delay(1, None))

    def _receive_all(self, url: str, *, floor: bool) -> None:
        """Receive until the source has no more to give, trying again while that may help."""
        window = max(self.session.timeout / WINDOWS, 0.2)
        fruitless, progress = 0, time.monotonic()
        while not self.partial.complete(self.job.resource.size):
            before = self.partial.size
            limited = self.session.limiter is not None  # by us: no source is slow then
            pace = Pace(self.partial, window) if floor and not limited else None
            try:
                self._check_reachable(url)
                if self._receive(url, pace):
                    break
            except TransportError as error:
                got = self.partial.size - before >= PROGRESS
                fruitless = 1 if got else fruitless + 1
                progress = time.monotonic() if got else progress
                late = time.monotonic() - progress > PATIENCE * self.session.timeout
                self._give_up(error, fruitless, late=late)
                self.session.wait(_delay(fruitless, error.retry_after))
            if self.session.stop.is_set():
                raise Stopped

    def _give_up(self, error: TransportError, fruitless: int, *, late: bool) -> None:
        """Raise the error once trying again is no use."""
        most = TRIES_UNREACHABLE if error.unreachable else TRIES
        asked = error.retry_after or 0.0
        spent = fruitless >= most or (late and fruitless > 1)
        if error.transient and not spent and asked <= LONGEST_WAIT:
            return
        if error.unreachable:
            self.session.unreachable[host(error.url)] = error.reason
            self.session.tell(f"{host(error.url)}: {error.reason}; not asked again")
        if asked > LONGEST_WAIT:
            error = error.noting(f"it asks to wait {asked:,.0f} s")
        elif error.transient and fruitless > 1:
            error = error.noting(f"{fruitless} tries")
        raise error

    def _check_reachable(self, url: str) -> None:
        told = self.session.unreachable.get(host(url))
        if told is not None:
            raise TransportError(url=url, reason=told, unreachable=True)

    def _receive(self, url: str, pace: Pace | None) -> bool:
        """One answer of one source; returns whether the source has no more to give."""
        size, partial = self.job.resource.size, self.partial
        span = partial.claim(size)
        if span is None:  # others are at work on all that is missing
            partial.wait(0.1)
            return False
        try:
            etag = partial.origin.etag if partial.origin.url == shown_url(url) else ""
            stop = None if span.stop == size else span.stop
            transport = self.session.transport(url)
            with transport.open(url, start=span.start, stop=stop, etag=etag) as answer:
                if answer.encoding:
                    self._receive_encoded(url, answer)
                    return True
                span = self._agreed(url, span, answer)
                self._bound(url, span, answer)
                self._begin(url, answer)
                receive(self.session, partial, span, answer, pace=pace)
                self._look_beyond(answer)
                return self._ended(url, span, answer)
        finally:
            partial.release(span)

    def _agreed(self, url: str, span: Span, answer: Answer) -> Span:
        """The span that an answer fills: everything, where it begins at the beginning."""
        size = self.job.resource.size
        if answer.start == span.start:
            if span.start and None not in {size, answer.total} and answer.total != size:
                self._restart()
                reason = f"it has another file, of {answer.total:,} bytes"
                raise TransportError(url=url, reason=reason, transient=True)
            return span
        self._restart()
        whole = self.partial.claim(size)
        if whole is None:
            raise TransportError(url=url, reason="it gives the whole file only", transient=True)
        return whole

    def _bound(self, url: str, span: Span, answer: Answer) -> None:
        """Where the manifest knows no size, let the span end where the file has to."""
        resource = self.job.resource
        if resource.size is None:
            bound = most(resource, self.session.store, here=self.partial.size)
            if answer.total is not None and answer.total > bound:
                raise too_large(url, answer.total, bound)
            span.stop = bound if answer.total is None else answer.total

    def _begin(self, url: str, answer: Answer) -> None:
        origin = Origin(shown_url(url), answer.etag)  # a journal holds no password
        if self.partial.origin != origin:
            self.partial.note(origin)
        self.etag, self._total = answer.etag, answer.total
        self.ranges = answer.ranges and not self._whole
        if self.streams == 1:
            self.growth.begin(self.partial.size)

    def _look_beyond(self, answer: Answer) -> None:
        """Where all bytes are there and wrong: whether the source goes on, as no file should."""
        size = self.job.resource.size
        if answer.total is None and self.partial.complete(size) and not self._is_right():
            self._total = (size or 0) + answer.readinto(self.session.buffer()[:1])

    def _ended(self, url: str, span: Span, answer: Answer) -> bool:
        """Whether the source has no more; raises where it broke off."""
        if span.full and self.job.resource.size is not None:
            return False
        if span.full and answer.total is None and answer.readinto(self.session.buffer()[:1]):
            self._restart()
            raise too_large(url, None, span.position)
        total = self.job.resource.size if answer.total is None else answer.total
        if total is not None and span.position < total and not span.full:
            reason = f"it ended after {span.position:,} of {total:,} bytes"
            raise TransportError(url=url, reason=reason, transient=True)
        return True

    def _receive_encoded(self, url: str, answer: Answer) -> None:
        """Bytes that were encoded for the way: as they came, or decoded, whichever is right."""
        raw, plain = self.partial.path / "encoded", self.partial.path / "decoded"
        resource = self.job.resource
        self._restart()
        if answer.start:
            reason = "it sent an encoded part of the file"
            raise TransportError(url=url, reason=reason, transient=True)
        bound = most(resource, self.session.store, here=0)
        receive_encoded(self.session, answer, raw, bound)
        if not resource.digest.fits(raw):
            decode(url, raw, plain, answer.encoding, bound)
            raw.unlink()
            raw = plain
        if resource.size is None and raw.stat().st_size > bound:
            raw.unlink()
            raise too_large(url, None, bound)
        self.partial.replace(raw)
        self.session.count(self.partial.size)

    def _is_right(self) -> bool:
        resource = self.job.resource
        whole = resource.size is None or self.partial.complete(resource.size)
        return whole and self.partial.actual == resource.digest

    def _fault(self, url: str) -> ChecksumError:
        """What is wrong with the bytes, which are dropped: all, or the chunks that are damaged.

        Bytes that are dropped as a whole are kept aside, where a person can look at them.
        """
        resource, partial = self.job.resource, self.partial
        wrong = damaged(partial, resource)
        if wrong:
            before = partial.size
            partial.forget(*wrong)
            self.session.count(partial.size - before)
            told = f"{len(wrong) // 2} of its {len(resource.chunks)} chunks are damaged"
            return ChecksumError(
                source=url, expected=str(resource.digest), actual="other bytes", told=told
            )
        length = max(partial.size, self._total or 0)
        told, hint = diagnose(partial.data, resource, length)
        if resource.size is not None and length != resource.size:
            expected, actual = f"{resource.size:,} bytes", f"{length:,} bytes"
            actual = "more bytes" if length > resource.size else actual
        else:
            expected, actual = str(resource.digest), str(partial.actual)
        self.session.count(-partial.size)
        kept = str(self.session.store.reject(partial))
        return ChecksumError(
            source=url, expected=expected, actual=actual, told=told, kept=kept, hint=hint
        )

    def _restart(self) -> None:
        self.session.count(-self.partial.size)
        self.partial.restart()


def _delay(fruitless: int, retry_after: float | None) -> float:
    """Seconds until the next try: doubling from half a second, spread out, or as asked for."""
    if retry_after is not None:
        return min(retry_after, LONGEST_WAIT)
    return min(0.5 * float(1 << fruitless), LONGEST_WAIT) * random.uniform(0.5, 1.0)  # noqa: S311
