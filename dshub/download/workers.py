"""The threads that download, and how many there are.

More connections help while this process waits for the network, and hurt while it does not: on a
fast link, a few already keep a core busy. So a fetch begins with few, and adds more while there is
processor time left: first for files that have not begun, then for parts of large files whose only
connection is slow.
"""

import queue
import threading
import time
from collections.abc import Callable, Sequence

from dshub.download.download import download
from dshub.download.session import Session
from dshub.download.sources import Fetched, Job

FIRST = 4  # connections to begin with
TICK = 0.05  # seconds between decisions to add some
BUSY = 0.7  # share of a core in use above which more connections would get in the way
LAST_WAIT = 2.0  # seconds for all threads together to finish writing when interrupted

Outcome = tuple[Job, Fetched | BaseException]


class Workers:
    """Daemon threads that download, so that Ctrl-C does not wait for a silent server.

    Args:
        session: shared by them.
        find: returns the sources of a job.
        jobs: the files; the largest begins first.
        most: connections at once.
    """

    def __init__(
        self, session: Session, find: Callable[[Job], list[str]], jobs: Sequence[Job], most: int
    ) -> None:
        self._session, self._find, self._most = session, find, most
        self._count, self._outcomes = len(jobs), list[Outcome]()
        self._todo: queue.SimpleQueue[Job] = queue.SimpleQueue()
        for job in sorted(jobs, key=lambda job: -(job.resource.size or 0)):
            self._todo.put(job)
        self._all_done = threading.Event()
        self._threads: list[threading.Thread] = []
        self._clock = (time.monotonic(), time.process_time())

    def work(self) -> list[Outcome]:
        """Download everything; returns a file or an error for each job, in any order."""
        self._start(min(FIRST, self._most))
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
        for _ in range(min(count, self._todo.qsize())):
            thread = threading.Thread(target=self._work, daemon=True, name="dshub-fetch")
            self._threads.append(thread)
            thread.start()

    def _grow(self) -> None:
        """Add connections if this process has been waiting for those it has."""
        wall, used = time.monotonic(), time.process_time()
        busy = (used - self._clock[1]) / max(wall - self._clock[0], TICK)
        self._clock = (wall, used)
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        free = self._most - len(self._threads)
        if busy > BUSY or free <= 0:
            return
        if not self._todo.empty():
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
                job = self._todo.get_nowait()
            except queue.Empty:
                return
            self._outcomes.append((job, self._download(job)))
            if len(self._outcomes) == self._count:
                self._all_done.set()

    def _download(self, job: Job) -> Fetched | BaseException:
        try:
            return download(self._session, job, self._find(job))
        except BaseException as error:  # noqa: BLE001  # the thread that asked raises it
            return error
