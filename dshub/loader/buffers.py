"""Memory for batches, used again once nobody holds it.

A fresh array of some megabytes costs as much as filling it, because the system has to hand over
and clear its pages. So a pool keeps the arrays that it gave out, and gives one again when it is
the only one that still refers to it: views and tensors refer to the array whose memory they
show, so nothing that anybody can still see is ever overwritten.
"""

import mmap
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from math import prod

import numpy as np

LARGE = 1 << 16  # bytes below which a fresh array is as good


def mapped(size: int) -> np.ndarray:
    """Fresh memory that begins at a page, uint8 (size,); large pages where the system has them.

    It is private: a process that was forked must not fill what its parent, or another child, shows.
    """
    if sys.platform == "win32":
        return np.frombuffer(mmap.mmap(-1, size), np.uint8)
    found = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if sys.platform == "linux":
        with suppress(OSError):  # a kernel may be built without
            found.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(found, np.uint8)


def _holders(kept: list[np.ndarray], place: int) -> int:
    """References to memory in a list, with its own and those of this call."""
    return sys.getrefcount(kept[place])


_NOBODY = _holders([np.empty(0)], 0)  # counted, because it differs between releases of Python


class Pool:
    """The memory of the last batches.

    Args:
        most: arrays of one size that are kept; a batch that is held longer gets fresh memory.
        allocate: makes memory of so many bytes, uint8 (size,).
    """

    def __init__(self, most: int = 16, allocate: Callable[[int], np.ndarray] = mapped) -> None:
        self._most, self._allocate = most, allocate
        self._kept: dict[int, list[np.ndarray]] = {}
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type["Pool"], tuple[int, Callable[[int], np.ndarray]]]:
        return Pool, (self._most, self._allocate)  # memory stays in its process

    def empty(self, shape: tuple[int, ...], dtype: np.dtype | type) -> np.ndarray:
        """An array that nobody else holds, with anything in it; page-aligned where large."""
        dtype = np.dtype(dtype)
        size = prod(shape) * dtype.itemsize
        if size < LARGE:
            return np.empty(shape, dtype)
        return self._memory(size).view(dtype).reshape(shape)

    def _memory(self, size: int) -> np.ndarray:
        """uint8 (size,), the array to which every view of it refers (NumPy's `base`)."""
        with self._lock:
            kept = self._kept.setdefault(size, [])
            for place in range(len(kept)):
                if _holders(kept, place) <= _NOBODY:
                    return kept[place]
            fresh = self._allocate(size)
            if len(kept) < self._most:
                kept.append(fresh)
            return fresh
