"""The threads that download, and how many of them there are.

Connections help while this process waits for the network, and cost where it does not: on a fast
link a core is busy with a few already. So a fetch begins with few, and adds more while processor
time is left: first for files that nobody has begun, then for parts of large files whose only
stream is slow.
"""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dshub.download.download import Delivered, download
from dshub.download.session import Session, Stopped
from dshub.download.sources import Job
from dshub.download.streams import start_helper

FIRST = 4  # connections to begin with
TICK = 0.05  # seconds between two looks at how it goes
BUSY = 0.7  # share of a core in use above which more connections would only get in the way
LAST_WAIT = 2.0  # seconds for all threads together to put down what they hold, when interrupted


@dataclass(frozen=True)
class Outcome:
    """What became of a job: delivered, or an error."""

    job: Job
    delivered: Delivered | None = None
    error: BaseException | None = None


class Crew:
    """Daemon threads that download: on Ctrl-C nobody has to wait for a silent server.

    Args:
        session: what they share.
        find: the sources of a job.
        jobs: what is to be fetched; the largest is begun first.
        most: connections at once.
    """

    def __init__(
        self, session: Session, find: Callable[[Job], list[str]], jobs: Sequence[Job], most: int
    ) -> None:
        self._session, self._find, self._most = session, find, most
        self._todo: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._outcomes: list[Outcome] = []
        self._all_done = threading.Event()
        self._count = len(jobs)
        for job in sorted(jobs, key=lambda job: -(job.resource.size or 0)):
            self._todo.put(job)
        self._threads: list[threading.Thread] = []
        self._clock = (time.monotonic(), time.process_time())

    def work(self) -> list[Outcome]:
        """Download everything; returns what became of each job, in no certain order."""
        self._start(min(FIRST, self._most))
        try:
            while len(self._outcomes) < self._count:
                if not self._all_done.wait(TICK):
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
        """More connections, if this process has been waiting for those it has.

        Raises:
            Stopped: somebody else wants the fetch to end.
        """
        if self._session.stop.is_set():
            raise Stopped
        wall, used = time.monotonic(), time.process_time()
        seconds = wall - self._clock[0]
        if seconds < TICK:
            return
        busy = (used - self._clock[1]) / seconds
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
                self._threads += [start_helper(active) for _ in range(count)]
                free -= count

    def _work(self) -> None:
        while not self._session.stop.is_set():
            try:
                job = self._todo.get_nowait()
            except queue.Empty:
                return
            self._outcomes.append(self._one(job))
            if len(self._outcomes) == self._count:
                self._all_done.set()

    def _one(self, job: Job) -> Outcome:
        try:
            return Outcome(job, download(self._session, job, self._find(job)))
        except BaseException as error:  # noqa: BLE001  # handed to the thread that asked
            return Outcome(job, error=error)
