"""Making what comes next in a thread of its own, while what came before is used."""

import threading
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

Item = TypeVar("Item")


@contextmanager
def prefetched(items: Generator[Item, None, None], *, most: int) -> Iterator[Iterator[Item]]:
    """The same items in the same order; what making them raises is raised where they are used.

    When the block ends, however it ends, the thread has ended too and `items` is closed.

    Args:
        items: made in the thread; nobody else may use it meanwhile.
        most: how many may wait to be used. One more may be in the making, one in use.
    """
    worker = _Worker(items, most)
    worker.thread.start()
    try:
        yield worker.items()
    finally:
        worker.stop()


class _Worker(Generic[Item]):
    def __init__(self, items: Generator[Item, None, None], most: int) -> None:
        self._source = items
        self._made: deque[Item] = deque()
        self._failure: BaseException | None = None
        self._room = threading.Semaphore(most)
        self._ready = threading.Semaphore(0)  # one for each item, and one at the end
        self._stopped = False
        self.thread = threading.Thread(target=self._work, name="dshub-prefetch", daemon=True)

    def items(self) -> Iterator[Item]:
        while True:
            self._ready.acquire()
            if not self._made:
                break
            item = self._made.popleft()
            self._room.release()
            yield item
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        self._stopped = True
        self._room.release()
        self.thread.join()

    def _work(self) -> None:
        try:
            self._make()
        except BaseException as error:  # noqa: BLE001  # raised again where the items are used
            self._failure = error
        finally:
            self._ready.release()

    def _make(self) -> None:
        try:
            for item in self._source:
                self._room.acquire()
                if self._stopped:
                    return
                self._made.append(item)
                self._ready.release()
        finally:
            self._source.close()
