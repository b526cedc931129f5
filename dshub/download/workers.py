"""Run download threads, and choose their number.

More connections help while the process waits for the network, but slow it down when a fast network
keeps the CPU busy. Therefore, a fetch starts with few connections, and adds more while the CPU is
idle. New connections download files that have not started, and then parts of large files.
"""

import queue
import threading
import time
from collections.abc import Callable, Sequence

from dshub.download.download import download
from dshub.download.session import Session
from dshub.download.sources import Fetched, Job

FIRST = 4  # connections at the start
TICK = 0.05  # seconds between checks whether to add connections
BUSY = 0.7  # share of a CPU core in use above which no connections are added
LAST_WAIT = 2.0  # seconds to wait for all threads to finish writing after an interrupt

Outcome = tuple[Job, Fetched | BaseException]


class Workers:
    """Download threads, which are daemons so that Ctrl-C does not wait for a silent server.

    Args:
        session: shared state of the downloads.
        sources: function that returns the URLs of a file.
        jobs: files to download. Large files start first.
        limit: maximum number of connections.
    """

    def __init__(
        self, session: Session, sources: Callable[[Job], list[str]], jobs: Sequence[Job], limit: int
    ) -> None:
        self._session, self._sources, self._limit = session, sources, limit
        self._count, self._outcomes = len(jobs), list[Outcome]()
        self._queue: queue.SimpleQueue[Job] = queue.SimpleQueue()
        for job in sorted(jobs, key=lambda job: -(job.resource.size or 0)):
            self._queue.put(job)
        self._all_done = threading.Event()
        self._threads: list[threading.Thread] = []
        self._clock = (time.monotonic(), time.process_time())

    def work(self) -> list[Outcome]:
        """Download all files, and return a file or an error for each job, in any order."""
        self._start(min(FIRST, self._limit))
        try:
            while not self._all_done.wait(TICK):
                self._session.wait()
                self._grow()
        except BaseException:
            self._session.stop.set()
            end = time.monotonic() + LAST_WAIT
            for thread in self._threads:
                thread.join(timeout=max(0.0, end - time.monotonic()))
            raise
        return self._outcomes

    def _start(self, count: int) -> None:
        for _ in range(min(count, self._queue.qsize())):
            thread = threading.Thread(target=self._work, daemon=True, name="dshub-fetch")
            self._threads.append(thread)
            thread.start()

    def _grow(self) -> None:
        """Add connections if the CPU was idle since the last call."""
        wall, used = time.monotonic(), time.process_time()
        busy = (used - self._clock[1]) / max(wall - self._clock[0], TICK)
        self._clock = (wall, used)
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        free = self._limit - len(self._threads)
        if busy > BUSY or free <= 0:
            return
        if not self._queue.empty():
            self._start(min(free, max(len(self._threads), 1)))
            return
        for active in list(self._session.active):
            if free > 0 and active.wants_more():
                count = min(free, 3 if active.streams == 1 else active.streams)
                self._threads += [active.start_helper() for _ in range(count)]
                free -= count

    def _work(self) -> None:
        while not self._session.stop.is_set():
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                return
            self._outcomes.append((job, self._download(job)))
            if len(self._outcomes) == self._count:
                self._all_done.set()

    def _download(self, job: Job) -> Fetched | BaseException:
        try:
            return download(self._session, job, self._sources(job))
        except BaseException as error:  # noqa: BLE001  # raised again in the main thread
            return error
        finally:
            self._session.end(job)
