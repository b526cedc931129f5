"""Gather rows into batches, in memory that is used again.

Memory of batches, reused once nothing refers to it.

Allocating some megabytes costs as much as filling them, because the system has to map and clear
the pages. So a pool keeps the arrays it handed out, and hands one out again when nothing else
refers to it. Views and tensors refer to the array whose memory they show, so nothing that is
still visible is overwritten. Without exact reference counts a pool always allocates.
"""

import mmap
import sys
import sysconfig
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import prod
from typing import Any

import numpy as np

from dshub.catalog.features import Feature, ImageFeature, LabelFeature
from dshub.errors import DshubError
from dshub.loading.options import BatchOptions, Rows
from dshub.loading.order import Draws
from dshub.loading.transforms.fused import Fused
from dshub.loading.transforms.transform import AnyTransform, Batch, Context, apply, is_own

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


class Gatherer:
    """Makes the batches of a loader, also in several threads at once.

    Args:
        rows: the source of the rows.
        options: of the batches.
        pool: the memory of images.
    """

    def __init__(self, rows: Rows, options: BatchOptions, pool: Pool | None = None) -> None:
        self.options, self.pool = options, pool or Pool()
        self.own = own_transforms(options.transforms)
        self.fused = Fused.beginning(options.transforms)
        self._all, self._features = rows, rows.features
        self._pictures = list(rows.pictures)
        self._labels = [n for n, item in self._features.items() if isinstance(item, LabelFeature)]
        if not all(_is_array(self._features[name]) for name in self._pictures):
            self.fused = Fused(None, None, None, 0)  # the list is taken as it is
        self._pixels = {
            name: pixels
            for name in self._pictures
            if _is_array(self._features[name]) and (pixels := rows.pixels(name)) is not None
        }
        self._others = rows.without(list(self._pixels)) if self._pixels else rows

    def batch(self, rows: np.ndarray, epoch: int) -> Any:
        """The batch of some rows, with the randomness of an epoch."""
        gathered = self._others.gather(rows)
        context = self.context(rows, epoch)
        numbers = self._all.numbers(rows) if self._pixels else rows
        for name in self._pictures:
            if name in self._pixels:
                gathered[name] = self.picture(self._pixels[name], numbers, context)
            elif self.fused.taken:  # they lie in several pieces, or in files: one pass more
                own = np.arange(len(rows), dtype=np.int64)
                gathered[name] = self.picture(gathered[name], own, context)
        return self.finish({name: gathered[name] for name in self._features}, context)

    def context(self, rows: np.ndarray, epoch: int) -> Context:
        """What transforms are told of some rows."""
        draws = Draws.of(rows, self.options.seed, epoch)
        planes = self.options.layout == "chw"
        return Context(draws, self._features, self._pictures, self._labels, planes)

    def picture(self, pixels: np.ndarray, numbers: np.ndarray, context: Context) -> np.ndarray:
        """A column of pictures after the fused transforms.

        Args:
            pixels: uint8 (…, height, width, channels).
            numbers: int64 (rows,), which of them.
            context: of the batch.
        """
        layout = self.options.layout if self.fused.taken == self.own else "hwc"
        shape = self.fused.shape(pixels.shape, layout)
        out = self.pool.empty((len(numbers), *shape), self.fused.dtype)
        self.fused.run(pixels, numbers, context, out, layout)
        return out

    def finish(self, batch: Batch, context: Context) -> Any:
        """The batch after the rest of the transforms, in its layout.

        Raises:
            DshubError: it is to be `(x, y)`, and the transforms took one of them out.
        """
        taken, transforms = self.fused.taken, self.options.transforms
        batch = apply(transforms[taken : self.own], batch, context, first=taken)
        if self.options.layout == "chw":
            for name in context.pictures:
                if self.own > taken or not (taken or name in self._pixels):
                    batch[name] = planes(batch[name])
        batch = apply(transforms[self.own :], batch, context, first=self.own)
        pair = self._all.supervised
        if not self.options.supervised or pair is None:
            return batch
        for name in pair:
            if name not in batch:
                raise DshubError(
                    f"the transforms left no column {name!r}, and `supervised` makes (x, y) of it",
                    hint=f"let them keep {name!r}, or leave `supervised` out",
                )
        return batch[pair[0]], batch[pair[1]]


def _is_array(feature: Feature) -> bool:
    """Whether pictures of several rows are one uint8 array."""
    if not isinstance(feature, ImageFeature):
        return False
    return feature.dtype == "uint8" and len(feature.shape) == 3


def own_transforms(transforms: Sequence[AnyTransform]) -> int:
    """How many of the first transforms are dshub's own; those see channels last."""
    found = [is_own(transform) for transform in transforms]
    return found.index(False) if False in found else len(found)


def planes(pictures: Any) -> Any:
    """Pictures with their channels first."""
    if isinstance(pictures, list):
        return [np.ascontiguousarray(np.moveaxis(picture, -1, 0)) for picture in pictures]
    return np.ascontiguousarray(np.moveaxis(pictures, -1, 1))
