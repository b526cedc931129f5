"""The parent of a child process: request batches, and receive them in shared memory."""

import os
import pickle
import subprocess
import sys
import threading
import weakref
from collections import deque
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Any, cast

import numpy as np

from dshub.errors import DshubError
from dshub.loading.processes import child
from dshub.loading.processes.child import Answer, Request, Work, each, receive, send
from dshub.loading.processes.memory import POSIX, Placed, Region, create, open_region

NICE = 10  # added to the niceness of the child, so that the training loop comes first
PATIENCE = 5  # seconds to wait for the child to end
_PROGRAM = """\
import os, sys
sys.path[:] = {path!r}
if hasattr(os, "nice"):
    os.nice({nice})
from dshub.loading.processes import child
from dshub.loading.processes.child import serve
serve({descriptor}, {name!r})
"""


class BatchProcess:
    """A child process that makes batches. It ends with this object or with its parent.

    Args:
        work: rows and options of the batches.

    Raises:
        DshubError: the rows or transforms cannot be sent to a process.
    """

    def __init__(self, work: Work) -> None:
        if child.importing:
            raise DshubError(
                "a script that uses processes started again in one of them",
                hint='put the calls of the script below `if __name__ == "__main__":`',
            )
        data = _pickled(work)
        self._name = f"dshub-{token_hex(8)}"
        self._descriptor = create()
        self._process = _start(self._descriptor, self._name)
        assert self._process.stdin is not None  # noqa: S101  # for type checkers
        assert self._process.stdout is not None  # noqa: S101  # for type checkers
        self._requests, self._answers = self._process.stdin, self._process.stdout
        self._lock = threading.RLock()
        self._unused: deque[tuple[int, int]] = deque()
        self._maps: dict[Region, np.ndarray] = {}
        self._ready: dict[int, Answer] = {}
        self._cancelled: set[int] = set()
        self._bad_rows: list[tuple[int, int, str]] = []
        self._next = 0
        self._finalizer = weakref.finalize(self, _end, self._process, self._descriptor, os.getpid())
        self._send((_main_path() if b"__main__" in data else None, data))

    @property
    def is_alive(self) -> bool:
        """True if the child has not ended, and this is the process that started it."""
        return self._finalizer.alive and self._process.poll() is None

    def close(self) -> None:
        """End the child."""
        self._finalizer()

    def submit(self, rows: np.ndarray, epoch: int) -> int:
        """Request a batch, and return its number."""
        with self._lock:
            number, self._next = self._next, self._next + 1
            unused = tuple(self._unused.popleft() for _ in range(len(self._unused)))
            self._send(Request(number, rows, epoch, unused))
            return number

    def cancel(self, numbers: list[int]) -> None:
        """Drop requested batches."""
        with self._lock:
            for number in numbers:
                answer = self._ready.pop(number, None)
                if answer is None:
                    self._cancelled.add(number)
                else:
                    self._drop(answer)
            if self.is_alive:
                self._send(Request(cancelled=tuple(numbers)))

    def result(self, number: int) -> Any:
        """Wait for a batch, and return it as arrays in shared memory.

        Raises:
            DshubError: the child died.
            Exception: the error that making the batch raised.
        """
        with self._lock:
            while number not in self._ready:
                self._receive()
            answer = self._ready.pop(number)
        if answer.error is not None:
            raise answer.error
        return self._opened(answer)

    def take_bad_rows(self) -> list[tuple[int, int, str]]:
        """Return the epoch, number and error of rows that failed since the last call."""
        with self._lock:
            taken, self._bad_rows = self._bad_rows, []
        return taken

    def _send(self, message: Any) -> None:
        try:
            send(self._requests, message)
        except OSError as error:
            raise self._death() from error
        except BaseException:  # an interrupted message cannot be continued
            self.close()
            raise

    def _receive(self) -> None:
        """Receive the next answer; answers without a number report a start or a fault."""
        try:
            data = receive(self._answers)
        except BaseException:  # such as Ctrl-C: an interrupted message cannot be continued
            self.close()
            raise
        if not data:
            raise self._death()
        answer: Answer = pickle.loads(data)  # noqa: S301  # from the child
        self._bad_rows += answer.bad_rows
        if answer.number < 0 and answer.error is not None:
            self.close()
            raise _unsendable(answer.error)
        if answer.number in self._cancelled:
            self._cancelled.discard(answer.number)
            self._drop(answer)
        elif answer.number >= 0:
            self._ready[answer.number] = answer

    def _drop(self, answer: Answer) -> None:
        self._unused.extend((answer.number, index) for index in range(len(answer.regions)))

    def _opened(self, answer: Answer) -> Any:
        """Return a batch, whose memory is reused when nothing refers to its arrays."""
        owners = []
        for index, region in enumerate(answer.regions):
            if region not in self._maps:
                self._maps[region] = open_region(self._descriptor, self._name, region)
            owner = np.frombuffer(cast("Any", self._maps[region]).data, np.uint8)
            key = answer.number, index
            weakref.finalize(owner, self._unused.append, key).atexit = False
            owners.append(owner)

        def opened(value: Any) -> Any:
            if not isinstance(value, Placed):
                return value
            owner = owners[value.region]
            return np.ndarray(value.shape, np.dtype(value.dtype), owner, value.start, value.strides)

        return each(answer.batch, opened)

    def _death(self) -> DshubError:
        """Return the error for a child that ended by itself."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(PATIENCE)
        code = self._process.returncode
        self.close()
        how = f"by signal {-code}" if code is not None and code < 0 else f"with exit code {code}"
        return DshubError(
            f"the process that prepares batches ended {how}",
            hint='if memory ran out, use smaller batches or fewer threads; where="thread" prepares '
            "batches in this process",
        )


def _pickled(work: Work) -> bytes:
    try:
        return pickle.dumps(work, protocol=5)
    except Exception as error:
        raise _unsendable(error) from error


def _unsendable(error: Exception) -> DshubError:
    if isinstance(error, DshubError):
        return error
    return DshubError(
        f"the dataset or a transform cannot be sent to a process: {error}",
        hint='define functions at the top level of a module, or use where="thread"',
    )


def _main_path() -> str | None:
    """Return the script of this process, whose functions the child needs; None in notebooks."""
    path = getattr(sys.modules.get("__main__"), "__file__", None)
    return str(Path(path).absolute()) if path and Path(path).is_file() else None


def _start(descriptor: int, name: str) -> "subprocess.Popen[bytes]":
    program = _PROGRAM.format(path=sys.path, nice=NICE, descriptor=descriptor, name=name)
    command = [sys.executable, "-c", program]
    if not POSIX:
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.BELOW_NORMAL_PRIORITY_CLASS  # type: ignore[attr-defined, unused-ignore]
        return subprocess.Popen(  # noqa: S603  # this interpreter
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, creationflags=flags
        )
    return subprocess.Popen(  # noqa: S603  # this interpreter
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[descriptor],
        process_group=0,  # Ctrl-C interrupts only the parent, which ends the child
    )


def _end(process: "subprocess.Popen[bytes]", descriptor: int, owner: int) -> None:
    """Close the pipes of a child, which ends it, and wait for it."""
    if os.getpid() != owner:  # a forked copy
        return
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(OSError, ValueError):
                stream.close()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if descriptor >= 0:
        os.close(descriptor)
