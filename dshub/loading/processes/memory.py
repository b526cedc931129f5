"""Memory shared with a child process, without a name that could be left behind.

On POSIX, regions are parts of a file without a name, whose descriptor the child inherits. The
system frees it when both processes have ended, even if they were killed. On Windows, regions are
named, and the system frees each when no process has it open.
"""

import mmap
import os
import sys
import tempfile
import threading
import weakref
from typing import Any, NamedTuple

import numpy as np

ALIGNMENT = 64  # bytes, for vector instructions
POSIX = sys.platform != "win32"


class Region(NamedTuple):
    """A region of shared memory: its place in the file or its number, and its size in bytes."""

    place: int
    size: int


class Placed(NamedTuple):
    """An array in shared memory, in place of the array itself in a pickle."""

    region: int
    start: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str


def create() -> int:
    """Create an empty file without a name, and return its descriptor; -1 on Windows."""
    if not POSIX:
        return -1
    if hasattr(os, "memfd_create"):  # not limited by the size of /dev/shm, as in containers
        return os.memfd_create("dshub")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def open_region(descriptor: int, name: str, region: Region) -> np.ndarray:
    """Map a region, uint8 (size,)."""
    if sys.platform == "win32":
        memory = mmap.mmap(-1, region.size, tagname=f"{name}-{region.place}")
    else:
        memory = mmap.mmap(descriptor, region.size, offset=region.place)
    return np.frombuffer(memory, np.uint8)


class Allocator:
    """Allocator of regions in the child process.

    Args:
        descriptor: descriptor of the file, from `create`.
        name: prefix of names on Windows.
    """

    def __init__(self, descriptor: int, name: str) -> None:
        self._descriptor, self._name = descriptor, name
        self._end = 0
        self._lock = threading.Lock()
        self._free: dict[int, list[Region]] = {}
        self._regions: dict[int, tuple[Region, Any]] = {}  # by the address of the memory

    def allocate(self, size: int) -> np.ndarray:
        """Allocate shared memory, uint8 (size,)."""
        with self._lock:
            free = self._free.setdefault(size, [])
            region = free.pop() if free else self._new(size)
        memory = open_region(self._descriptor, self._name, region)
        address = memory.ctypes.data
        self._regions[address] = region, weakref.ref(memory)
        weakref.finalize(memory, self._release, address, region).atexit = False
        return memory

    def _new(self, size: int) -> Region:
        region = Region(self._end, size)
        self._end += -(-size // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY
        if POSIX:
            os.ftruncate(self._descriptor, self._end)
        return region

    def _release(self, address: int, region: Region) -> None:
        self._regions.pop(address, None)
        self._free[region.size].append(region)

    def find(self, array: np.ndarray) -> tuple[Region, np.ndarray] | None:
        """Return the region of an array and the array that owns it, or None for other memory."""
        owner = array
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        region, reference = self._regions.get(owner.ctypes.data, (None, None))
        if region is None or reference is None or reference() is not owner:
            return None
        return region, owner
