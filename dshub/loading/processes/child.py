"""The child process: make batches in threads, and send them in shared memory."""

import os
import pickle
import runpy
import struct
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import IO, Any, NamedTuple

import numpy as np

from dshub.errors import DshubError
from dshub.loading.bad_rows import BadRows
from dshub.loading.gathering import Gatherer
from dshub.loading.memory import LARGE, Pool
from dshub.loading.options import BatchOptions, Rows
from dshub.loading.processes.memory import ALIGNMENT, Allocator, Placed, Region

POLL = 1.0  # seconds between checks of the parent
LENGTH = struct.Struct("<Q")
_MAIN = "__mp_main__"  # as for the processes of `multiprocessing`

importing = False  # whether this process is running the script of its parent


class Work(NamedTuple):
    """Rows and options of the batches to make.

    Attributes:
        rows: rows to read.
        options: options of the batches.
        ahead: number of batches that are made at the same time.
    """

    rows: Rows
    options: BatchOptions
    ahead: int


class Request(NamedTuple):
    """A message to the child.

    Attributes:
        number: number of the batch.
        rows: rows of the batch, int64, or None to request none.
        epoch: epoch of the batch.
        unused: batch and region of the memory that the parent no longer uses.
        cancelled: numbers of batches that are no longer needed.
    """

    number: int = -1
    rows: np.ndarray | None = None
    epoch: int = 0
    unused: tuple[tuple[int, int], ...] = ()
    cancelled: tuple[int, ...] = ()


class Answer(NamedTuple):
    """A message to the parent: a batch with `Placed` arrays, or an error.

    Attributes:
        bad_rows: epoch, number and error of rows that could not be decoded.
    """

    number: int
    regions: tuple[Region, ...] = ()
    batch: Any = None
    error: Exception | None = None
    bad_rows: tuple[tuple[int, int, str], ...] = ()


def send(stream: IO[bytes], message: Any) -> None:
    """Write a pickle and its length."""
    data = pickle.dumps(message, protocol=5)
    stream.write(LENGTH.pack(len(data)))
    stream.write(data)
    stream.flush()


def receive(stream: IO[bytes]) -> bytes:
    """Read the next pickle; return nothing at the end of the stream."""
    head = stream.read(LENGTH.size)
    (length,) = LENGTH.unpack(head) if len(head) == LENGTH.size else (-1,)
    data = stream.read(length) if length >= 0 else b""
    return data if len(data) == length else b""


class Packer:
    """Replace the large arrays of batches by places in shared memory.

    Args:
        allocator: allocator of the memory.
        pool: pool that reuses the memory.
    """

    def __init__(self, allocator: Allocator, pool: Pool) -> None:
        self._allocator, self._pool = allocator, pool

    def pack(self, batch: Any) -> tuple[tuple[Region, ...], list[np.ndarray], Any]:
        """Return the regions of a batch, the arrays that own them, and the batch with places."""
        owners: list[tuple[Region, np.ndarray]] = []
        total = sum(_room(array) for array in _arrays(batch) if self._is_moved(array))
        room = self._pool.empty((_rounded(total),), np.uint8) if total else np.empty(0, np.uint8)
        used = 0

        def place(array: np.ndarray) -> Any:
            nonlocal used
            if self._is_moved(array):
                target = np.ndarray(array.shape, array.dtype, room, used)
                used += _room(array)
                target[...] = array
                array = target
            found = self._allocator.find(array)
            if found is None:
                return array
            numbers = [owner is found[1] for _, owner in owners]
            if True not in numbers:
                owners.append(found)
                numbers.append(True)
            start = array.ctypes.data - found[1].ctypes.data
            kind = array.dtype.str
            return Placed(numbers.index(True), start, array.shape, array.strides, kind)

        packed = each(batch, place)
        return tuple(region for region, _ in owners), [owner for _, owner in owners], packed

    def _is_moved(self, array: np.ndarray) -> bool:
        """Return True for arrays that must be copied into shared memory."""
        movable = array.nbytes >= LARGE // 4 and not array.dtype.hasobject
        return movable and self._allocator.find(array) is None


def each(batch: Any, function: Callable[[Any], Any]) -> Any:
    """Apply a function to the arrays and places of a batch."""
    if isinstance(batch, Placed | np.ndarray):
        return function(batch)
    if isinstance(batch, dict):
        return {name: each(value, function) for name, value in batch.items()}
    if type(batch) in {tuple, list}:
        return type(batch)(each(value, function) for value in batch)
    return batch


def _arrays(batch: Any) -> list[np.ndarray]:
    arrays: list[np.ndarray] = []
    each(batch, arrays.append)
    return arrays


def _room(array: np.ndarray) -> int:
    return -(-array.nbytes // ALIGNMENT) * ALIGNMENT


def _rounded(size: int) -> int:
    """Round up to a multiple of an eighth of a power of two, so that few sizes are in use."""
    step = max(LARGE, 1 << max(0, size.bit_length() - 4))
    return -(-size // step) * step


class Maker:
    """Make requested batches in threads.

    Args:
        work: rows and options of the batches.
        allocator: allocator of shared memory.
        output: stream of answers.
    """

    def __init__(self, work: Work, allocator: Allocator, output: IO[bytes]) -> None:
        pool = Pool(allocate=allocator.allocate)
        self._found = BadRows(work.options.on_error, warns=False)
        self._gatherer = Gatherer(work.rows, work.options, pool, found=self._found)
        self._packer, self._output = Packer(allocator, pool), output
        self._threads = ThreadPoolExecutor(work.ahead, thread_name_prefix="dshub-loader")
        self._writing, self._packing = threading.Lock(), threading.Lock()
        self._sent: dict[tuple[int, int], np.ndarray] = {}  # keeps the pool from reusing it
        self._cancelled: set[int] = set()

    def follow(self, request: Request) -> None:
        """Carry out a request, without waiting for its batch."""
        for key in request.unused:
            self._sent.pop(key, None)
        self._cancelled.update(request.cancelled)
        if request.rows is not None:
            self._threads.submit(self._answer, request.number, request.rows, request.epoch)

    def _answer(self, number: int, rows: np.ndarray, epoch: int) -> None:
        if number in self._cancelled:
            self._cancelled.discard(number)
            return
        try:
            batch = self._gatherer.batch(rows, epoch)
            with self._packing:
                regions, owners, packed = self._packer.pack(batch)
            self._sent |= {(number, index): owner for index, owner in enumerate(owners)}
            answer = Answer(number, regions, packed, bad_rows=self._found.take())
        except Exception as error:  # noqa: BLE001  # the parent raises it
            answer = Answer(number, error=sendable(error))
        with self._writing:
            send(self._output, answer)


def sendable(error: Exception) -> Exception:
    """Return an error that can be pickled."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  # our own pickle
    except Exception:  # noqa: BLE001  # any class can fail in any way
        return DshubError(f"{type(error).__name__}: {error}")
    return error


def serve(descriptor: int, name: str) -> None:
    """Answer requests on standard input until it ends, and then end this process.

    Args:
        descriptor: descriptor of the shared memory.
        name: prefix of its names on Windows.
    """
    source = os.fdopen(os.dup(0), "rb")
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what functions print must not mix with answers
    threading.Thread(target=_follow_parent, daemon=True).start()
    try:
        first = receive(source)
        maker = Maker(_opened(first), Allocator(descriptor, name), output) if first else None
        while maker is not None and (data := receive(source)):
            maker.follow(pickle.loads(data))  # noqa: S301  # from the parent
    except Exception as error:  # noqa: BLE001  # the parent raises it
        with suppress(OSError):
            send(output, Answer(-1, error=sendable(error)))
    os._exit(0)


def _opened(data: bytes) -> Work:
    """Unpickle the work, after the script of the parent if its functions are part of it."""
    main, packed = pickle.loads(data)  # noqa: S301  # from the parent
    if main is not None:
        _import_main(main)
    work: Work = pickle.loads(packed)  # noqa: S301  # from the parent
    return work


def _import_main(path: str) -> None:
    """Run the script of the parent as a module, so that its functions can be unpickled."""
    global importing  # noqa: PLW0603  # the script must not start processes
    importing = True
    script = runpy.run_path(path, run_name=_MAIN)
    module = type(sys)(_MAIN)
    vars(module).update(script)
    sys.modules["__main__"] = sys.modules[_MAIN] = module
    importing = False


def _follow_parent() -> None:
    """End this process when its parent ends, even if other processes hold its pipes open."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(POLL)
    os._exit(1)
