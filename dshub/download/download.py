"""Download one file into the cache, trying its sources in order."""

import logging
import random
import threading
from collections.abc import Sequence

from dshub.cache.journal import Origin
from dshub.cache.locks import Waiting
from dshub.cache.partial import Partial
from dshub.cache.spans import Span
from dshub.display import shown_url
from dshub.download.diagnosis import diagnose
from dshub.download.session import Session, Stopped, host
from dshub.download.sources import Fetched, Job, size_bound, too_large
from dshub.download.streams import (
    LONGEST_WAIT,
    STREAMS,
    Growth,
    Pace,
    TooSlow,
    Tries,
    find_damage,
    has_more,
    keep_good_chunks,
    receive,
    receive_encoded,
)
from dshub.download.transports import Answer
from dshub.errors import ChecksumError, DshubError, TransportError
from dshub.progress import size as shown

WINDOWS = 3  # rate measurements of a source per timeout
SMALLEST_PART, LARGEST_PART = 1 << 20, 16 << 20  # bytes per request of a helper

_log = logging.getLogger("dshub")


class AllFailed(Exception):  # noqa: N818  # caught inside this package
    """Raised when all sources of a file fail. `attempts` contains the error of each source."""

    def __init__(self, attempts: Sequence[DshubError]) -> None:
        super().__init__()
        self.attempts = tuple(attempts)


def download(session: Session, job: Job, sources: Sequence[str]) -> Fetched:
    """Download one file into the cache.

    Raises:
        AllFailed: no source has the file with the expected checksum.
        StoreError: the cache is not writable.
    """
    resource = job.resource

    def waiting(other: Waiting) -> None:
        progress = f" ({shown(other.size)} so far)" if other.size else ""
        session.say(
            f"{job.dataset}: waiting for {other}, which is downloading {job.name}{progress}"
        )

    with session.store.partial(resource.digest, resource.size, waiting=waiting) as partial:
        path = session.store.blob(resource.digest, resource.size)
        if path is not None:
            partial.discard()
            session.progress.skip(resource.size or 0)
            return Fetched(job, path)
        if not partial.size and resource.chunks and session.store.salvage(partial, resource.size):
            keep_good_chunks(partial, resource)
        if resource.size is not None and partial.end > resource.size:
            partial.forget(resource.size, partial.end)
        session.follow(job, partial)
        session.progress.skip(partial.size)
        return Download(session, job, partial).run(sources)


class Download:
    """Download in progress, with one lead connection and several helpers.

    Attributes:
        streams: number of active connections.
    """

    def __init__(self, session: Session, job: Job, partial: Partial) -> None:
        self.streams, self._size = 1, job.resource.size
        self._session, self._job, self._partial = session, job, partial
        self._url, self._etag, self._ranges = "", "", False  # from the current source
        self._total: int | None = None  # file size that the source reports
        self._single = False  # request the whole file, because parts did not fit together
        self._growth, self._lock = Growth(), threading.Lock()
        self._attempts: list[DshubError] = []

    def wants_more(self) -> bool:
        """Return whether to add connections now."""
        size = self._size
        if size is None or not self._ranges or self._session.limiter is not None:
            return False
        return self._growth.should_grow(self._partial.size, size, self.streams)

    def start_helper(self) -> threading.Thread:
        """Start a thread with a connection that downloads parts of the file."""
        with self._lock:
            self.streams += 1
        thread = threading.Thread(target=self._help, daemon=True, name="dshub-part")
        thread.start()
        return thread

    def _help(self) -> None:
        size = self._size
        try:
            while size is not None and self._ranges and self._fetch_part(size):
                self._session.wait()
        except (Stopped, DshubError, OSError, ValueError) as error:
            _log.info("helper connection failed: %s", error)  # only the lead connection retries
            self._growth.pause()
        finally:
            with self._lock:
                self.streams -= 1

    def _fetch_part(self, size: int) -> bool:
        """Download a missing part; return False if no part is missing."""
        partial, url, etag = self._partial, self._url, self._etag
        part = (size - partial.size) // (2 * STREAMS)
        span = partial.claim(size, max_length=min(max(part, SMALLEST_PART), LARGEST_PART))
        if span is None:
            return False
        try:
            transport = self._session.transport(url)
            with transport.open(url, start=span.start, stop=span.stop, etag=etag) as answer:
                if (
                    answer.start != span.start
                    or answer.total not in {None, size}
                    or answer.encoding
                ):
                    self._ranges = False
                    raise TransportError(url=url, reason="it does not send parts of the file")
                receive(self._session, partial, span, answer)
            if span.position == span.start and not span.full:
                raise TransportError(url=url, reason="it sent no bytes of the requested part")
        finally:
            partial.release(span)
        return True

    def run(self, sources: Sequence[str]) -> Fetched:
        """Download the file from the first working source.

        Sources slower than `FLOOR` are skipped at first. If no other source works, they are tried
        again without a minimum rate, the fastest source first.
        """
        slow = self._session.slow
        order = sorted(sources, key=lambda url: host(url) in slow)
        has_others, retries = len(order) > 1, list[tuple[float, str]]()
        for url in order:
            floor = has_others and not (host(url) in slow and len(slow) >= len(order))
            try:
                if self._try(url, floor=floor, fail_fast=has_others):
                    return self._published(url)
            except TooSlow as error:
                retries.append((error.rate, url))
                self._note_slow(url, error.rate)
            if has_others and self._attempts and isinstance(self._attempts[-1], ChecksumError):
                retries.append((0.0, url))
        for _, url in sorted(retries, key=lambda item: -item[0]):
            self._session.say(f"no other source is better; trying {host(url)} again")
            if self._try(url, floor=False):
                return self._published(url)
        raise AllFailed(self._attempts)

    def _note_slow(self, url: str, rate: float) -> None:
        self._session.slow[host(url)] = rate
        reason = f"slow: {shown(int(rate))}/s"
        self._attempts.append(TransportError(url=url, reason=reason))
        self._session.say(f"{host(url)} is slow ({shown(int(rate))}/s); trying the next source")

    def _published(self, url: str) -> Fetched:
        path = self._session.store.publish(self._partial)
        return Fetched(self._job, path, url, tuple(self._attempts))

    def _try(self, url: str, *, floor: bool, fail_fast: bool = False) -> bool:
        """Download from one source. With `fail_fast`, do not retry after a wrong checksum."""
        self._url, self._etag, self._ranges = url, "", False
        self._total, self._single = None, False
        self._session.active.add(self)
        self._session.begin(self._job, url)
        try:
            self._from_source(floor=floor, fail_fast=fail_fast)
        except (TransportError, ChecksumError) as error:
            _log.info("%s", error)
            self._attempts.append(error)
            return False
        finally:
            self._session.active.discard(self)
            self._ranges = False
            self._partial.revoke()  # stop this source's helpers from writing
        return True

    def _from_source(self, *, floor: bool, fail_fast: bool) -> None:
        """Download from one source, and verify the file.

        A wrong checksum can have a temporary cause, such as responses from different versions, a
        login page or a bit flip. Therefore, the file is downloaded again before the source counts
        as failed. If the manifest has checksums of chunks, only damaged chunks are downloaded
        again.
        """
        for last in (fail_fast and not self._partial.size, True):
            self._receive_all(floor=floor)
            if self._is_right():
                return
            too_long = self._size is not None and (self._total or 0) > self._size
            self._single, self._ranges = True, False
            fault = self._reject()
            if last or too_long:
                raise fault
            self._session.wait(_delay(1, None))

    def _receive_all(self, *, floor: bool) -> None:
        """Receive until the file is complete or the source ends, retrying temporary failures."""
        session, partial = self._session, self._partial
        window, tries = max(session.timeout / WINDOWS, 0.2), Tries(session)
        while not partial.complete(self._size):
            before = partial.size
            # a rate limit makes every source slow
            pace = Pace(partial, window) if floor and session.limiter is None else None
            try:
                self._check_reachable()
                if self._receive(pace):
                    break
            except TransportError as error:
                tries.count(error, received=partial.size - before)
                session.wait(_delay(tries.fruitless, error.retry_after))
            session.wait()

    def _check_reachable(self) -> None:
        reason = self._session.unreachable.get(host(self._url))
        if reason is not None:
            raise TransportError(url=self._url, reason=reason, unreachable=True)

    def _receive(self, pace: Pace | None) -> bool:
        """Receive one answer; return whether the source has sent its whole file."""
        size, partial = self._size, self._partial
        span = partial.claim(size)
        if span is None:  # helpers are downloading all missing parts
            partial.wait(0.1)
            return False
        try:
            etag = partial.origin.etag if partial.origin.url == shown_url(self._url) else ""
            stop = None if span.stop == size else span.stop
            transport = self._session.transport(self._url)
            with transport.open(self._url, start=span.start, stop=stop, etag=etag) as answer:
                if answer.encoding:
                    self._take_encoded(answer)
                    return True
                span = self._span_for(span, answer)
                self._begin(span, answer)
                receive(self._session, partial, span, answer, pace=pace)
                if answer.total is None and partial.complete(size) and not self._is_right():
                    self._total = (size or 0) + has_more(answer)
                return self._has_ended(span, answer)
        finally:
            partial.release(span)

    def _span_for(self, span: Span, answer: Answer) -> Span:
        """Return `span`, or a span of the whole file if the answer starts at 0 instead."""
        size = self._size
        if answer.start == span.start:
            if span.start and None not in {size, answer.total} and answer.total != size:
                self._restart()
                raise self._broken(f"it has a different file of {answer.total:,} bytes")
            return span
        self._restart()
        whole_file = self._partial.claim(size)
        if whole_file is None:
            raise self._broken("it sends only the whole file")
        return whole_file

    def _begin(self, span: Span, answer: Answer) -> None:
        """Record the source, and limit the span if the manifest does not state the file size."""
        resource, partial = self._job.resource, self._partial
        if resource.size is None:
            bound = size_bound(resource, self._session.store, here=partial.size)
            if answer.total is not None and answer.total > bound:
                raise too_large(self._url, answer.total, bound)
            span.stop = bound if answer.total is None else answer.total
        origin = Origin(shown_url(self._url), answer.etag)  # without the password in the URL
        if partial.origin != origin:
            partial.note(origin)
        self._etag, self._total = answer.etag, answer.total
        self._ranges = answer.ranges and not self._single
        if self.streams == 1:
            self._growth.begin(partial.size)

    def _has_ended(self, span: Span, answer: Answer) -> bool:
        """Return whether the source has sent its whole file; raise an error if it broke off."""
        size = self._size
        if span.full and size is not None:
            return False
        if span.full and answer.total is None and has_more(answer):
            self._restart()
            raise too_large(self._url, None, span.position)
        total = size if answer.total is None else answer.total
        if total is not None and span.position < total and not span.full:
            raise self._broken(f"it ended after {span.position:,} of {total:,} bytes")
        return True

    def _take_encoded(self, answer: Answer) -> None:
        """Replace the partial download with the file of an answer that has a content encoding."""
        resource, session = self._job.resource, self._session
        self._restart()
        if answer.start:
            raise self._broken("it sent part of the file with a content encoding")
        bound = size_bound(resource, session.store, here=0)
        path = receive_encoded(session, self._url, answer, self._partial, bound)
        if resource.size is None and path.stat().st_size > bound:
            path.unlink()
            raise too_large(self._url, None, bound)
        self._partial.replace(path)
        session.progress.advance(self._partial.size)

    def _is_right(self) -> bool:
        complete = self._size is None or self._partial.complete(self._size)
        return complete and self._partial.actual == self._partial.digest

    def _reject(self) -> ChecksumError:
        """Drop damaged chunks, or move the whole file aside, and return the error to raise."""
        resource, partial = self._job.resource, self._partial
        expected, actual = str(resource.digest), str(partial.actual)
        wrong = find_damage(partial, resource)
        if wrong:
            before = partial.size
            partial.forget(*wrong)
            self._session.progress.advance(partial.size - before)
            diagnosis = f"{len(wrong) // 2} of its {len(resource.chunks)} chunks are damaged"
            return ChecksumError(
                source=self._url, expected=expected, actual="other bytes", diagnosis=diagnosis
            )
        length = max(partial.size, self._total or 0)
        diagnosis, hint = diagnose(partial.data, resource, length)
        if resource.size is not None and length != resource.size:
            expected = f"{resource.size:,} bytes"
            actual = "more bytes" if length > resource.size else f"{length:,} bytes"
        self._session.progress.advance(-partial.size)
        rejected = str(self._session.store.reject(partial))
        return ChecksumError(
            source=self._url,
            expected=expected,
            actual=actual,
            diagnosis=diagnosis,
            kept=rejected,
            hint=hint,
        )

    def _broken(self, reason: str) -> TransportError:
        return TransportError(url=self._url, reason=reason, transient=True)

    def _restart(self) -> None:
        self._session.progress.advance(-self._partial.size)
        self._partial.restart()


def _delay(fruitless: int, retry_after: float | None) -> float:
    """Return the seconds until the next try, from `retry_after` or by exponential backoff."""
    if retry_after is not None:
        return min(retry_after, LONGEST_WAIT)
    return min(0.5 * float(1 << fruitless), LONGEST_WAIT) * random.uniform(0.5, 1.0)  # noqa: S311
