"""Memory of batches, reused once nothing refers to it.

Allocating some megabytes costs as much as filling them, because the system has to map and clear
the pages. So a pool keeps the arrays it handed out, and hands one out again when nothing else
refers to it. Views and tensors refer to the array whose memory they show, so nothing that is
still visible is overwritten. Without exact reference counts a pool always allocates.
"""

import mmap
import sys
import sysconfig
import threading
from collections.abc import Callable
from contextlib import suppress
from math import prod

import numpy as np

LARGE = 1 << 16  # bytes; smaller arrays are cheap to allocate


def mapped(size: int) -> np.ndarray:
    """Allocate page-aligned memory, uint8 (size,); in huge pages if the system has them.

    It is private: a forked process must not write into memory that its parent or a sibling shows.
    """
    if sys.platform == "win32":
        return np.frombuffer(mmap.mmap(-1, size), np.uint8)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if sys.platform == "linux":
        with suppress(OSError):  # the kernel may lack huge pages
            memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, np.uint8)


def _references(arrays: list[np.ndarray], index: int) -> int:
    """Count references to an array in a list, including the list's and this call's."""
    return sys.getrefcount(arrays[index])


_UNUSED = _references([np.empty(0)], 0)  # measured, because it differs between Python versions


def _counts_are_exact() -> bool:
    """False on free-threaded builds, which defer reference counts or split them by thread."""
    free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    return sys.implementation.name == "cpython" and not free_threaded


class Pool:
    """The memory of the last batches.

    Args:
        most: arrays of one size to keep; further ones are allocated.
        allocate: allocates so many bytes, uint8 (size,).
    """

    def __init__(self, most: int = 16, allocate: Callable[[int], np.ndarray] = mapped) -> None:
        self._most, self._allocate = most, allocate
        self._kept: dict[int, list[np.ndarray]] = {}
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type["Pool"], tuple[int, Callable[[int], np.ndarray]]]:
        return Pool, (self._most, self._allocate)  # memory stays in its process

    def empty(self, shape: tuple[int, ...], dtype: np.dtype | type) -> np.ndarray:
        """An array that nothing else refers to, uninitialized; page-aligned if large."""
        dtype = np.dtype(dtype)
        size = prod(shape) * dtype.itemsize
        if size < LARGE:
            return np.empty(shape, dtype)
        memory = self._memory(size) if _counts_are_exact() else self._allocate(size)
        return memory.view(dtype).reshape(shape)

    def _memory(self, size: int) -> np.ndarray:
        """uint8 (size,), the array that is the `base` of every view of it."""
        with self._lock:
            kept = self._kept.setdefault(size, [])
            for index in range(len(kept)):
                if _references(kept, index) <= _UNUSED:
                    return kept[index]
            fresh = self._allocate(size)
            if len(kept) < self._most:
                kept.append(fresh)
            return fresh
