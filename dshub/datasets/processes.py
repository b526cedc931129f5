"""Run work in processes that never outlive their parent."""

import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from dshub.errors import DshubError

# A forked process inherits the function, so functions defined in notebooks work.
METHOD = "fork" if sys.platform == "linux" else "spawn"
POLL = 0.5  # seconds between checks of the parent

T = TypeVar("T")

_work: Callable[[int], Any] = int  # the function that this worker process calls


def in_processes(work: Callable[[int], T], count: int, workers: int) -> Generator[T, None, None]:
    """Call a function with 0 … count - 1 in processes, and yield results as they complete.

    Closing the iterator ends the processes. Errors and Ctrl-C end them, too.

    Raises:
        DshubError: a process died, or the function cannot be sent to one.
    """
    context = multiprocessing.get_context(METHOD)
    stopped, stop = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(
        min(workers, count), context, initializer=_start, initargs=(work, stopped)
    )
    try:
        jobs = _submit(pool, count)
        for job in as_completed(jobs):
            yield job.result()
    except BrokenProcessPool as error:
        stop.send_bytes(b"stop")
        raise DshubError(
            "a worker process died while it computed rows",
            hint="if memory ran out, use fewer workers (finished shards are kept). On Windows and "
            'macOS, also put the calls of a script below `if __name__ == "__main__":`',
        ) from error
    except BaseException:
        stop.send_bytes(b"stop")
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        stopped.close()
        stop.close()


def _submit(pool: ProcessPoolExecutor, count: int) -> list[Any]:
    try:
        return [pool.submit(_call, number) for number in range(count)]
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise DshubError(
            f"the function cannot be sent to worker processes: {error}",
            hint="define it at the top level of a module, or use workers=1",
        ) from error


def _start(work: Callable[[int], Any], stopped: Connection) -> None:
    global _work  # noqa: PLW0603  # the memory of a worker process
    _work = work
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent receives Ctrl-C and ends workers
    threading.Thread(target=_follow_parent, args=(stopped,), daemon=True).start()


def _follow_parent(stopped: Connection) -> None:
    """End this process, even in the middle of its work, when the parent ends or sends a message.

    Workers only poll for the message and never read it, so that all of them see it.
    """
    parent = multiprocessing.parent_process()
    while parent and parent.is_alive() and os.getppid() == parent.pid and not stopped.poll(POLL):
        pass
    os._exit(1)


def _call(number: int) -> Any:
    return _work(number)
