"""Gathering, cropping, flipping and scaling of pictures in one pass over their pixels.

A list of transforms that begins with any of `RandomCrop`, `RandomHorizontalFlip`, and `Normalize`
or `ToFloat`, in that order, needs no array in between: pixels go from the memory map into the
batch. The pass itself is compiled by numba where that is installed (extra `fast`), and a few
calls of NumPy otherwise. Both give the same numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import prod
from types import ModuleType
from typing import Any, Literal

import numpy as np

from dshub.loading.transforms.colors import Scale, scales_of_values
from dshub.loading.transforms.geometry import RandomCrop, RandomHorizontalFlip
from dshub.loading.transforms.transform import AnyTransform, Context

Layout = Literal["hwc", "chw"]
BLOCK = 96 << 10  # bytes of pixels worked on at a time without numba: these and their floats, 4
# times as many, stay in a core's own cache, which is a fifth faster
PADDED = 32  # rows that are padded at a time, for the same reason


@cache
def kernels() -> ModuleType | None:
    """The compiled passes, or None where numba is not installed."""
    try:
        from dshub.loading.transforms import kernels as found
    except ImportError:
        return None
    return found


@dataclass(frozen=True)
class Fused:
    """What is done to pictures while they are gathered.

    Attributes:
        crop, flip, scale: the transforms, where they are asked for.
        taken: how many transforms these are, of the beginning of the list.
    """

    crop: RandomCrop | None
    flip: RandomHorizontalFlip | None
    scale: Scale | None
    taken: int

    @classmethod
    def beginning(cls, transforms: Sequence[AnyTransform]) -> "Fused":
        """As much of the beginning of a list as one pass can do."""
        found: list[Any] = [None, None, None]
        kinds: list[Any] = [RandomCrop, RandomHorizontalFlip, Scale]
        taken = 0
        for place, kind in enumerate(kinds):
            if taken < len(transforms) and isinstance(transforms[taken], kind):
                found[place], taken = transforms[taken], taken + 1
        crop, flip, scale = found
        return cls(crop, flip, scale, taken)

    def shape(self, pictures: tuple[int, ...], layout: Layout) -> tuple[int, ...]:
        """The shape of a picture afterwards, where they are (…, height, width, channels)."""
        height, width, channels = pictures[-3:]
        if self.crop is not None:
            height, width = self.crop.target(height, width)
        return (channels, height, width) if layout == "chw" else (height, width, channels)

    @property
    def dtype(self) -> type[np.generic]:
        """What pixels are afterwards."""
        return np.uint8 if self.scale is None else np.float32

    def run(
        self,
        pictures: np.ndarray,
        rows: np.ndarray,
        context: Context,
        out: np.ndarray,
        layout: Layout,
    ) -> None:
        """Fill `out` with the rows of those numbers.

        Args:
            pictures: uint8 (all rows, height, width, channels), contiguous.
            rows: int64, which of them.
            context: with the draws of the batch.
            out: (rows, *shape), of `dtype`, contiguous.
            layout: of `out`.
        """
        if not len(rows):  # of which no shape can be told by -1
            return
        if self.scale is None and layout == "hwc":
            self.gather(pictures, rows, context, out)
            return
        place = self._places(context, pictures.shape, len(rows))
        compiled = kernels()
        if compiled is not None and self.scale is not None:
            compiled.run(pictures, rows, place, self.scale, out, planes=layout == "chw")
            return
        count = max(1, BLOCK // max(1, prod(pictures.shape[1:])))
        shape = self.shape(pictures.shape, "hwc")
        scratch = np.empty((min(count, len(rows)), *shape), np.uint8)
        for start in range(0, len(rows), count):
            some = rows[start : start + count]
            part = scratch[: len(some)]
            places = None if place is None else place[start : start + count]
            self._gather(pictures, some, places, part)
            self._put(part, out[start : start + count], layout)

    def gather(
        self, pictures: np.ndarray, rows: np.ndarray, context: Context, out: np.ndarray
    ) -> None:
        """Fill `out`, uint8 (rows, height, width, channels): cut and turned, but not scaled.

        Args:
            pictures, rows, context: as for `run`.
        """
        place = self._places(context, pictures.shape, len(rows))
        if place is None:
            self._gather(pictures, rows, None, out)
            return
        for start in range(0, len(rows), PADDED):
            part = slice(start, start + PADDED)
            self._gather(pictures, rows[part], place[part], out[part])

    def _places(self, context: Context, pictures: tuple[int, ...], rows: int) -> np.ndarray | None:
        """int64 (rows, 3): where each picture's part begins, and whether it is turned."""
        if self.crop is None and self.flip is None:
            return None
        place = np.zeros((rows, 3), np.int64)
        number = 0
        for transform in (self.crop, self.flip):
            if transform is None:
                continue
            own = Context(context.draws.apart(number), context.features)
            number += 1
            if isinstance(transform, RandomCrop):
                place[:, 0], place[:, 1] = transform.offsets(own, *pictures[1:3])
            else:
                place[:, 2] = transform.flipped(own)
        return place

    def _gather(
        self, pictures: np.ndarray, rows: np.ndarray, place: np.ndarray | None, out: np.ndarray
    ) -> None:
        if place is None:
            flat = pictures.reshape(len(pictures), -1)
            flat.take(rows, axis=0, out=out.reshape(len(rows), -1), mode="clip")
            return
        around = self.crop.padding if self.crop is not None else 0
        padded = _padded(pictures, rows, around)
        down, right, channels = out.shape[1:]
        pixel = np.dtype((np.void, channels))  # of one piece, or turning moves byte by byte
        sources, targets = padded.view(pixel)[..., 0], out.view(pixel)[..., 0]
        corners = (place[:, :2] + around).tolist()
        for i, ((y, x), turned) in enumerate(zip(corners, place[:, 2].tolist(), strict=True)):
            part = sources[i, y : y + down, x : x + right]
            targets[i] = part[:, ::-1] if turned else part

    def _put(self, pictures: np.ndarray, out: np.ndarray, layout: Layout) -> None:
        """Gathered pictures, scaled and in their layout, by whole-array calls."""
        np.copyto(out, np.moveaxis(pictures, 3, 1) if layout == "chw" else pictures)
        if self.scale is not None:
            flat = out.reshape(len(out), -1)
            height, width, channels = pictures.shape[1:]
            planes = layout == "chw"
            scale, bias = scales_of_values(self.scale, channels, height * width, planes=planes)
            flat *= scale
            flat += bias


def _padded(pictures: np.ndarray, rows: np.ndarray, around: int) -> np.ndarray:
    """Rows with so many pixels of 0 on every side."""
    if not around:
        return pictures.take(rows, axis=0)
    height, width, channels = pictures.shape[1:]
    found = np.zeros((len(rows), height + 2 * around, width + 2 * around, channels), np.uint8)
    found[:, around : around + height, around : around + width] = pictures[rows]
    return found
