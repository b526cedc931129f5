"""Memory of batches, which is reused."""

import mmap
import sys
import sysconfig
import threading
from collections.abc import Callable
from contextlib import suppress
from math import prod

import numpy as np

LARGE = 1 << 16  # bytes; allocating smaller arrays is cheap
MAX_ARRAYS = 16  # arrays per size in a pool


def allocate_pages(size: int) -> np.ndarray:
    """Allocate page-aligned memory, uint8 (size,), in huge pages if available.

    The memory is private, so that a forked process cannot write to memory of its parent or
    siblings.
    """
    if sys.platform == "win32":
        return np.frombuffer(mmap.mmap(-1, size), np.uint8)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if sys.platform == "linux":
        with suppress(OSError):  # the kernel can lack huge pages
            memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, np.uint8)


def _references(arrays: list[np.ndarray], index: int) -> int:
    """Count references to an array in a list, including those of the list and this call."""
    return sys.getrefcount(arrays[index])


_UNUSED = _references([np.empty(0)], 0)  # measured, because it differs between Python versions


def _has_exact_reference_counts() -> bool:
    """Return False on free-threaded builds, which defer or split reference counts."""
    free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    return sys.implementation.name == "cpython" and not free_threaded


class Pool:
    """Memory of recent batches, reused when nothing else refers to it.

    Allocating a few megabytes takes as long as filling them, because the system has to map and
    clear the pages. Views and tensors refer to the array that owns their memory, so visible data is
    never overwritten. Without exact reference counts, a pool always allocates.

    Args:
        allocate: function that allocates `size` bytes, uint8 (size,).
    """

    def __init__(self, allocate: Callable[[int], np.ndarray] = allocate_pages) -> None:
        self._allocate = allocate
        self._arrays: dict[int, list[np.ndarray]] = {}
        self._lock = threading.Lock()

    def empty(self, shape: tuple[int, ...], dtype: np.dtype | type) -> np.ndarray:
        """Return an uninitialized array that nothing else refers to, page-aligned if large."""
        dtype = np.dtype(dtype)
        size = prod(shape) * dtype.itemsize
        if size < LARGE:
            return np.empty(shape, dtype)
        memory = self._memory(size) if _has_exact_reference_counts() else self._allocate(size)
        return memory.view(dtype).reshape(shape)

    def _memory(self, size: int) -> np.ndarray:
        """Return an unused array, uint8 (size,), which is the `base` of all its views."""
        with self._lock:
            arrays = self._arrays.setdefault(size, [])
            for index in range(len(arrays)):
                if _references(arrays, index) <= _UNUSED:
                    return arrays[index]
            memory = self._allocate(size)
            if len(arrays) < MAX_ARRAYS:
                arrays.append(memory)
            return memory
