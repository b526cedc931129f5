"""Read rows from the disk ahead of their use, all rows of a batch at once.

A memory map reads pages when they are used, one row after the other, so that a disk has one request
at a time. `madvise` starts to read all rows of a batch, and the disk serves them together. Rows in
memory need no advice, so it is given only while pages come from the disk. The system counts these
as major page faults.
"""

import ctypes
import mmap
import sys
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import numpy as np

BATCHES = 16  # that are read ahead after each page that came from the disk


class ReadAhead:
    """Advice to read rows that are in memory maps.

    Args:
        faults: function that returns the number of pages that this process read from the disk.
        advise: function that starts to read memory, called with an address and a size in bytes;
            None if the system has none.
    """

    def __init__(
        self,
        faults: Callable[[], int] | None = None,
        advise: Callable[[int, int], Any] | None = None,
    ) -> None:
        self._faults, self._advise = faults or major_faults, advise or _madvise()
        self._seen, self._left = self._faults(), 0

    def start(self, rows: Iterable[Any]) -> None:
        """Start to read the rows of a batch, unless the latest ones were in memory.

        Args:
            rows: files or images, as memoryviews or arrays; `bytes` are ignored.
        """
        if self._advise is None:
            return
        faults = self._faults()
        self._left = BATCHES if faults > self._seen else self._left - 1
        self._seen = faults
        if self._left < 0:
            return
        for row in rows:
            if isinstance(row, bytes) or not row.nbytes:
                continue
            values = np.frombuffer(row, np.uint8) if isinstance(row, memoryview) else row
            address = values.__array_interface__["data"][0]
            start = address - address % mmap.PAGESIZE
            self._advise(start, address + values.nbytes - start)


def major_faults() -> int:
    """Return the number of pages that this process read from the disk; 0 on Windows."""
    if sys.platform == "win32":
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_majflt


@cache
def _madvise() -> Callable[[int, int], Any] | None:
    """Return a function that calls `madvise` of the C library, or None."""
    if not hasattr(mmap, "MADV_WILLNEED"):
        return None
    try:
        function = ctypes.CDLL(None).madvise
    except (OSError, AttributeError):
        return None
    function.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return lambda address, size: function(address, size, mmap.MADV_WILLNEED)
